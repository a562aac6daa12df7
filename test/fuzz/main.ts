/**
 * `npm run fuzz -- --seconds N --seed S [--only NAME] [--keep] --json`: takes turns with all targets until the time
 * is over. `--replay FILE.hex --only NAME` plays one input. Exit status 0 only if nothing was found; a finding is
 * printed with its shrunken input and how to play it again, and written to the corpus with `--keep`.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { fromHex, toHex } from '../../src/codec/bytes.ts';
import { installHashBackend } from '../../src/codec/hash.ts';
import { nodeHashBackend } from '../../src/node/hash.ts';
import { keep, readCorpus } from './corpus.ts';
import { describe, emptyTally, type Finding, piecesOf, round, type Tally } from './run.ts';
import type { Target } from './target.ts';
import { allTargets } from './targets.ts';

/** Inputs between two looks at the clock: of targets that ask a disk or a socket for each, and of the others. */
const DEAR_RUNS = 25;
const RUNS = 400;
const SHORTEST_TURN_MS = 200;
const LONGEST_TURN_MS = 5_000;
const PROGRESS_MS = 5_000;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    replay: { type: 'string' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function end(message: string, status = 2): never {
  process.stderr.write(`${message}\n`);
  process.exit(status);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : end(`--${name} is a whole number`);
}

if (values.help) {
  process.stdout.write(
    'npm run fuzz -- [--seconds 60] [--seed 1] [--only NAME] [--keep] [--json]\nnpm run fuzz -- --only NAME --replay FILE.hex\n',
  );
  process.exit(0);
}
const seconds = whole('seconds', values.seconds);
const seed = whole('seed', values.seed);
installHashBackend(nodeHashBackend());

const everything = await allTargets();
const pieces = piecesOf(everything);
const targets = everything.filter(({ name }) => values.only === undefined || name === values.only);
if (targets.length === 0)
  end(`there is no target "${values.only}"; there are: ${everything.map(({ name }) => name).join(' ')}`);

async function replay(target: Target, file: string): Promise<number> {
  const input = fromHex((await readFile(file, 'utf8')).replace(/\s/g, ''));
  try {
    process.stdout.write(`${JSON.stringify({ target: target.name, outcome: await target.run(input) })}\n`);
    return 0;
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ target: target.name, finding: describe(error) })}\n`);
    return 1;
  }
}

/** What once failed comes first. */
async function playCorpus(tallies: ReadonlyMap<string, Tally>): Promise<void> {
  for (const { target: name, input } of await readCorpus()) {
    const target = targets.find((one) => one.name === name);
    const tally = tallies.get(name);
    if (target === undefined || tally === undefined || tally.finding !== undefined) continue;
    try {
      await target.run(input);
    } catch (error) {
      tally.finding = { target: name, seed, input, what: describe(error), shrinks: 0 };
    }
  }
}

/** Rounds of one target until its turn is over; each round has a seed of its own that depends on nothing else. */
async function turn(target: Target, tally: Tally, first: number, ms: number): Promise<number> {
  const until = performance.now() + ms;
  let at = first;
  do {
    const runs = target.dear === true ? DEAR_RUNS : RUNS;
    await round(target, tally, { seed: (seed * 1_000_003 + at++) % 0x7fff_ffff, runs, pieces, timed: true });
  } while (performance.now() < until && tally.finding === undefined);
  return at;
}

async function fuzz(tallies: ReadonlyMap<string, Tally>, endAt: number): Promise<void> {
  const rounds = new Map<string, number>();
  let told = performance.now();
  for (let turns = 1; performance.now() < endAt; turns++) {
    const running = targets.filter(({ name }) => tallies.get(name)!.finding === undefined);
    if (running.length === 0) return;
    const share = Math.min(
      LONGEST_TURN_MS,
      Math.max(SHORTEST_TURN_MS, (1_000 * seconds) / running.length / 4),
    );
    for (const target of running) {
      const left = endAt - performance.now();
      if (left <= 0) return;
      const tally = tallies.get(target.name)!;
      rounds.set(target.name, await turn(target, tally, rounds.get(target.name) ?? 0, Math.min(left, share)));
      if (tally.finding !== undefined)
        process.stderr.write(`FOUND ${target.name}: ${tally.finding.what.split('\n')[0]}\n`);
      if (performance.now() - told < PROGRESS_MS) continue;
      told = performance.now();
      const executions = [...tallies.values()].reduce((sum, one) => sum + one.executions, 0);
      const found = [...tallies.values()].filter((one) => one.finding !== undefined).length;
      process.stderr.write(
        `${Math.round((endAt - told) / 1_000)} s left, turn ${turns}, ${executions} executions, ${found} findings\n`,
      );
    }
  }
}

async function told(finding: Finding): Promise<Record<string, unknown>> {
  const { target, input, what, shrinks } = finding;
  const file = values.keep ? await keep(target, input) : undefined;
  const by = file ?? 'FILE.hex';
  return {
    ...{ target, seed: finding.seed, what, input: toHex(input), shrinks, file },
    replay: `npm run fuzz -- --only ${target} --replay ${by}`,
  };
}

const rate = (tally: Tally): number =>
  tally.ms === 0 ? 0 : Math.round((1_000 * tally.executions) / tally.ms);

if (values.replay !== undefined) {
  if (values.only === undefined) end('--replay needs --only NAME');
  process.exit(await replay(targets[0]!, values.replay));
}
const tallies = new Map(targets.map((target) => [target.name, emptyTally(target)]));
const began = performance.now();
await playCorpus(tallies);
await fuzz(tallies, began + 1_000 * seconds);
const tookMs = performance.now() - began;
for (const target of targets) await target.close?.();

const findings: Record<string, unknown>[] = [];
for (const { finding } of tallies.values()) if (finding !== undefined) findings.push(await told(finding));
const executions = [...tallies.values()].reduce((sum, tally) => sum + tally.executions, 0);
const rows = [...tallies.values()].map((tally) => ({
  target: tally.target,
  executions: tally.executions,
  perSecond: rate(tally),
  slowestMs: Math.round(tally.slowest.ms),
  outcomes: Object.fromEntries([...tally.outcomes].sort(([, a], [, b]) => b - a)),
}));
if (!values.json) {
  for (const { target, executions: count, perSecond, slowestMs, outcomes } of rows) {
    const taken = outcomes.taken ?? 0;
    process.stdout.write(
      `${target.padEnd(28)} ${String(count).padStart(9)} ${String(perSecond).padStart(7)}/s  taken ${taken}, slowest ${slowestMs} ms\n`,
    );
  }
  for (const finding of findings) process.stdout.write(`\n${JSON.stringify(finding, null, 2)}\n`);
}
process.stdout.write(
  `${JSON.stringify({
    ...{
      seed,
      seconds: Math.round(tookMs / 1_000),
      executions,
      perSecond: Math.round((1_000 * executions) / tookMs),
    },
    ...(values.json ? { targets: rows, findings } : { findings: findings.length }),
  })}\n`,
);
process.exit(findings.length > 0 ? 1 : 0);
