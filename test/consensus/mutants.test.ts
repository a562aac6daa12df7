import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from '../simulator/mutants/families/all.ts';
import type { Run, Trial } from '../simulator/mutants/mutant.ts';
import { judge } from '../simulator/mutants/run.ts';
import { loadVariant } from '../simulator/mutants/variant.ts';

/** All of them are judged by test/long/mutants.test.ts. */
const SAMPLE = MUTANTS.filter((_, at) => at % 6 === 0);
const TRIALS: readonly (readonly [Trial, number])[] = [
  ['simulator', 3],
  ['machine', 20],
  ['driver', 5],
  ['journal', 8],
  ['bodies', 20],
];

describe('broken variants', () => {
  it('are many, have names of their own, and differ from each other', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(30);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(new Set(MUTANTS.map(({ patches }) => JSON.stringify(patches))).size).toBe(MUTANTS.length);
  });

  it('have patches that fit in one place each, and change something', async () => {
    for (const { name, patches } of MUTANTS) {
      for (const { file, find, replace } of patches) {
        const source = await readFile(new URL(`../../src/${file}`, import.meta.url), 'utf8');
        expect(source.split(find).length - 1, `${name}: ${find}`).toBe(1);
        expect(replace).not.toBe(find);
      }
    }
  });

  it('fail to load where a patch does not fit, fits twice, or is of a file that is not there', async () => {
    const trial = 'simulator/mutants/trials/machine.ts';
    const load = (file: string, find: string) => loadVariant(trial, [{ file, find, replace: '' }]);
    await expect(load('consensus/engine.ts', 'what is not there')).rejects.toThrow('fits in 0 places');
    await expect(load('consensus/engine.ts', 'return')).rejects.toThrow(/fits in \d+ places/);
    await expect(load('consensus/signer.ts', 'export class Signer')).rejects.toThrow('does not contain');
  });

  it.each(TRIALS)('the trial "%s" finds nothing in the production source', async (trial, runs) => {
    const { run } = await loadVariant<{ run: Run }>(`simulator/mutants/trials/${trial}.ts`, []);
    for (let seed = 1_000; seed < 1_000 + runs; seed++) expect(await run(seed, {})).toBeUndefined();
  });

  it.each(SAMPLE)('are caught: $name', async (mutant) => {
    expect(await judge(mutant, 60)).toMatchObject({ runsUntilCaught: expect.any(Number) });
  });

  it('are those of docs/consensus.md', async () => {
    const page = await readFile(new URL('../../docs/consensus.md', import.meta.url), 'utf8');
    const rows = page
      .split('\n')
      .filter((line) => /^\| .* \| .* \| (machine|simulator|driver|journal|bodies) \|/.test(line));
    expect(rows.map((line) => line.split(' | ')[0]!.slice(2))).toEqual(MUTANTS.map(({ name }) => name));
  });
});
