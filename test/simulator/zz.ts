import { loadVariant, MUTANTS } from './mutants.ts';

const only = process.argv[2]!;
const from = Number(process.argv[3] ?? 0),
  to = Number(process.argv[4] ?? 10);
for (const m of MUTANTS) {
  if (!m.name.includes(only)) continue;
  const run = await loadVariant(m);
  let t = Date.now(),
    hits = 0,
    first = -1,
    what = '';
  for (let s = from; s < to; s++) {
    const r = await run(s);
    if (r.violations.length || r.stuck) {
      hits++;
      if (first < 0) {
        first = s;
        what = r.violations[0] ?? 'stuck ' + r.stuck;
      }
    }
  }
  console.log(`${m.name}: first ${first}, ${hits}, ${Date.now() - t} ms: ${what}`);
}
