/** Long work in short turns. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { eachInTurns, mapInTurns } from '../../src/system/turns.ts';

const busy = (ms: number): void => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

it('keeps the order, and everything else has its turns meanwhile', async () => {
  let others = 0;
  let done = false;
  const work = mapInTurns(
    Array.from({ length: 320 }, (_, i) => i),
    (item, i) => {
      busy(0.5);
      return [item, i];
    },
  ).finally(() => {
    done = true;
  });
  while (!done) {
    others++;
    await turn();
  }
  expect(await work).toEqual(Array.from({ length: 320 }, (_, i) => [i, i]));
  // 20 looks at the clock, each of which finds that a turn is over
  expect(others).toBeGreaterThanOrEqual(19);
});

it('what is thrown ends it', async () => {
  const seen: number[] = [];
  const work = eachInTurns([1, 2, 3], (n) => {
    seen.push(n);
    if (n === 2) throw new Error('enough');
  });
  await expect(work).rejects.toThrow('enough');
  expect(seen).toEqual([1, 2]);
  expect(await mapInTurns([], (n) => n)).toEqual([]);
});
