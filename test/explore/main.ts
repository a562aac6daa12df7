/**
 * `npm run explore -- --states N --minutes M --json`: explores the small instance (four validators, one of them
 * Byzantine, loss, delay, crash and recovery) for every leader schedule of the given number of views, symmetric
 * ones once. Schedules take turns with what is left of the budget, so that small ones leave theirs to large ones.
 *
 *     --views V         1 to 3, default 3
 *     --leaders 3,0,3   this schedule only; 3 is the Byzantine validator
 *     --crashes C       how often each honest validator may crash, default 1
 *     --poison          the Byzantine leader may also propose a block that fails in execution
 *     --no-durable      the application's database never writes anything
 *
 * Nothing is kept between calls: what is not complete says how far it came (`depth`, `frontier`). Exit status 1 on
 * a violation, 2 on wrong arguments.
 */
import { parseArgs } from 'node:util';
import { installHashBackend } from '../../src/codec/hash.ts';
import { nodeHashBackend } from '../../src/node/hash.ts';
import { BYZANTINE, Instance } from './instance.ts';
import { type Outcome, Search } from './search.ts';

/** All schedules, those that differ by the names of honest validators once. */
function schedules(views: number): number[][] {
  if (views === 0) return [[]];
  return schedules(views - 1).flatMap((shorter) => {
    const honest = new Set(shorter.filter((leader) => leader !== BYZANTINE)).size;
    const next = Array.from({ length: Math.min(honest + 1, 3) }, (_, leader) => leader);
    return [...next, BYZANTINE].map((leader) => [...shorter, leader]);
  });
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most) {
    fail(`--${name} is a whole number of ${least} to ${most}, not ${text}`);
  }
  return value;
}

const { values } = parseArgs({
  options: {
    states: { type: 'string', default: '20000000' },
    minutes: { type: 'string', default: '60' },
    views: { type: 'string', default: '3' },
    leaders: { type: 'string' },
    crashes: { type: 'string', default: '1' },
    poison: { type: 'boolean', default: false },
    'no-durable': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const budget = whole('states', values.states, 1, 2 ** 30);
const minutes = Number(values.minutes);
if (!(minutes > 0 && minutes <= 24 * 60)) fail(`--minutes is a number of up to 1440, not ${values.minutes}`);
const views = whole('views', values.views, 1, 3);
const crashes = whole('crashes', values.crashes, 0, 3);
const given = values.leaders?.split(',').map((text) => whole('leaders', text, 0, BYZANTINE));
if (given !== undefined && given.length > 3) fail('--leaders names the leaders of one to three views');
installHashBackend(nodeHashBackend());

interface Row extends Outcome {
  readonly leaders: readonly number[];
  readonly blocks: number;
}

const todo = given === undefined ? schedules(views) : [given];
const rows: Row[] = [];
const deadline = performance.now() + minutes * 60_000;
let statesLeft = budget;
for (const [at, leaders] of todo.entries()) {
  const turns = todo.length - at;
  const instance = new Instance({
    ...{ leaders, variants: [2, 1, 1], poison: values.poison, crashes, durable: !values['no-durable'] },
    ...{ commits: 'at-once', deliveries: 'certificates', early: false },
  });
  const outcome = new Search(instance).run({
    states: Math.max(1, Math.floor(statesLeft / turns)),
    time: Math.max(0, deadline - performance.now()) / turns,
  });
  statesLeft -= outcome.states;
  rows.push({ leaders, blocks: instance.blocks.length, ...outcome });
  if (!values.json) {
    const { complete, states, depth, frontier, localStates } = outcome;
    const cut = complete ? 'complete' : `cut, ${frontier} states not gone on from`;
    process.stdout.write(`${leaders}: ${states} states, ${depth} votes deep, ${localStates} local; ${cut}\n`);
    for (const { what, trace } of outcome.violations) {
      process.stdout.write(`  ${what.join('; ')}\n    ${trace.join('\n    ')}\n`);
    }
  }
}
const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
const violations = rows.flatMap(({ leaders, violations: found }) =>
  found.map((one) => ({ leaders, ...one })),
);
const summary = {
  schedules: rows.length,
  complete: rows.filter(({ complete }) => complete).length,
  states: sum(({ states }) => states),
  transitions: sum(({ transitions }) => transitions),
  localStates: sum(({ localStates }) => localStates),
  steps: sum(({ steps }) => steps),
  frontier: sum(({ frontier }) => frontier),
  maxDepth: Math.max(...rows.map(({ depth }) => depth)),
  milliseconds: sum(({ milliseconds }) => milliseconds),
  memoryMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
  violations,
};
const details = rows.map(({ violations: _, ...row }) => row);
process.stdout.write(`${JSON.stringify(values.json ? { ...summary, rows: details } : summary)}\n`);
process.exit(violations.length > 0 ? 1 : 0);
