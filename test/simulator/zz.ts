import { loadVariant, MUTANTS } from './mutants.ts';
const only = process.argv[2];
for (const m of MUTANTS) {
  if (only && !m.name.includes(only)) continue;
  const run = await loadVariant(m.patches);
  const t = Date.now(); let hits = 0, first = -1, what = '';
  for (let s = 0; s < 60; s++) { 
    const r = await run(s); 
    if (r.violations.length || r.stuck) { hits++; if (first < 0) { first = s; what = r.violations[0] ?? 'stuck ' + r.stuck; } }
    if (Date.now() - t > 60000) { what += ` (stopped at ${s})`; break; }
  }
  console.log(`${m.name}: first ${first}, ${hits}/60, ${Date.now() - t} ms: ${what}`);
}
