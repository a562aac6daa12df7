/**
 * `main --seeds N [--from S] [--json] [--trace]`: plays seeds S … S+N−1 and tells what went wrong. Exit
 * status 0 only if nothing did.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { scenarioOf } from './scenario.ts';
import { twinsCommand } from './twins/run.ts';
import { runScenario } from './world.ts';

if (process.argv.includes('--twins')) process.exit(await twinsCommand(process.argv.slice(2)));

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
});
const [count, from] = [Number(values.seeds), Number(values.from)];
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(from) || from < 0) {
  process.stderr.write('--seeds and --from are whole numbers\n');
  process.exit(2);
}

const violations: { seed: number; what: string }[] = [];
const stuck: { seed: number; what: string }[] = [];
const hash = createHash('sha256');
const missed: Record<string, number> = {};
let finalizations = 0;
let restarts = 0;
for (let seed = from; seed < from + count; seed++) {
  const print = values.trace ? (line: string) => void process.stderr.write(line) : undefined;
  const result = await runScenario(scenarioOf(seed), print);
  finalizations += result.finalizations;
  restarts += result.restarts;
  for (const [reason, times] of Object.entries(result.missed)) missed[reason] = (missed[reason] ?? 0) + times;
  for (const what of result.violations) violations.push({ seed, what });
  if (result.stuck !== undefined) stuck.push({ seed, what: result.stuck });
  hash.update(result.traceHash);
  if (!values.json && (result.violations.length > 0 || result.stuck !== undefined)) {
    process.stdout.write(`seed ${seed}: ${[...result.violations, result.stuck ?? ''].join('\n  ')}\n`);
  }
}
const summary = {
  runs: count,
  finalizations,
  restarts,
  missed,
  violations,
  stuck,
  traceHash: hash.digest('hex'),
};
process.stdout.write(`${JSON.stringify(summary)}\n`);
process.exit(violations.length + stuck.length > 0 ? 1 : 0);
