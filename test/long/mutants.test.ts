/** Every broken variant, judged; docs/consensus.md says which invariant catches it. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { MUTANTS } from '../simulator/mutants/families/all.ts';
import { judge } from '../simulator/mutants/run.ts';

const page = await readFile(new URL('../../docs/consensus.md', import.meta.url), 'utf8');

it.each(MUTANTS)('$name', async (mutant) => {
  const { runsUntilCaught, invariant, trial } = await judge(mutant);
  expect(runsUntilCaught).not.toBeNull();
  expect(page).toContain(`| ${mutant.name} | ${invariant} | ${trial} | ${runsUntilCaught} |\n`);
});
