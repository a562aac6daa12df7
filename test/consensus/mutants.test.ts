import { describe, expect, it } from 'vitest';
import { loadVariant, MUTANTS } from '../simulator/mutants.ts';

const SEEDS = 60;

async function findings(run: Awaited<ReturnType<typeof loadVariant>>, seeds: number): Promise<string[]> {
  for (let seed = 0; seed < seeds; seed++) {
    const { violations, stuck } = await run(seed);
    if (violations.length > 0 || stuck !== undefined) return [`seed ${seed}`, ...violations, stuck ?? ''];
  }
  return [];
}

describe('the simulator catches broken variants', () => {
  it('finds nothing in the bundled production source', async () => {
    expect(await findings(await loadVariant({ patches: [] }), 5)).toEqual([]);
  });

  it.each(MUTANTS)('$name', async (mutant) => {
    const found = await findings(await loadVariant(mutant), SEEDS);
    expect(found).not.toEqual([]);
  });
});
