import { describe, expect, it } from 'vitest';
import { scenarioOf } from '../simulator/scenario.ts';
import { runScenario } from '../simulator/world.ts';

const SEEDS = 150;

describe('the seeded simulator', () => {
  it(`finds no violation and no standstill in ${SEEDS} seeds`, async () => {
    const findings: string[] = [];
    let restarts = 0;
    const missed = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed++) {
      const result = await runScenario(scenarioOf(seed));
      for (const what of result.violations) findings.push(`seed ${seed}: ${what}`);
      if (result.stuck !== undefined) findings.push(`seed ${seed} is stuck: ${result.stuck}`);
      restarts += result.restarts;
      for (const reason of Object.keys(result.missed)) missed.add(reason);
    }
    expect(findings).toEqual([]);
    // The seeds do reach what they are meant to reach.
    expect(restarts).toBeGreaterThan(SEEDS);
    expect([...missed].sort()).toEqual([
      'build-failed',
      'certification-failed',
      'invalid-parent',
      'leader-equivocated',
      'leader-nullified',
      'no-proposal',
      'no-verdict',
    ]);
  });

  it('plays the same seed the same way', async () => {
    for (const seed of [3, 7, 32]) {
      const scenario = scenarioOf(seed);
      const [first, second] = [await runScenario(scenario), await runScenario(scenario)];
      expect(second).toEqual(first);
    }
    const hashes = await Promise.all(
      [1, 2].map(async (seed) => (await runScenario(scenarioOf(seed))).traceHash),
    );
    expect(new Set(hashes).size).toBe(2);
  });

  it('uses real Ed25519 in some seeds', () => {
    const schemes = Array.from({ length: SEEDS }, (_, seed) => scenarioOf(seed).scheme);
    expect(schemes.filter((scheme) => scheme === 'ed25519').length).toBe(6);
  });
});
