/**
 * `npm run crashloop -- [--rounds N] [--seed S] [--first R] [--json]`: four real validators under load, killed with
 * SIGKILL at random moments and at every named fail point, N rounds in one go. Exit status 0 only if no finalised
 * transaction was lost, no key signed twice, no chain went back, every coin is accounted for, every fail point was
 * visited, and nothing got stuck. It stops at the first finding and keeps the directory. A round's kills follow
 * from seed and number: `--first R --rounds 1` plays round R alone.
 */
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEVNET_PARAMETERS, genesisHash } from '../../src/chain/genesis.ts';
import { trustGenesis } from '../../src/light/verify.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import { installNodeHash } from '../../src/node/hash.ts';
import { FAIL_POINTS } from '../../src/storage/fail-points.ts';
import { Prng } from '../simulator/prng.ts';
import { Journals } from './journals.ts';
import { Load, payerKeys } from './load.ts';
import { CrashLoop } from './loop.ts';
import { CrashNet } from './net.ts';
import { planRound } from './plan.ts';
import { SupplyBook } from './supply.ts';
import { VoteBook } from './votes.ts';
import { Witness } from './witness.ts';

const VALIDATORS = 4;
const FUNDS = 1_000_000_000_000n;
/** Small enough that every journal begins a new segment every few seconds. */
const JOURNAL_SEGMENT_BYTES = 32_768;
/** Short lives, so that bounties expire and their records are removed within a few rounds. */
const PARAMETERS = {
  ...DEVNET_PARAMETERS,
  blockInterval: 200,
  txLifetime: 40,
  leastClaimWindow: 40,
  closedLifetime: 60,
};
const PROOFS = 40;
/** Part of the journals' segments that may have gone before they were linked, on a machine that is busy. */
const MOST_GAPS = 0.01;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    first: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});

function whole(text: string, name: string, least: number): number {
  const number = Number(text);
  if (/^\d{1,15}$/.test(text) && number >= least) return number;
  process.stderr.write(`--${name} is a whole number from ${least}\n`);
  process.exit(2);
}

const rounds = whole(values.rounds, 'rounds', 1);
const seed = values.seed === undefined ? randomInt(2 ** 31) : whole(values.seed, 'seed', 0);
const first = whole(values.first, 'first', 0);
const perRound = Math.max(1, Math.ceil(FAIL_POINTS.length / rounds));
const began = performance.now();

const say = (line: string): void => {
  process.stderr.write(`${Math.round((performance.now() - began) / 1_000)}s ${line}\n`);
};

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => interrupted.abort(new Error('interrupted')));

installNodeHash();
const factory = selectSigningKeys();
const verifier = selectVerifier();
const dir = await mkdtemp(join(tmpdir(), 'kryder-crashloop-'));
const failures: string[] = [];
const broken = new AbortController();
const signal = AbortSignal.any([interrupted.signal, broken.signal]);

const net = await CrashNet.create({
  dir: join(dir, 'net'),
  validators: VALIDATORS,
  parameters: PARAMETERS,
  accounts: payerKeys(factory).map(({ publicKey }) => ({ address: publicKey, amount: FUNDS })),
  journalSegmentBytes: JOURNAL_SEGMENT_BYTES,
  onEnd: (what) => {
    failures.push(what);
    broken.abort(new Error(what));
  },
});
const { genesis } = net;
const trust = trustGenesis(genesis, verifier);
const prng = new Prng(`crashloop/${seed}`);
const witness = new Witness(VALIDATORS);
const votes = new VoteBook();
const supply = new SupplyBook(
  genesis.accounts.reduce((sum, { amount }) => sum + amount, 0n) +
    genesis.validators.reduce((sum, { stake }) => sum + stake, 0n),
);
const journals = new Journals({
  evidence: join(dir, 'journals'),
  journals: net.journals(),
  set: trust.set,
  genesisHash: genesisHash(genesis),
  verifier,
  book: votes,
});
const load = new Load({
  genesis,
  factory,
  prng: prng.fork('load'),
  doors: () => net.ready().map((index) => net.client(index)),
  height: () => witness.highest,
  isFinal: (id) => witness.placeOf(id) !== undefined,
});
const loop = new CrashLoop({
  net,
  witness,
  votes,
  journals,
  supply,
  trust,
  prng: prng.fork('checks'),
  signal,
  say,
});

function findings(): string[] {
  return [
    ...witness.lost,
    ...votes.findings,
    ...loop.conflicts,
    ...witness.disagreements,
    ...witness.regressions,
    ...supply.errors,
    ...journals.findings,
    ...failures,
  ];
}

