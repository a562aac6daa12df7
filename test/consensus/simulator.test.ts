import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FAIL_POINTS } from '../../src/storage/fail-points.ts';
import { addCounts } from '../simulator/counters.ts';
import { pinsOf, sizeOf } from '../simulator/facets.ts';
import { scenarioOf } from '../simulator/scenario.ts';
import { runScenario } from '../simulator/world.ts';

const SEEDS = 60;

interface Sample {
  readonly findings: string[];
  readonly faults: Record<string, number>;
  readonly missed: Record<string, number>;
  restarts: number;
}

async function play(seeds: Iterable<number>, scenario?: string): Promise<Sample> {
  const sample: Sample = { findings: [], faults: {}, missed: {}, restarts: 0 };
  for (const seed of seeds) {
    const result = await runScenario(scenarioOf(seed, scenario === undefined ? {} : pinsOf(scenario)));
    for (const what of result.violations) sample.findings.push(`seed ${seed} ${result.scenario}: ${what}`);
    if (result.stuck !== undefined) {
      sample.findings.push(`seed ${seed} ${result.scenario} is stuck: ${result.stuck}`);
    }
    if (!result.scenario.includes('above-a-third')) expect(result.views).toBeGreaterThanOrEqual(50);
    addCounts(sample.faults, result.faults);
    addCounts(sample.missed, result.missed);
    sample.restarts += result.restarts;
  }
  return sample;
}

const seeds = (count: number): number[] => Array.from({ length: count }, (_, seed) => seed);

async function command(...args: string[]): Promise<{ runs: number; traceHash: string }> {
  const { stdout } = await promisify(execFile)(process.execPath, ['dist/test/simulator/main.js', ...args]);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { runs: number; traceHash: string };
}

describe('the seeded simulator', () => {
  it(`finds no violation and no standstill in ${SEEDS} seeds`, async () => {
    const { findings, faults, missed, restarts } = await play(seeds(SEEDS));
    expect(findings).toEqual([]);
    // The seeds do reach what they are meant to reach.
    expect(restarts).toBeGreaterThan(SEEDS);
    expect(Object.keys(missed).sort()).toEqual([
      'build-failed',
      'certification-failed',
      'invalid-parent',
      'invalid-proposal',
      'leader-equivocated',
      'leader-nullified',
      'no-proposal',
      'no-verdict',
    ]);
    for (const fault of [
      'messages lost',
      'messages doubled',
      'messages slowed down',
      'partitions',
      'one-way partitions',
      'power lost',
      'processes killed',
      'everybody restarted at once',
      'disk full',
      'sync failed',
      'unsynced tail torn',
      'unsynced tail lost',
      'unsynced tail garbled',
      'runs with wrong clocks',
      'clock steps',
      'evidence found',
    ]) {
      expect(faults, fault).toHaveProperty(fault);
    }
  });

  it('lets a process die at every fail point of the journal and at every fsync', async () => {
    const { findings, faults } = await play(seeds(40), '4-equal/none/calm/fail-points/true-clocks');
    expect(findings).toEqual([]);
    const named = FAIL_POINTS.filter((point) => point.startsWith('journal.')).map((point) =>
      point.slice('journal.'.length).replace('-', ' '),
    );
    for (const point of [...named, 'before sync', 'before sync-directory', 'after sync-directory']) {
      expect(faults).toHaveProperty([`died ${point}`]);
    }
  });

  it('starts nobody over a journal that lost what was synced, and the others go on', async () => {
    const { findings, faults } = await play(seeds(6), '4-equal/none/calm/rot/true-clocks');
    expect(findings).toEqual([]);
    expect(faults['refused to start over a damaged journal']).toBeGreaterThan(2);
  });

  it('finds evidence against the guilty, and nobody else, where they break safety with more than a third', async () => {
    const { findings, faults } = await play(seeds(12), '4-equal/twins-above-a-third/calm/sound/true-clocks');
    expect(findings).toEqual([]);
    expect(faults['runs with broken safety, above a third']).toBeGreaterThan(0);
  });

  it('plays the same seed the same way, and so does the name of its scenario', async () => {
    for (const seed of [3, 7, 32]) {
      const scenario = scenarioOf(seed);
      const [first, second] = [await runScenario(scenario), await runScenario(scenario)];
      expect(second).toEqual(first);
      expect(scenarioOf(seed, pinsOf(scenario.name))).toEqual(scenario);
    }
    const hashes = await Promise.all(
      [1, 2].map(async (seed) => (await runScenario(scenarioOf(seed))).traceHash),
    );
    expect(new Set(hashes).size).toBe(2);
  });

  it('comes to the same end with one thread, with two, and after a stop', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kryder-sim-'));
    try {
      const state = ['--state', join(directory, 'state.json')];
      const whole = await command('--seeds', '6', '--jobs', '1');
      expect(whole.runs).toBe(6);
      expect((await command('--seeds', '6', '--jobs', '2')).traceHash).toBe(whole.traceHash);
      expect((await command('--seeds', '2', '--jobs', '1', ...state)).runs).toBe(2);
      expect((await command('--seeds', '6', '--jobs', '1', ...state)).traceHash).toBe(whole.traceHash);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('deals out committees and signature schemes as it should', () => {
    const sizes: Record<string, number> = {};
    let real = 0;
    for (let seed = 70_000; seed < 80_000; seed++) {
      addCounts(sizes, { [sizeOf(seed)]: 1 });
      if (scenarioOf(seed).scheme === 'ed25519') real++;
    }
    expect(sizes).toEqual({ small: 8_490, ten: 1_300, large: 200, smoke: 10 });
    expect(real).toBe(100);
  });

  it('holds just under a third of the stake with its adversaries, or just above', () => {
    for (let seed = 0; seed < 2_000; seed++) {
      const { stakes, guilty, accomplices, adversary, excess, rot } = scenarioOf(seed);
      const total = stakes.reduce((sum, stake) => sum + stake, 0);
      const dishonest = adversary === 'none' ? [] : [guilty, ...accomplices];
      const lost = rot === undefined ? [] : [rot.node];
      const faulty = new Set([...dishonest, ...lost]);
      const held = [...faulty].reduce((sum, index) => sum + stakes[index]!, 0);
      expect(faulty.size).toBe(dishonest.length + lost.length);
      if (excess) expect(3 * held > total && 3 * held < 2 * total).toBe(true);
      else expect(3 * held).toBeLessThan(total);
    }
  });
});
