/**
 * `sim --mutants [--only WORDS] [--runs N] [--jobs N] [--json]`: plays runs 0, 1, 2 … against every broken variant until
 * one of them finds it out, at most N (400) of each, in child processes. Tells for each which invariant caught it and
 * after how many runs. Exit status 0 only if all were caught and every patch still applies.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { MUTANTS } from './families/all.ts';
import type { Mutant, Run } from './mutant.ts';
import { loadVariant } from './variant.ts';

const MOST_RUNS = 400;

interface Row {
  readonly name: string;
  /** Null for a survivor. */
  readonly runsUntilCaught: number | null;
  /** Null for a survivor, unless it could not be judged: then it says why. */
  readonly invariant: string | null;
  readonly trial: string;
  readonly detail?: string;
}

/** Plays the trial of a variant, from run 0. */
export async function judge(mutant: Mutant, runs = MOST_RUNS): Promise<Row> {
  const { name, trial, patches, scenario } = mutant;
  const { run } = await loadVariant<{ run: Run }>(`simulator/mutants/trials/${trial}.ts`, patches);
  for (let seed = 0; seed < runs; seed++) {
    const found = await run(seed, scenario ?? {});
    if (found === undefined) continue;
    return { name, runsUntilCaught: seed + 1, invariant: found.invariant, trial, detail: found.detail };
  }
  return { name, runsUntilCaught: null, invariant: null, trial };
}

/** One variant in a process of its own, which ends with it. */
function judgeInChild({ name, trial }: Mutant, runs: number): Promise<Row> {
  return new Promise((resolve) => {
    const child = fork(process.argv[1]!, ['--mutants', '--only', name, '--runs', `${runs}`], {
      silent: true,
    });
    const lost = (why: string): void => resolve({ name, trial, runsUntilCaught: null, invariant: why });
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-2_000);
    });
    child.on('message', (row) => resolve(row as Row));
    child.on('error', (error) => lost(error.message));
    child.on('exit', (code, signal) =>
      lost(`not judged: the process ended with ${signal ?? code}. ${errors.trim()}`),
    );
  });
}

/** `arguments_` as in the process's, without its first two. Returns the exit status. */
export async function runMutants(arguments_: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...arguments_],
    options: {
      mutants: { type: 'boolean' },
      only: { type: 'string' },
      runs: { type: 'string', default: `${MOST_RUNS}` },
      jobs: { type: 'string', default: `${availableParallelism()}` },
      json: { type: 'boolean', default: false },
    },
  });
  const [runs, jobs] = [Number(values.runs), Number(values.jobs)];
  if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(jobs) || jobs < 1) {
    process.stderr.write('--runs and --jobs are whole numbers from 1\n');
    return 2;
  }
  const { only = '' } = values;
  const exact = MUTANTS.filter(({ name }) => name === only);
  const chosen = exact.length > 0 ? exact : MUTANTS.filter(({ name }) => name.includes(only));
  if (chosen.length === 0) {
    process.stderr.write(`there is no variant "${only}"\n`);
    return 2;
  }
  if (process.send !== undefined) {
    process.send(await judge(chosen[0]!, runs));
    return 0;
  }
  const rows = new Map<string, Row>();
  const waiting = [...chosen];
  await Promise.all(
    Array.from({ length: Math.min(jobs, chosen.length) }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const row = await judgeInChild(next, runs);
        rows.set(next.name, row);
        const outcome =
          row.runsUntilCaught === null
            ? `SURVIVED ${row.invariant ?? `${runs} runs`}`
            : `run ${row.runsUntilCaught}: ${row.invariant}`;
        process.stderr.write(`${rows.size}/${chosen.length} [${row.trial}] ${row.name}: ${outcome}\n`);
      }
    }),
  );
  const ordered = chosen.map(({ name }) => rows.get(name)!);
  const survivors = ordered.filter(({ runsUntilCaught }) => runsUntilCaught === null).map(({ name }) => name);
  const total = ordered.length;
  if (values.json) {
    const summary = { total, killed: total - survivors.length, survivors, rows: ordered };
    process.stdout.write(`${JSON.stringify(summary)}\n`);
  } else {
    // As the rows of the table in docs/consensus.md.
    for (const { name, invariant, trial, runsUntilCaught } of ordered) {
      process.stdout.write(
        `| ${name} | ${invariant ?? 'survived'} | ${trial} | ${runsUntilCaught ?? '–'} |\n`,
      );
    }
    process.stdout.write(`${total - survivors.length} of ${total} caught\n`);
  }
  return survivors.length > 0 ? 1 : 0;
}
