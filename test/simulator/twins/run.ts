/**
 * `npm run sim -- --twins …`: twins of the guilty validators against every partition and leader schedule.
 *
 *     --twins --state FILE --json                four validators, three views, all distinct scenarios
 *     --twins --validators 7 --views 4 --seeds N --from S --json      a sample
 *     --twins --scenario K --trace               one of the exhaustive suite, with its story
 *
 * With `--state` progress is kept in a file, replaced atomically, and the next call goes on from there; `--limit`
 * ends a call after so many scenarios. Prints one JSON object; exit status 1 on a finding, 2 on wrong arguments.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { playTwins } from './play.ts';
import { describeSchedule, sampledSchedule, scenarioCount, scheduleOf } from './schedule.ts';
import { type Progress, playSuite, type Suite } from './suite.ts';

/** More scenarios than this are sampled, not enumerated. */
const MAX_EXHAUSTIVE = 2 ** 25;
/** Between two writes of the state, in milliseconds. */
const SAVE_INTERVAL = 2_000;

class UsageError extends Error {}

export async function twinsCommand(args: readonly string[]): Promise<number> {
  try {
    return await command(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

function whole(name: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most) {
    throw new UsageError(`--${name} is a whole number of ${least} to ${most}, not ${text}`);
  }
  return value;
}

async function command(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      twins: { type: 'boolean', default: true },
      validators: { type: 'string', default: '4' },
      views: { type: 'string', default: '3' },
      seeds: { type: 'string' },
      from: { type: 'string', default: '0' },
      scenario: { type: 'string' },
      limit: { type: 'string' },
      state: { type: 'string' },
      json: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
    },
  });
  const validators = whole('validators', values.validators, 4, 10);
  const views = whole('views', values.views, 1, 5);
  const from = whole('from', values.from, 0);
  const count = values.seeds === undefined ? undefined : whole('seeds', values.seeds, 1);
  const limit = values.limit === undefined ? Number.MAX_SAFE_INTEGER : whole('limit', values.limit, 1);

  if (values.scenario !== undefined || (values.trace && count === 1)) {
    const total = scenarioCount(validators, views);
    const schedule =
      values.scenario === undefined
        ? sampledSchedule(validators, views, from)
        : scheduleOf(validators, views, whole('scenario', values.scenario, 0, total - 1));
    const print = values.trace ? (line: string) => void process.stderr.write(line) : undefined;
    const result = await playTwins(schedule, print);
    process.stdout.write(`${JSON.stringify({ schedule: describeSchedule(schedule), ...result })}\n`);
    return result.violations.length > 0 || result.stuck !== undefined ? 1 : 0;
  }
  if (count === undefined && scenarioCount(validators, views) > MAX_EXHAUSTIVE) {
    throw new UsageError(
      `${scenarioCount(validators, views)} scenarios are too many: take a sample, --seeds N`,
    );
  }
  const suite: Suite =
    count === undefined
      ? { kind: 'exhaustive', validators, views }
      : { kind: 'sample', validators, views, from, count };
  const { state } = values;
  const known = state !== undefined && existsSync(state) ? readState(state) : undefined;
  let savedAt = performance.now();
  const progress = await playSuite(suite, known, limit, (now) => {
    if (performance.now() - savedAt < SAVE_INTERVAL) return;
    savedAt = performance.now();
    if (state !== undefined) writeState(state, now);
    if (!values.json) process.stderr.write(`${now.run} of ${now.distinct}\n`);
  });
  if (state !== undefined) writeState(state, progress);
  process.stdout.write(
    `${JSON.stringify({ ...progress, milliseconds: Math.round(progress.milliseconds) })}\n`,
  );
  return progress.violations.length + progress.stuck.length > 0 ? 1 : 0;
}

function readState(file: string): Progress {
  return JSON.parse(readFileSync(file, 'utf8')) as Progress;
}

/** The old state or the new one, whatever happens meanwhile. */
function writeState(file: string, progress: Progress): void {
  const temporary = `${file}.tmp`;
  const handle = openSync(temporary, 'w');
  try {
    writeSync(handle, `${JSON.stringify(progress)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
}
