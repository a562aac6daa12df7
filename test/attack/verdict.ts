/** When a net held: the thresholds, in words and in code. */
import { quantiles } from '../../bench/network.ts';
import type { KindReport } from './attacker.ts';
import type { MemoryReport, Pace } from './watch.ts';

/** Blocks a second under attack, as a part of those before it. */
const LEAST_PACE = 0.8;
/** Views led by honest validators whose blocks became final, while one validator is the attacker's. */
const LEAST_HONEST_VIEWS = 0.9;
const MOST_RESIDENT_MIB = 1_024;
const MOST_SLOPE_MIB = 10;
/** Below this, memory says more about the collector of garbage than about leaks. */
const LEAST_MINUTES_FOR_SLOPE = 4;
/** In so many seconds every kind of attack has had several goes. */
const LEAST_SECONDS_OF_A_KIND = 20;

export const HELP = `npm run attack -- [--minutes M] [--seed S] [--interval MS] [--groups a,b,…] [--only TEXT] [--nice N]
    [--profile DIR] [--json]

Four validators and a node that follows, under two payments a second, are attacked by a process of its own, at low
priority (--nice, 10) because it shares the machine's processors with them. The net held when
  - blocks came at ${LEAST_PACE} of the baseline's pace or faster in every phase without a stake, and
  - ${LEAST_HONEST_VIEWS} of the views led by honest validators brought a final block while one of the four was the attacker's;
  - no node ended, none passed ${MOST_RESIDENT_MIB} MiB resident, and they did not grow, in their median, by more than
    ${MOST_SLOPE_MIB} MiB a minute over the last two thirds of the longest phase, if it has at least ${LEAST_MINUTES_FOR_SLOPE} minutes;
  - no honest node lost its connection to another;
  - every payment became final;
  - and something was seen: blocks and payments came, every attack was carried out, and every node said more often than
    not who it is connected to.
`;

export interface PhaseReport extends Pace {
  readonly phase: string;
  readonly seconds: number;
  /** Messages, connections or requests of the attackers a second. */
  readonly sentPerSecond: number;
  /** Processors that the attacker, and that all nodes together, were busy on. */
  readonly attackerCpu: number;
  readonly nodesCpu: number;
  /** Part of the views led by honest validators whose blocks became final. */
  readonly honestViewsFinal: number;
  /** Views that the nodes gave up on, by reason, over all nodes; and the latest that an event loop was. */
  readonly viewsMissed: Readonly<Record<string, number>>;
  readonly lagMs: number;
}

export interface Findings {
  readonly minutes: number;
  readonly seed: number;
  readonly baseline: Pace & { readonly nodesCpu: number };
  readonly attack: readonly PhaseReport[];
  readonly memory: readonly MemoryReport[];
  readonly minutesOfMemory: number;
  /** What the nodes counted against their peers, and whom they shut out. */
  readonly offences: Readonly<Record<string, number>>;
  readonly bans: Readonly<Record<string, number>>;
  readonly honestCutOff: readonly string[];
  readonly nodesDied: readonly string[];
  /** Questions of the watcher that got no answer in time. */
  readonly unanswered: number;
  readonly unseen: readonly string[];
  readonly payments: {
    readonly sent: number;
    readonly lost: readonly string[];
    readonly latencies: readonly number[];
  };
  readonly byKind: readonly (KindReport & { readonly perSecond: number; readonly seconds: number })[];
}

/** What keeps the findings from saying anything: a run that saw nothing has not held. */
function blindSpots({ baseline, attack, payments, unseen, byKind }: Findings): string[] {
  const wrong = [...unseen];
  if (!(baseline.blocksPerSecond > 0)) wrong.push('no block came before the attack');
  if (attack.length === 0) wrong.push('nothing was attacked');
  for (const { phase, sentPerSecond } of attack)
    if (!(sentPerSecond > 0)) wrong.push(`${phase}: the attackers did nothing`);
  for (const { kind, sent, refused, seconds } of byKind)
    if (sent + refused === 0 && seconds >= LEAST_SECONDS_OF_A_KIND) wrong.push(`never carried out: ${kind}`);
  if (payments.latencies.length === 0) wrong.push('no payment became final');
  return wrong;
}

export function judge(found: Findings) {
  const wrong = blindSpots(found);
  for (const phase of found.attack) {
    const ratio = phase.blocksPerSecond / found.baseline.blocksPerSecond;
    if (phase.phase === 'insider') {
      if (!(phase.honestViewsFinal >= LEAST_HONEST_VIEWS))
        wrong.push(`insider: ${phase.honestViewsFinal} of the honest views became final`);
    } else if (!(ratio >= LEAST_PACE)) wrong.push(`${phase.phase}: ${ratio.toFixed(2)} of the pace before`);
  }
  for (const { node, mostMib } of found.memory)
    if (mostMib > MOST_RESIDENT_MIB) wrong.push(`${node} took ${mostMib} MiB`);
  // All nodes are attacked alike: what leaks leaks in all of them, and one collector's mood is not the others'.
  const growth = quantiles(found.memory.map(({ slopeMibPerMinute }) => slopeMibPerMinute)).median;
  if (found.minutesOfMemory >= LEAST_MINUTES_FOR_SLOPE && growth > MOST_SLOPE_MIB)
    wrong.push(`the nodes grew by ${growth} MiB a minute, in the median`);
  for (const node of found.nodesDied) wrong.push(`${node} ended`);
  for (const lost of found.honestCutOff) wrong.push(lost);
  for (const lost of found.payments.lost) wrong.push(`payment ${lost}`);
  const { minutesOfMemory: _, unseen: _unseen, payments, honestCutOff, nodesDied, ...rest } = found;
  const { median, p95 } = quantiles(payments.latencies);
  return {
    ...rest,
    payments: {
      sent: payments.sent,
      lost: payments.lost.length,
      finalMs: { p50: Math.round(median), p95: Math.round(p95) },
    },
    honestCutOff: honestCutOff.length,
    nodesDied: nodesDied.length,
    verdict: wrong.length === 0 ? 'held' : 'broken',
    wrong,
  };
}
