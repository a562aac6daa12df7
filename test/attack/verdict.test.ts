/** The attack's verdict: a net that held is told from one that did not, and from one that nobody looked at. */
import { expect, it } from 'vitest';
import { type Findings, judge } from './verdict.ts';
import { viewsOf } from './watch.ts';

const pace = { blocksPerSecond: 1, blocks: 60, finalityMs: { p50: 200, p95: 400 } };
const phase = {
  ...pace,
  phase: 'everything',
  seconds: 60,
  sentPerSecond: 100,
  attackerCpu: 0.5,
  nodesCpu: 0.5,
  honestViewsFinal: 1,
  viewsMissed: {},
  lagMs: 20,
};
const insider = { ...phase, phase: 'insider', blocksPerSecond: 0.7 };
const memory = { node: 'validator 0', baselineMib: 200, mostMib: 300, lastMib: 300, slopeMibPerMinute: 1 };
const kind = {
  kind: 'hellos',
  group: 'hello',
  sent: 10,
  refused: 1,
  perSecond: 0.5,
  seconds: 20,
} as const;
const HELD: Findings = {
  minutes: 10,
  seed: 1,
  baseline: { ...pace, nodesCpu: 0.2 },
  attack: [phase, insider],
  memory: [memory],
  minutesOfMemory: 9,
  offences: {},
  bans: {},
  honestCutOff: [],
  nodesDied: [],
  unanswered: 3,
  unseen: [],
  payments: { sent: 2, lost: [], latencies: [300, 400] },
  byKind: [kind],
};

it('a net that held', () => {
  expect(judge(HELD)).toMatchObject({ verdict: 'held', wrong: [], payments: { sent: 2, lost: 0 } });
});

it.each<[string, Partial<Findings>]>([
  ['blocks that come too slowly', { attack: [{ ...phase, blocksPerSecond: 0.79 }, insider] }],
  ['honest views that fail', { attack: [phase, { ...insider, honestViewsFinal: 0.89 }] }],
  ['too much memory', { memory: [{ ...memory, mostMib: 1_025 }] }],
  ['memory that grows', { memory: [{ ...memory, slopeMibPerMinute: 11 }] }],
  ['a node that ended', { nodesDied: ['validator 1'] }],
  ['an honest node that was cut off', { honestCutOff: ['validator 0 lost validator 1'] }],
  ['a payment that is lost', { payments: { ...HELD.payments, lost: ['aa: pending'] } }],
  ['no block to compare with', { baseline: { ...HELD.baseline, blocksPerSecond: 0 } }],
  ['no attack', { attack: [] }],
  ['attackers that do nothing', { attack: [{ ...phase, sentPerSecond: 0 }, insider] }],
  ['an attack that was never carried out', { byKind: [{ ...kind, sent: 0, refused: 0 }] }],
  ['no payment', { payments: { sent: 0, lost: [], latencies: [] } }],
  ['a node that never answered', { unseen: ['validator 0 left 9 of 10 unanswered'] }],
])('no net that held: %s', (_, change) => {
  const { verdict, wrong } = judge({ ...HELD, ...change });
  expect([verdict, wrong.length]).toEqual(['broken', 1]);
});

it('one collector’s mood is not a leak, which would show in all nodes', () => {
  const grown = (...slopes: number[]): string =>
    judge({ ...HELD, memory: slopes.map((slopeMibPerMinute) => ({ ...memory, slopeMibPerMinute })) }).verdict;
  expect(grown(34, 9, 3, -5, -35)).toBe('held');
  expect(grown(34, 12, 11, 9, 8)).toBe('broken');
});

it('views after the last final one count: a net that stands still has no honest view left out', () => {
  expect(viewsOf(new Set(), 9)).toEqual([]);
  expect(viewsOf(new Set([5, 7]), 0)).toEqual([5, 6, 7]);
  expect(viewsOf(new Set([5]), 8)).toEqual([5, 6, 7, 8]);
});
