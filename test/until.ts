/** Waiting in tests for what other processes do. */
import { setTimeout as delay } from 'node:timers/promises';

/** Waits until `condition` holds; an error in it means "not yet". Fails after `ms` with `what`. */
export async function until(what: string, condition: () => Promise<boolean>, ms = 30_000): Promise<void> {
  const deadline = performance.now() + ms;
  let last: unknown;
  const holds = (): Promise<boolean> =>
    condition().catch((error: unknown) => {
      last = error;
      return false;
    });
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain: ${what}`, { cause: last });
    await delay(100);
  }
}
