import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';

const setOf = (...stakes: bigint[]) =>
  createValidatorSet(
    0,
    sha256(utf8('leader seed')),
    stakes.map((stake, index) => ({ publicKey: sha256(utf8(`validator ${index}`)), stake })),
  );

describe('leaders', () => {
  it('are drawn in proportion to stake', () => {
    const set = setOf(50n, 30n, 15n, 5n);
    const led = [0, 0, 0, 0];
    const views = 20_000;
    for (let view = 1; view <= views; view++) led[leaderOf(set, view)]! += 1;
    led.forEach((count, index) => {
      const share = Number(set.validators[index]!.stake) / 100;
      // Five standard deviations: the draw is deterministic, so this holds for ever or never.
      expect(Math.abs(count - views * share)).toBeLessThan(5 * Math.sqrt(views * share * (1 - share)));
    });
  });

  it('draw again where a remainder would be biased', () => {
    // 2^64 is 2.5 times the total: without a second draw the first validator would lead 60 % of the views.
    const half = (1n << 64n) / 5n;
    const set = setOf(half, half);
    let first = 0;
    for (let view = 1; view <= 4_000; view++) if (leaderOf(set, view) === 0) first++;
    expect(Math.abs(first - 2_000)).toBeLessThan(160);
  });

  it('are the ones of the test vector', () => {
    const set = setOf(50n, 30n, 15n, 5n);
    expect(toHex(set.seed)).toBe(toHex(sha256(utf8('leader seed'))));
    const leaders = [1, 2, 3, 4, 5, 6, 7, 8, 1_000_000, 2 ** 52].map((view) => leaderOf(set, view));
    expect(leaders).toMatchInlineSnapshot(`
      [
        0,
        1,
        0,
        0,
        0,
        0,
        1,
        2,
        0,
        0,
      ]
    `);
  });
});