let played = 0;
async function play(): Promise<void> {
  const over = new AbortController();
  const both = AbortSignal.any([over.signal, signal]);
  await loop.startAll();
  const background = [loop.watch(both), load.run(both)];
  try {
    for (let round = first; round < first + rounds && findings().length === 0; round++) {
      const plan = planRound(seed, round, VALIDATORS, perRound);
      const victims = plan.blows.map(({ victim }) => victim).join(' ');
      const points = [...plan.blows.flatMap(({ failPoint = [] }) => failPoint), ...plan.failPoints]
        .map(({ point }) => point)
        .join(' ');
      const start = performance.now();
      await loop.play(plan);
      played += 1;
      say(
        `round ${round}: killed ${victims}; ${points}; height ${loop.checked}, ${witness.transactions} transactions, ` +
          `${Math.round(performance.now() - start)} ms`,
      );
    }
    if (findings().length === 0) await loop.checkAll(PROOFS);
    over.abort();
    await Promise.all(background);
    if (findings().length === 0 && !(await net.stop()))
      failures.push('a node did not end cleanly on SIGTERM');
    await journals.collect();
  } finally {
    over.abort();
  }
}

try {
  await play();
  if (findings().length === 0) {
    for (const point of loop.missedFailPoints) failures.push(`no node died at ${point}`);
    const { payments, bounties, claims } = load.counts;
    if (witness.transactions === 0 || payments * bounties * claims === 0)
      failures.push(`too little load to prove anything: ${JSON.stringify(load.counts)}`);
    for (const node of journals.silent) failures.push(`no vote of node ${node} was read in its journal`);
    if (journals.gaps > MOST_GAPS * journals.segments)
      failures.push(`${journals.gaps} journal segments came and went unseen, ${journals.segments} were read`);
    if (loop.kills === 0 || loop.proofs === 0)
      failures.push(`${loop.kills} kills and ${loop.proofs} proofs prove nothing`);
  }
} catch (error) {
  const what = interrupted.signal.aborted
    ? 'interrupted'
    : error instanceof Error
      ? error.message
      : String(error);
  if (!failures.includes(what)) failures.push(what);
} finally {
  await net.killAll();
}
if (interrupted.signal.aborted && failures.length === 0) failures.push('interrupted');

const found = findings();
const keep = found.length > 0 && !interrupted.signal.aborted;
if (!keep) await rm(dir, { recursive: true, force: true });
const report = {
  rounds: played,
  lost: new Set(witness.lost).size,
  doubleSigned: votes.findings.length + loop.conflicts.length,
  regressions: new Set([...witness.disagreements, ...witness.regressions]).size,
  supplyErrors: supply.errors.length,
  seed,
  first,
  kills: loop.kills,
  startUpKills: loop.startUpKills,
  failPoints: loop.visited,
  blocks: loop.checked,
  transactions: witness.transactions,
  load: load.counts,
  accepted: load.accepted.size,
  acceptedNotFinal: [...load.accepted].filter((id) => witness.placeOf(id) === undefined).length,
  refusals: load.refusals,
  votes: votes.votes,
  views: votes.highestView,
  journalSegments: journals.segments,
  journalGaps: journals.gaps,
  recounts: supply.counted,
  proofs: loop.proofs,
  logErrors: loop.logErrors.length,
  otherFailures: [...journals.findings, ...failures],
  durationMs: Math.round(performance.now() - began),
};
for (const line of loop.logErrors.slice(0, 20)) say(`in a log: ${line}`);
for (const line of found.slice(0, 50)) say(`FOUND: ${line}`);
if (keep) {
  say(`everything is kept in ${dir}; its kills again: --seed ${seed} --first ${first + played} --rounds 1`);
}
const summary =
  `${played} rounds, seed ${seed}: ${loop.kills} kills (${loop.startUpKills} while starting) and ` +
  `${Object.values(loop.visited).reduce((sum, n) => sum + n, 0)} deaths at fail points; ${loop.checked} blocks, ` +
  `${witness.transactions} transactions and ${votes.votes} votes compared in ${Math.round(report.durationMs / 1_000)} s.\n` +
  `lost ${report.lost}, signed twice ${report.doubleSigned}, gone back ${report.regressions}, ` +
  `supply errors ${report.supplyErrors}, other failures ${report.otherFailures.length}`;
process.stdout.write(`${values.json ? JSON.stringify(report) : summary}\n`, () =>
  process.exit(found.length === 0 ? 0 : 1),
);
