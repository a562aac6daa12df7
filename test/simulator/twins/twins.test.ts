import { describe, expect, it } from 'vitest';
import { leaderOf } from '../../../src/consensus/leader.ts';
import { createValidatorSet } from '../../../src/consensus/validator-set.ts';
import { patch } from '../mutants/mutant.ts';
import { loadVariant } from '../mutants/variant.ts';
import { keyedHashScheme } from '../scheme.ts';
import { withLeaders } from './leaders.ts';
import { playTwins } from './play.ts';
import { describeSchedule, distinctScenarios, scenarioCount, scheduleOf } from './schedule.ts';
import { type Progress, playSuite, type Suite } from './suite.ts';

const ALL = Number.MAX_SAFE_INTEGER;
const timeless = ({ milliseconds: _, ...progress }: Progress): unknown => progress;

describe('the scenarios of the twins', () => {
  it('are 262,144, and 25,740 without symmetric ones', () => {
    expect(scenarioCount(4, 3)).toBe(262_144);
    // Burnside's lemma over the 12 renamings, by the choices of one view that each leaves alone.
    const burnside = (views: number): number =>
      (64 ** views + 3 * 16 ** views + 2 * 4 ** views + 32 ** views + 3 * 8 ** views + 2 * 2 ** views) / 12;
    for (const views of [1, 2, 3]) expect(distinctScenarios(4, views).length).toBe(burnside(views));
    expect(burnside(3)).toBe(25_740);
  });

  it('name leaders that the production draw then names', () => {
    const validators = keyedHashScheme(4, 'twins').keys.map(({ publicKey }) => ({ publicKey, stake: 1n }));
    const set = createValidatorSet(0, new Uint8Array(32), validators);
    for (const leaders of [[3, 3, 3], [0, 1, 2, 3], [2]]) {
      const found = withLeaders(set, leaders);
      expect(leaders.map((_, at) => leaderOf(found, at + 1))).toEqual(leaders);
    }
    expect(() => withLeaders(set, [4])).toThrow(RangeError);
  });

  it('read as leader and sides', () => {
    expect(describeSchedule(scheduleOf(4, 2, 3 + 4 * 12 + 64 * 1))).toBe('3 | 0 1 2 / 3 4; 1 | 0 1 2 3 4 / ');
  });
});

describe('twins', () => {
  it('break nothing in one view of four validators, whether played at once or in parts', async () => {
    const suite: Suite = { kind: 'exhaustive', validators: 4, views: 1 };
    const whole = await playSuite(suite, undefined, ALL, () => undefined);
    expect(whole).toMatchObject({ distinct: 15, run: 15, violations: [], stuck: [] });
    const half = await playSuite(suite, undefined, 7, () => undefined);
    expect(half.run).toBe(7);
    const rest = await playSuite(suite, JSON.parse(JSON.stringify(half)) as Progress, ALL, () => undefined);
    expect(timeless(rest)).toEqual(timeless(whole));
    await expect(playSuite({ ...suite, views: 2 }, half, ALL, () => undefined)).rejects.toThrow(
      'another suite',
    );
  });

  it('break nothing in every 650th scenario of three views', async () => {
    const findings: unknown[] = [];
    const sum = { finalBeforeHealing: 0, stalls: 0, equivocations: 0 };
    const scenarios = distinctScenarios(4, 3).filter((_, at) => at % 650 === 0);
    for (const scenario of scenarios) {
      const result = await playTwins(scheduleOf(4, 3, scenario));
      if (result.violations.length > 0 || result.stuck !== undefined) findings.push({ scenario, ...result });
      sum.finalBeforeHealing += Math.min(1, result.healedHeight);
      sum.stalls += result.stalls;
      sum.equivocations += result.equivocations;
    }
    expect(scenarios.length).toBe(40);
    expect(findings).toEqual([]);
    // They do reach what they are meant to reach.
    expect(Math.min(sum.finalBeforeHealing, sum.stalls, sum.equivocations)).toBeGreaterThan(5);
  });

  it.each([
    [7, 10],
    [10, 5],
  ])('break nothing in a sample of four views of %i validators', async (validators, count) => {
    const suite: Suite = { kind: 'sample', validators, views: 4, from: 0, count };
    const progress = await playSuite(suite, undefined, ALL, () => undefined);
    expect(progress).toMatchObject({ run: count, violations: [], stuck: [] });
  });

  it('break a variant in which half of the stake is a quorum', async () => {
    const broken = await loadVariant<{ playTwins: typeof playTwins }>('simulator/twins/play.ts', [
      patch('validator-set.ts', '3n * stake > 2n * totalStake', '2n * stake >= totalStake'),
    ]);
    const found: string[] = [];
    for (const scenario of distinctScenarios(4, 1)) {
      found.push(...(await broken.playTwins(scheduleOf(4, 1, scenario))).violations);
    }
    expect(found).not.toEqual([]);
  });
});
