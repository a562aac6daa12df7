/** When a network has held: what a run found, and what keeps a run from saying anything. */
import { quantiles } from '../../bench/network.ts';
import { KINDS, type Kind } from './schedule.ts';

export interface Limits {
  /** After the end of all faults, until blocks come again everywhere. */
  readonly blocksMs: number;
  /** From then on, until a payment is final everywhere. */
  readonly paymentMs: number;
}
/** On a machine that the nodes have to themselves. */
export const LIMITS: Limits = { blocksMs: 60_000, paymentMs: 60_000 };
/** Part of the journals' segments that may have gone before they were kept, and so many more. */
const MOST_GAPS = { share: 0.02, more: 2 };

export interface Calm {
  /** After the end of the storm, until all nodes had further blocks; and from then on, until payments were final. */
  readonly blocksMs: number;
  readonly paymentsMs: number;
}

export interface Findings {
  readonly minutes: number;
  readonly patience: number;
  readonly seed: number;
  readonly nodes: number;
  readonly faults: Readonly<Record<Kind, number>>;
  readonly schedule: readonly string[];
  readonly rounds: number;
  /** Height up to which every block was compared at every node. */
  readonly blocks: number;
  /** Transactions that some node called final. */
  readonly final: number;
  readonly lost: readonly string[];
  readonly disagreements: readonly string[];
  readonly regressions: readonly string[];
  readonly supplyErrors: readonly string[];
  /** Balances that are not what the final payments make, and transactions that nobody sent. */
  readonly totalErrors: readonly string[];
  readonly doubleSigned: readonly string[];
  readonly stalls: readonly string[];
  /** Nodes that ended by themselves, journals that cannot be read, and whatever else must not be. */
  readonly otherFailures: readonly string[];
  readonly calms: readonly Calm[];
  readonly processes: {
    readonly starts: number;
    readonly kills: number;
    readonly pauses: number;
    readonly diskFills: number;
    readonly diskStops: number;
  };
  readonly packetsDropped: number;
  readonly relayed: { readonly connections: number; readonly bytes: number; readonly delayedBytes: number };
  readonly payments: {
    readonly sent: number;
    readonly accepted: number;
    readonly acceptedNotFinal: number;
    readonly repeats: number;
    readonly unanswered: number;
    readonly refusals: Readonly<Record<string, number>>;
  };
  readonly votes: number;
  /** Nodes in whose journals no vote was read. */
  readonly silentJournals: readonly number[];
  readonly journalSegments: number;
  readonly journalGaps: number;
  readonly recounts: number;
  readonly logErrors: number;
  readonly interrupted: boolean;
  readonly durationMs: number;
}

/** A run that saw nothing has not held. */
function blindSpots(found: Findings): string[] {
  const wrong: string[] = [];
  const need = (what: string, seen: number): void => {
    if (!(seen > 0)) wrong.push(what);
  };
  for (const kind of KINDS) need(`no fault of the kind ${kind}`, found.faults[kind]);
  need('no block was compared', found.blocks);
  need('no payment became final', found.final);
  need('no calm was judged', found.calms.length);
  need('no coins were counted', found.recounts);
  need('no node was killed', found.processes.kills);
  need('no node was paused', found.processes.pauses);
  need('no disk was filled', found.processes.diskFills);
  need('no packet was dropped', found.packetsDropped);
  need('no byte was delayed', found.relayed.delayedBytes);
  for (const node of found.silentJournals) wrong.push(`no vote of node ${node} was read in its journal`);
  const { journalGaps, journalSegments } = found;
  if (journalGaps > MOST_GAPS.more + MOST_GAPS.share * journalSegments)
    wrong.push(`${journalGaps} journal segments came and went unseen, ${journalSegments} were read`);
  return wrong;
}

function worst(times: readonly number[]) {
  if (times.length === 0) return undefined;
  const { median, max } = quantiles(times);
  return { median: Math.round(median), max: Math.round(max) };
}

/** The result as it is printed: `verdict` is "held", "broken", or "interrupted" where nothing was found until then. */
export function judge(found: Findings) {
  const { lost, disagreements, regressions, supplyErrors, totalErrors, doubleSigned, stalls } = found;
  const seen = [
    ...lost,
    ...disagreements,
    ...regressions,
    ...supplyErrors,
    ...totalErrors,
    ...doubleSigned,
    ...stalls,
    ...found.otherFailures,
  ];
  const stopped = found.interrupted && seen.length === 0;
  const wrong = seen.length > 0 || stopped ? seen : blindSpots(found);
  const { calms, silentJournals: _, interrupted: _interrupted, ...rest } = found;
  return {
    ...rest,
    lost: new Set(lost).size,
    disagreements: new Set(disagreements).size,
    regressions: new Set(regressions).size,
    supplyErrors: supplyErrors.length,
    totalErrors: totalErrors.length,
    doubleSigned: doubleSigned.length,
    stalls: stalls.length,
    otherFailures: found.otherFailures.length,
    recoveryMs: {
      blocks: worst(calms.map(({ blocksMs }) => blocksMs)),
      payments: worst(calms.map(({ paymentsMs }) => paymentsMs)),
    },
    verdict: stopped ? 'interrupted' : wrong.length === 0 ? 'held' : 'broken',
    wrong: [...new Set(wrong)].slice(0, 100),
  };
}

export type Verdict = ReturnType<typeof judge>;
