/** The verdict: a net that held is told from one that did not, and from one that nobody looked at. */
import { expect, it } from 'vitest';
import { named } from '../ledger/support.ts';
import { TotalsBook } from './transfers.ts';
import { type Findings, judge } from './verdict.ts';

const faults = {
  kill: 1,
  pause: 1,
  disk: 1,
  bandwidth: 1,
  loss: 1,
  delay: 1,
  partition: 1,
  'one-way': 1,
  link: 1,
};
const HELD: Findings = {
  minutes: 1,
  patience: 1,
  seed: 1,
  nodes: 4,
  faults,
  schedule: [],
  rounds: 2,
  blocks: 100,
  final: 50,
  lost: [],
  disagreements: [],
  regressions: [],
  supplyErrors: [],
  totalErrors: [],
  doubleSigned: [],
  stalls: [],
  otherFailures: [],
  calms: [
    { blocksMs: 900, paymentsMs: 300 },
    { blocksMs: 2_000, paymentsMs: 500 },
  ],
  processes: { starts: 5, kills: 1, pauses: 1, diskFills: 1, diskStops: 1 },
  packetsDropped: 10,
  relayed: { connections: 12, bytes: 10_000, delayedBytes: 1_000 },
  payments: { sent: 60, accepted: 55, acceptedNotFinal: 5, repeats: 4, unanswered: 3, refusals: {} },
  votes: 1_000,
  silentJournals: [],
  journalSegments: 100,
  journalGaps: 4,
  recounts: 8,
  logErrors: 0,
  interrupted: false,
  durationMs: 60_000,
};

it('a net that held', () => {
  expect(judge(HELD)).toMatchObject({
    verdict: 'held',
    wrong: [],
    lost: 0,
    disagreements: 0,
    regressions: 0,
    supplyErrors: 0,
    doubleSigned: 0,
    stalls: 0,
    recoveryMs: { blocks: { max: 2_000 }, payments: { max: 500 } },
  });
});

it.each<keyof Findings>([
  'lost',
  'disagreements',
  'regressions',
  'supplyErrors',
  'totalErrors',
  'doubleSigned',
  'stalls',
  'otherFailures',
])('no net that held, whatever is found: %s', (what) => {
  const result = judge({ ...HELD, [what]: ['something'] });
  expect(result).toMatchObject({ verdict: 'broken', wrong: ['something'], [what]: 1 });
  expect(judge({ ...HELD, [what]: ['something'], interrupted: true }).verdict).toBe('broken');
});

it.each<[string, Partial<Findings>]>([
  ['a fault that never came', { faults: { ...faults, link: 0 } }],
  ['no block', { blocks: 0 }],
  ['no payment', { final: 0 }],
  ['no calm', { calms: [] }],
  ['no recount', { recounts: 0 }],
  ['nobody killed', { processes: { ...HELD.processes, kills: 0 } }],
  ['nobody paused', { processes: { ...HELD.processes, pauses: 0 } }],
  ['no disk filled', { processes: { ...HELD.processes, diskFills: 0 } }],
  ['packets that all arrived', { packetsDropped: 0 }],
  ['a relay that was never late', { relayed: { ...HELD.relayed, delayedBytes: 0 } }],
  ['a journal that nobody read', { silentJournals: [2] }],
  ['journals that were half read', { journalGaps: 5 }],
])('no run that says anything: %s', (_, change) => {
  const { verdict, wrong } = judge({ ...HELD, ...change });
  expect([verdict, wrong.length]).toEqual(['broken', 1]);
});

it('a run that was interrupted says so, and claims nothing', () => {
  expect(judge({ ...HELD, interrupted: true, calms: [], blocks: 0 })).toMatchObject({
    verdict: 'interrupted',
    wrong: [],
  });
});

it('totals: what accounts must have follows from the payments that are final, and from no others', () => {
  const hex = (name: string): string => Buffer.from(named(name)).toString('hex');
  const book = new TotalsBook([{ address: named('a'), amount: 1_000n }]);
  book.add('first', { from: hex('a'), cost: 110n, outputs: [{ to: hex('b'), amount: 100n }] });
  book.add('lost', { from: hex('a'), cost: 500n, outputs: [{ to: hex('c'), amount: 490n }] });
  book.add('back', { from: hex('b'), cost: 60n, outputs: [{ to: hex('a'), amount: 50n }] });
  expect(Object.fromEntries(book.balances(['first', 'back', 'somebody else’s']))).toEqual({
    [hex('a')]: 940n,
    [hex('b')]: 40n,
  });
  expect([book.has('lost'), book.has('unknown')]).toEqual([true, false]);
});
