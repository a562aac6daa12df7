/**
 * `npm run chaos -- [--minutes M] [--seed S] [--nodes 4..7] [--patience P] [--plan] [--json]`: real nodes in network
 * namespaces, under load, go through storms of faults; docs/chaos.md says which, and what must hold. Status 0 if it held, 1 on a
 * finding, 2 for a wrong command line, 3 where it cannot run, 4 when it was interrupted. The course of the faults
 * follows from seed and number of nodes; `--plan` prints it and does nothing else.
 *
 * This process makes nothing but the hub namespace and the folder, has the run done by a child inside the hub, and
 * afterwards removes everything that carries its process id, whatever became of the child. What runs that were killed
 * have left is removed first.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { run } from './commands.ts';
import type { InsidePlan } from './inside.ts';
import { layout } from './net.ts';
import { missing } from './requirements.ts';
import { describeRound, LEAST_NODES, MOST_NODES, makeSchedule, nodesOf } from './schedule.ts';
import { folderPrefix, hubName, inNamespace, leftovers, removeTraces } from './traces.ts';
import type { Verdict } from './verdict.ts';

const STATUS = { held: 0, broken: 1, usage: 2, impossible: 3, interrupted: 4 } as const;

const OPTIONS = {
  minutes: { type: 'string', default: '5' },
  seed: { type: 'string' },
  nodes: { type: 'string' },
  patience: { type: 'string', default: '1' },
  plan: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(STATUS.usage);
}

function parsed() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const values = parsed();
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
if (!(minutes >= 1 && minutes <= 1_440)) fail('--minutes is a number from 1 to 1440');
if (!Number.isSafeInteger(seed) || seed < 0) fail('--seed is a whole number');
const patience = Number(values.patience);
if (!(patience >= 1 && patience <= 100)) fail('--patience is a number from 1 to 100');
const nodes = values.nodes === undefined ? nodesOf(seed) : Number(values.nodes);
if (!Number.isInteger(nodes) || nodes < LEAST_NODES || nodes > MOST_NODES)
  fail(`--nodes is a whole number from ${LEAST_NODES} to ${MOST_NODES}`);

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
const print = (value: object): Promise<void> =>
  new Promise((done) => {
    process.stdout.write(`${JSON.stringify(value)}\n`, () => done());
  });

/** Told to stop before there was a run to tell. */
let stopped = false;
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => {
    stopped = true;
  });

/** Starts the run in the hub and waits for its result. */
async function inside(plan: InsidePlan): Promise<Verdict | { error: string }> {
  const program = fileURLToPath(new URL('./inside.js', import.meta.url));
  const [enter = '', ...words] = [...inNamespace(hubName(plan.owner)), process.execPath, program];
  const child = spawn(enter, [...words, JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  child.stdin.on('error', () => {});
  let told = 0;
  const onSignal = (): void => {
    told += 1;
    child.kill(told === 1 ? 'SIGTERM' : 'SIGKILL');
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, onSignal);
  if (stopped) onSignal();
  const [out, [code, signal]] = await Promise.all([
    text(child.stdout),
    once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  const last = out.trim().split('\n').at(-1) ?? '';
  if (last === '') return { error: `the run ended without a result (${signal ?? `status ${code}`})` };
  return JSON.parse(last) as Verdict;
}

async function main(): Promise<number> {
  if (values.plan) {
    const schedule = makeSchedule(seed, nodes, minutes);
    if (values.json) await print(schedule);
    else process.stdout.write(`${schedule.rounds.flatMap(describeRound).join('\n')}\n`);
    return STATUS.held;
  }
  const lacking = await missing();
  if (lacking.length > 0) {
    say('chaos cannot run here; it needs:');
    for (const what of lacking) say(`  ${what}`);
    if (values.json) await print({ verdict: 'not run', missing: lacking });
    return STATUS.impossible;
  }
  for (const gone of await leftovers()) {
    say(`removing what the run of process ${gone} has left`);
    await removeTraces(gone);
  }
  const owner = process.pid;
  let kept: string | undefined;
  let result: Verdict | { error: string };
  try {
    await run('ip', ['netns', 'add', hubName(owner)]);
    const dir = await mkdtemp(folderPrefix(owner));
    say(
      `chaos: ${nodes} nodes, ${minutes} minutes, seed ${seed}; again with --seed ${seed} --nodes ${nodes}`,
    );
    result = await inside({ owner, dir, seed, nodes, minutes, patience });
    if ('error' in result || result.verdict === 'broken') {
      kept = join(tmpdir(), `kryder-chaos-found-${seed}-${basename(dir).split('-').at(-1)}`);
      const { ballast } = layout(dir);
      await cp(dir, kept, { recursive: true, filter: (path) => path !== ballast }).catch((error: Error) => {
        say(`not everything could be kept: ${error.message}`);
      });
    }
  } finally {
    await removeTraces(owner);
  }
  if ('error' in result) {
    say(`FOUND: ${result.error}; everything is kept in ${kept}`);
    if (values.json) await print({ seed, nodes, minutes, verdict: 'broken', wrong: [result.error] });
    return STATUS.broken;
  }
  for (const line of result.wrong) say(`FOUND: ${line}`);
  if (kept !== undefined) say(`everything is kept in ${kept}`);
  if (values.json) await print(result);
  else {
    const { faults, blocks, final, recoveryMs, verdict, durationMs } = result;
    const counted = Object.entries(faults).map(([kind, count]) => `${count} ${kind}`);
    process.stdout.write(
      `${verdict}: seed ${seed}, ${nodes} nodes, ${Math.round(durationMs / 1_000)} s; faults: ${counted.join(', ')}; ` +
        `${blocks} blocks, ${final} transactions final; after a storm blocks came again within ` +
        `${recoveryMs.blocks?.max} ms; lost ${result.lost}, disagreements ${result.disagreements}, ` +
        `gone back ${result.regressions}, supply errors ${result.supplyErrors}, signed twice ${result.doubleSigned}, ` +
        `stalls ${result.stalls}\n`,
    );
  }
  return STATUS[result.verdict as 'held' | 'broken' | 'interrupted'];
}

process.exit(
  await main().catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    return STATUS.broken;
  }),
);
