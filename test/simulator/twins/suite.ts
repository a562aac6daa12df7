/**
 * Plays many scenarios of the twins in a fixed order and keeps count. The state after each of them is a plain
 * value that can be written down and gone on from: two halves give what one run gives.
 */
import { createHash } from 'node:crypto';
import { playTwins, type TwinsResult } from './play.ts';
import type { Schedule } from './schedule.ts';
import { distinctScenarios, sampledSchedule, scenarioCount, scheduleOf } from './schedule.ts';

export type Suite =
  /** All scenarios, symmetric ones once, by number. */
  | { readonly kind: 'exhaustive'; readonly validators: number; readonly views: number }
  /** Scenarios of seeds `from` … `from + count − 1`. */
  | {
      readonly kind: 'sample';
      readonly validators: number;
      readonly views: number;
      readonly from: number;
      readonly count: number;
    };

interface Finding {
  /** Number of the scenario, or its seed. */
  readonly scenario: number;
  readonly what: readonly string[];
  /** The command that plays it again and tells its story. */
  readonly replay: string;
}

export interface Progress {
  readonly suite: Suite;
  /** Scenarios there would be without taking symmetric ones out. */
  readonly scenarios: number;
  /** Scenarios to be played. */
  readonly distinct: number;
  readonly run: number;
  readonly violations: readonly Finding[];
  readonly stuck: readonly Finding[];
  readonly finalizations: number;
  /** Scenarios in which something became final before the network healed. */
  readonly finalBeforeHealing: number;
  readonly equivocations: number;
  readonly stalls: number;
  /** Of all traces, in order. */
  readonly traceHash: string;
  readonly milliseconds: number;
}

/** At most so many findings are kept of each kind. */
const MAX_FINDINGS = 50;

/** The scenarios of a suite by position: their number or seed, and the schedule. */
function scenariosOf(suite: Suite): {
  readonly count: number;
  readonly at: (position: number) => { readonly scenario: number; readonly schedule: Schedule };
} {
  const { validators, views } = suite;
  if (suite.kind === 'sample') {
    return {
      count: suite.count,
      at: (position) => {
        const scenario = suite.from + position;
        return { scenario, schedule: sampledSchedule(validators, views, scenario) };
      },
    };
  }
  const kept = distinctScenarios(validators, views);
  return {
    count: kept.length,
    at: (position) => {
      const scenario = kept[position]!;
      return { scenario, schedule: scheduleOf(validators, views, scenario) };
    },
  };
}

/** `npm run sim -- …` for one scenario of the suite. */
function replayOf({ kind, validators, views }: Suite, scenario: number): string {
  const which = kind === 'sample' ? `--seeds 1 --from ${scenario}` : `--scenario ${scenario}`;
  return `npm run sim -- --twins --validators ${validators} --views ${views} ${which} --trace`;
}

function begin(suite: Suite, distinct: number): Progress {
  return {
    ...{ suite, scenarios: scenarioCount(suite.validators, suite.views), distinct },
    ...{ run: 0, violations: [], stuck: [], finalizations: 0, finalBeforeHealing: 0 },
    ...{ equivocations: 0, stalls: 0, traceHash: '', milliseconds: 0 },
  };
}

function add(progress: Progress, scenario: number, result: TwinsResult, milliseconds: number): Progress {
  const { suite } = progress;
  const finding = (what: readonly string[]): Finding[] =>
    what.length === 0 ? [] : [{ scenario, what, replay: replayOf(suite, scenario) }];
  const stuck = result.stuck === undefined ? [] : [result.stuck];
  return {
    ...progress,
    run: progress.run + 1,
    violations: [...progress.violations, ...finding(result.violations)].slice(0, MAX_FINDINGS),
    stuck: [...progress.stuck, ...finding(stuck)].slice(0, MAX_FINDINGS),
    finalizations: progress.finalizations + result.finalizations,
    finalBeforeHealing: progress.finalBeforeHealing + (result.healedHeight > 0 ? 1 : 0),
    equivocations: progress.equivocations + result.equivocations,
    stalls: progress.stalls + result.stalls,
    traceHash: createHash('sha256')
      .update(progress.traceHash + result.traceHash)
      .digest('hex'),
    milliseconds: progress.milliseconds + milliseconds,
  };
}

/**
 * Goes on from `known` (undefined: from the beginning) until the suite is done or `limit` scenarios were played
 * now. `save` is called after every scenario. Throws if `known` belongs to another suite.
 */
export async function playSuite(
  suite: Suite,
  known: Progress | undefined,
  limit: number,
  save: (progress: Progress) => void,
): Promise<Progress> {
  const scenarios = scenariosOf(suite);
  if (known !== undefined && JSON.stringify(known.suite) !== JSON.stringify(suite)) {
    throw new Error(`the state is of another suite: ${JSON.stringify(known.suite)}`);
  }
  let progress = known ?? begin(suite, scenarios.count);
  const end = Math.min(scenarios.count, progress.run + limit);
  while (progress.run < end) {
    const { scenario, schedule } = scenarios.at(progress.run);
    const started = performance.now();
    const result = await playTwins(schedule);
    progress = add(progress, scenario, result, performance.now() - started);
    save(progress);
  }
  return progress;
}
