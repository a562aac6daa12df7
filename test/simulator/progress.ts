/**
 * What a series of runs has come to: totals, counts by cell, findings and the trace hash so far. It can be put on disk
 * and taken up again; the trace hash is a chain over the seeds in their order, so a series that was stopped and went on
 * ends with the hash of one that was not.
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { addCounts } from './counters.ts';
import type { TimedResult } from './pool.ts';

export interface Cell {
  runs: number;
  finalizations: number;
  views: number;
  /** Virtual milliseconds. */
  duration: number;
  /** Seconds of a core. */
  seconds: number;
  findings: number;
}

interface Finding {
  readonly seed: number;
  readonly scenario: string;
  readonly what: string;
  /** The command that plays the run again. */
  readonly replay: string;
}

export interface Progress {
  readonly version: 1;
  /** What was asked for: going on with something else would mix two series. */
  readonly from: number;
  readonly scenario: string | undefined;
  /** The first seed that is not played yet. */
  next: number;
  traceHash: string;
  total: Cell;
  restarts: number;
  /** By committee and adversary, and by network, disk and clocks. */
  readonly cells: Record<string, Cell>;
  readonly missed: Record<string, number>;
  readonly faults: Record<string, number>;
  readonly violations: Finding[];
  readonly stuck: Finding[];
}

const newCell = (): Cell => ({ runs: 0, finalizations: 0, views: 0, duration: 0, seconds: 0, findings: 0 });

export function newProgress(from: number, scenario: string | undefined): Progress {
  return {
    version: 1,
    from,
    scenario,
    next: from,
    traceHash: createHash('sha256').update(`from ${from}`).digest('hex'),
    total: newCell(),
    restarts: 0,
    cells: {},
    missed: {},
    faults: {},
    violations: [],
    stuck: [],
  };
}

/** Takes in the result of the next seed. */
export function addResult(progress: Progress, result: TimedResult): void {
  const { seed, scenario, violations, stuck } = result;
  if (seed !== progress.next) throw new Error(`seed ${seed} where ${progress.next} was due`);
  progress.next++;
  progress.traceHash = createHash('sha256').update(progress.traceHash).update(result.traceHash).digest('hex');
  progress.restarts += result.restarts;
  addCounts(progress.missed, result.missed);
  addCounts(progress.faults, result.faults);
  const [committee = '', adversary = '', ...others] = scenario.split('/');
  const names = [`${committee} ${adversary}`, ...others];
  const cells = names.map((name) => {
    progress.cells[name] ??= newCell();
    return progress.cells[name];
  });
  for (const cell of [progress.total, ...cells]) {
    cell.runs++;
    cell.finalizations += result.finalizations;
    cell.views += result.views;
    cell.duration += result.duration;
    cell.seconds += result.seconds;
    if (violations.length > 0 || stuck !== undefined) cell.findings++;
  }
  const replay = `npm run sim -- --seeds 1 --from ${seed} --scenario ${scenario} --trace`;
  for (const what of violations) progress.violations.push({ seed, scenario, what, replay });
  if (stuck !== undefined) progress.stuck.push({ seed, scenario, what: stuck, replay });
}

/** Whole or not at all. */
export function saveProgress(file: string, progress: Progress): void {
  const temporary = `${file}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(progress, undefined, 1)}\n`);
  renameSync(temporary, file);
}

/** What the file holds; undefined if there is none. Throws if it belongs to another series. */
export function loadProgress(file: string, from: number, scenario: string | undefined): Progress | undefined {
  const progress = readProgress(file);
  if (progress === undefined) return undefined;
  if (progress.from !== from || progress.scenario !== scenario) {
    throw new Error(
      `${file} holds a series from seed ${progress.from}${progress.scenario === undefined ? '' : ` of ${progress.scenario}`}`,
    );
  }
  return progress;
}

export function readProgress(file: string): Progress | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const progress = JSON.parse(text) as Progress;
  if (progress.version !== 1) throw new Error(`${file} is not a series of runs`);
  return progress;
}
