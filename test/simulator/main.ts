/**
 * `main [--seeds N] [--from S] [--scenario NAME] [--jobs J] [--state FILE] [--json] [--trace]`: plays seeds S … S+N−1 and
 * tells what went wrong. NAME pins facets of the scenarios, any number of them joined by slashes. With a state file a
 * series that was stopped goes on where it was; `--report` prints its tables. Exit status 0 only if nothing was found, 1
 * for findings, 2 for a wrong command. `main --mutants …` plays broken variants instead (mutants/run.ts), `main --twins …`
 * twins (twins/run.ts).
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { installNodeHash } from '../../src/node/hash.ts';
import { pinsOf } from './facets.ts';
import { runMutants } from './mutants/run.ts';
import { playSeeds, serve } from './pool.ts';
import {
  addResult,
  loadProgress,
  newProgress,
  type Progress,
  readProgress,
  saveProgress,
} from './progress.ts';
import { reportOf } from './report.ts';
import { twinsCommand } from './twins/run.ts';

/** Between two lines of progress, and between two writes of the state file, in milliseconds. */
const PROGRESS_INTERVAL = 10_000;
const SAVE_INTERVAL = 15_000;
/** A series with more findings than this says the same thing over and over. */
const MOST_FINDINGS = 100;

installNodeHash();
if (process.argv.includes('--mutants')) process.exit(await runMutants(process.argv.slice(2)));
if (process.argv.includes('--twins')) process.exit(await twinsCommand(process.argv.slice(2)));
if (isMainThread) await main();
else serve();

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least) fail(`--${name} is a whole number from ${least} on`);
  return value;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '100' },
      from: { type: 'string', default: '0' },
      scenario: { type: 'string' },
      jobs: { type: 'string', default: `${availableParallelism()}` },
      state: { type: 'string' },
      report: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
    },
  });
  const { scenario, state } = values;
  const from = whole('from', values.from, 0);
  const until = from + whole('seeds', values.seeds, 1);
  const jobs = whole('jobs', values.jobs, 1);
  try {
    if (scenario !== undefined) pinsOf(scenario);
    if (values.report) return printReport(state);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
  const progress = begin(state, from, scenario);
  await play(progress, { until, jobs, state, json: values.json, trace: values.trace });
  finish(progress);
}

function printReport(state: string | undefined): void {
  const progress = state === undefined ? undefined : readProgress(state);
  if (progress === undefined) throw new Error('--report needs the --state of a series');
  process.stdout.write(reportOf(progress));
}

function begin(state: string | undefined, from: number, scenario: string | undefined): Progress {
  if (state === undefined) return newProgress(from, scenario);
  try {
    return loadProgress(state, from, scenario) ?? newProgress(from, scenario);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

interface PlayOptions {
  readonly until: number;
  readonly jobs: number;
  readonly state: string | undefined;
  readonly json: boolean;
  readonly trace: boolean;
}

async function play(progress: Progress, { until, jobs, state, json, trace }: PlayOptions): Promise<void> {
  const started = Date.now();
  const first = progress.next;
  let told = started;
  let saved = started;
  let stopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopped = true;
    });
  }
  await playSeeds(new URL(import.meta.url), {
    from: progress.next,
    until,
    jobs,
    scenario: progress.scenario,
    print: trace ? (line) => void process.stderr.write(line) : undefined,
    onResult: (result) => {
      addResult(progress, result);
      const { seed, violations, stuck } = result;
      const findings = [...violations, ...(stuck === undefined ? [] : [`stuck: ${stuck}`])];
      if (!json)
        for (const what of findings) process.stdout.write(`seed ${seed} ${result.scenario}: ${what}\n`);
      const now = Date.now();
      if (now - told > PROGRESS_INTERVAL) {
        told = now;
        const rate = (progress.next - first) / ((now - started) / 1_000);
        const left = ((until - progress.next) / rate / 60).toFixed(0);
        process.stderr.write(
          `${progress.next - progress.from} of ${until - progress.from} runs, ${rate.toFixed(1)} a second, ${left} minutes left, ${progress.violations.length + progress.stuck.length} findings\n`,
        );
      }
      if (state !== undefined && now - saved > SAVE_INTERVAL) {
        saved = now;
        saveProgress(state, progress);
      }
      return !stopped && progress.violations.length + progress.stuck.length < MOST_FINDINGS;
    },
  });
  if (state !== undefined) saveProgress(state, progress);
  if (progress.next < until) {
    process.stderr.write(`stopped before seed ${progress.next}; what was asked for ends with ${until - 1}\n`);
    process.exitCode = 1;
  }
}

function finish({ total, restarts, missed, faults, violations, stuck, traceHash }: Progress): void {
  const { runs, finalizations, views, seconds } = total;
  const summary = {
    ...{ runs, finalizations, views, restarts },
    runsPerCoreSecond: Number((runs / Math.max(seconds, 1e-9)).toFixed(2)),
    ...{ missed, faults, violations, stuck, traceHash },
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
  if (violations.length + stuck.length > 0) process.exitCode = 1;
}
