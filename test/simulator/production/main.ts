/**
 * `npm run sim:production -- --seeds N [--from S] [--trace] [--json]`: plays seeds S … S+N−1 around the production
 * block application and tells what went wrong. Exit status 0 only if nothing did.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { installNodeHash } from '../../../src/node/hash.ts';
import { runProduction } from './run.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
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
installNodeHash();

const hash = createHash('sha256');
const sums = { blocks: 0, transactions: 0, recounts: 0 };
const deaths: Record<string, number> = {};
const violations: { seed: number; what: string; replay: string }[] = [];
const stuck: { seed: number; what: string; replay: string }[] = [];
for (let seed = from; seed < from + count; seed++) {
  const result = await runProduction(
    seed,
    values.trace ? { print: (line) => void process.stderr.write(line) } : {},
  );
  const replay = `npm run sim:production -- --seeds 1 --from ${seed} --trace`;
  for (const what of result.violations) violations.push({ seed, what, replay });
  if (result.stuck !== undefined) stuck.push({ seed, what: result.stuck, replay });
  sums.blocks += result.blocks;
  sums.transactions += result.transactions;
  sums.recounts += result.recounts;
  for (const [where, times] of Object.entries(result.deaths)) deaths[where] = (deaths[where] ?? 0) + times;
  hash.update(result.traceHash);
  if (!values.json) {
    const trouble = [...result.violations, result.stuck ?? ''].join('\n  ');
    process.stdout.write(
      `seed ${seed}: ${result.blocks} blocks, ${result.transactions} transactions ${trouble}\n`,
    );
  }
}
process.stdout.write(
  `${JSON.stringify({ runs: count, ...sums, deaths, violations, stuck, traceHash: hash.digest('hex') })}\n`,
);
process.exit(violations.length + stuck.length > 0 ? 1 : 0);
