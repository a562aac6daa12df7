/**
 * Long work on the main thread in short turns, so that votes and blocks never wait for it: whoever goes through a list
 * that somebody else chose the length of does it here.
 */
import { setImmediate as turn } from 'node:timers/promises';

/** How long one turn may take, in milliseconds, and after how many items the clock is looked at. */
const TURN_MS = 5;
const LOOK_EVERY = 16;

/**
 * Calls `each` for every item in order; between two of them everything else may have had its turn, after which `again`
 * is awaited: what has to be looked up anew.
 */
export async function eachInTurns<T>(
  items: readonly T[],
  each: (item: T, index: number) => void,
  again?: () => Promise<void>,
): Promise<void> {
  let began = performance.now();
  for (let i = 0; i < items.length; i++) {
    each(items[i]!, i);
    if (i % LOOK_EVERY !== LOOK_EVERY - 1 || performance.now() - began < TURN_MS) continue;
    await turn();
    await again?.();
    began = performance.now();
  }
}

/** What `each` makes of every item, in order, as `eachInTurns`. */
export async function mapInTurns<T, R>(
  items: readonly T[],
  each: (item: T, index: number) => R,
  again?: () => Promise<void>,
): Promise<R[]> {
  const out: R[] = [];
  const one = (item: T, i: number): void => {
    out.push(each(item, i));
  };
  await eachInTurns(items, one, again);
  return out;
}
