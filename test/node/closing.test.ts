/** A node comes down part by part, whatever its parts do. */
import { expect, it } from 'vitest';
import { Closing } from '../../src/node/closing.ts';

function quiet(): { readonly lines: string[]; readonly closing: Closing } {
  const lines: string[] = [];
  const line = (...of: unknown[]): void => void lines.push(String(of.at(-1)));
  return { lines, closing: new Closing({ info: line, warn: line }) };
}

it('ends parts once, the last first, also when some of them fail', async () => {
  const { lines, closing } = quiet();
  const ended: number[] = [];
  for (const part of [1, 2, 3]) {
    closing.keep(async () => {
      ended.push(part);
      if (part === 2) throw new Error('stuck');
    });
  }
  const cause = new Error('the first reason');
  const [first, second] = [closing.end(cause), closing.end(new Error('another'))];
  expect(closing.begun).toBe(true);
  await Promise.all([first, second]);
  expect(ended).toEqual([3, 2, 1]);
  expect(await closing.done).toBe(cause);
  expect(lines).toEqual(['stopping', 'a part did not stop cleanly', 'stopped']);
});

it('a part that comes up after the end began is ended at once', async () => {
  const { closing } = quiet();
  await closing.end(undefined);
  let ended = false;
  expect(() =>
    closing.keep(() => {
      ended = true;
    }),
  ).toThrow(expect.objectContaining({ code: 'NODE_STOPPED' }));
  expect(ended).toBe(true);
});
