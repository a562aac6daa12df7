/**
 * The run itself, as a process in the run's hub namespace: main.ts starts it there, and removes what it leaves. Its one
 * argument is the plan as JSON; the last line on its standard output is the result as JSON. It stops when it is told to,
 * and, because then nobody else does, cleans up when main.ts is gone, which it sees by the end of its standard input.
 */
import { DEVNET_PARAMETERS, genesisHash } from '../../src/chain/genesis.ts';
import { trustGenesis } from '../../src/light/verify.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import { installNodeHash } from '../../src/node/hash.ts';
import { Journals } from '../crashloop/journals.ts';
import { SupplyBook } from '../crashloop/supply.ts';
import { VoteBook } from '../crashloop/votes.ts';
import { Witness } from '../crashloop/witness.ts';
import { Prng } from '../simulator/prng.ts';
import { Chaos } from './chaos.ts';
import { ChaosNet, layout } from './net.ts';
import { countKinds, describeRound, makeSchedule } from './schedule.ts';
import { removeTraces } from './traces.ts';
import { payerAccounts, Transfers } from './transfers.ts';
import { judge, LIMITS, type Verdict } from './verdict.ts';
import { Wires } from './wires.ts';

export interface InsidePlan {
  /** Process whose name everything carries. */
  readonly owner: number;
  readonly dir: string;
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  /** What the limits of time are multiplied by. */
  readonly patience: number;
}

const PARAMETERS = { ...DEVNET_PARAMETERS, blockInterval: 500, delta: 200 };

const plan = JSON.parse(process.argv[2] ?? '{}') as InsidePlan;
const { owner, dir, seed, nodes, minutes, patience } = plan;
const began = performance.now();
const say = (line: string): void => {
  process.stderr.write(`${Math.round((performance.now() - began) / 1_000)}s ${line}\n`);
};

const stop = new AbortController();
let abandoned = false;
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => stop.abort(new Error('interrupted')));
process.stderr.on('error', () => {});
process.stdout.on('error', () => {});
process.stdin.on('end', () => {
  abandoned = true;
  stop.abort(new Error('interrupted'));
});
process.stdin.resume();

async function play(): Promise<Verdict> {
  installNodeHash();
  const factory = selectSigningKeys();
  const verifier = selectVerifier();
  const schedule = makeSchedule(seed, nodes, minutes);
  const failures: string[] = [];
  const broken = new AbortController();
  const onFinding = (what: string): void => {
    if (stop.signal.aborted) return;
    say(`found: ${what}`);
    failures.push(what);
    broken.abort(new Error(what));
  };
  const signal = AbortSignal.any([stop.signal, broken.signal]);
  const wires = await Wires.lay(owner, nodes, seed);
  wires.onEnd = onFinding;
  const accounts = payerAccounts(factory);
  const net = await ChaosNet.create({
    owner,
    dir,
    nodes,
    smallDisk: schedule.smallDisk,
    patience,
    parameters: PARAMETERS,
    accounts,
    onFinding,
  });
  // At once: what a finding has left stays as it is, and nobody waits for answers that no longer matter.
  signal.addEventListener('abort', () => void net.killAll());
  const { genesis } = net;
  const prng = new Prng(`chaos/${seed}/load`);
  const witness = new Witness(nodes);
  const votes = new VoteBook();
  const supply = new SupplyBook(
    genesis.accounts.reduce((sum, { amount }) => sum + amount, 0n) +
      genesis.validators.reduce((sum, { stake }) => sum + stake, 0n),
  );
  const journals = new Journals({
    evidence: layout(dir).evidence,
    journals: net.journals(),
    set: trustGenesis(genesis, verifier).set,
    genesisHash: genesisHash(genesis),
    verifier,
    book: votes,
  });
  const transfers = new Transfers({
    genesis,
    factory,
    prng: prng.fork('transfers'),
    doors: () => net.answering().map((index) => net.client(index)),
    height: () => witness.highest,
  });
  const chaos: Chaos = new Chaos({
    schedule,
    net,
    wires,
    witness,
    supply,
    journals,
    transfers,
    prng: prng.fork('checks'),
    limits: { blocksMs: LIMITS.blocksMs * patience, paymentMs: LIMITS.paymentMs * patience },
    signal,
    say,
    broken: () =>
      [
        witness.lost,
        witness.disagreements,
        witness.regressions,
        supply.errors,
        votes.findings,
        journals.findings,
        chaos.checks.conflicts,
        failures,
      ].some((list) => list.length > 0),
  });
  try {
    await chaos.run();
    failures.push(...(await net.stop()));
    await journals.collect();
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    if (!stop.signal.aborted && !failures.includes(what)) failures.push(what);
  } finally {
    await net.killAll();
  }
  const relayed = await wires.stop();
  const { counts } = transfers;
  return judge({
    minutes,
    patience,
    seed,
    nodes,
    faults: countKinds(schedule.rounds.slice(0, chaos.rounds)),
    schedule: schedule.rounds.flatMap(describeRound),
    rounds: chaos.rounds,
    blocks: chaos.checked,
    final: witness.transactions,
    lost: witness.lost,
    disagreements: witness.disagreements,
    regressions: witness.regressions,
    supplyErrors: supply.errors,
    totalErrors: chaos.totalErrors,
    doubleSigned: [...votes.findings, ...chaos.checks.conflicts],
    stalls: chaos.stalls,
    otherFailures: [...journals.findings, ...failures],
    calms: chaos.calms,
    processes: net.counts,
    packetsDropped: wires.dropped,
    relayed: relayed ?? { connections: 0, bytes: 0, delayedBytes: 0 },
    payments: {
      ...counts,
      accepted: transfers.accepted.size,
      acceptedNotFinal: [...transfers.accepted].filter((id) => witness.placeOf(id) === undefined).length,
      refusals: transfers.refusals,
    },
    votes: votes.votes,
    silentJournals: journals.silent,
    journalSegments: journals.segments,
    journalGaps: journals.gaps,
    recounts: supply.counted,
    logErrors: chaos.checks.logErrors.length,
    interrupted: stop.signal.aborted,
    durationMs: Math.round(performance.now() - began),
  });
}

let line: string;
try {
  line = JSON.stringify(await play());
} catch (error) {
  line = JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
}
if (abandoned) await removeTraces(owner);
process.stdout.write(`${line}\n`, () => process.exit(0));
