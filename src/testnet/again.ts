/** Work that is begun again whenever it fails, for services that outlive the nodes that they talk to. */
import { setTimeout as delay } from 'node:timers/promises';
import { remark } from '../cli/output.ts';

const FIRST_MS = 1_000;
const MOST_MS = 30_000;
/** Work that went well for so long begins anew with the shortest pause. */
const GOOD_MS = 60_000;

/**
 * Runs `work` over and over until `signal` is aborted. After an error it says what went wrong and waits, at first
 * one second, at most half a minute; it never throws.
 */
export async function again(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  let pause = FIRST_MS;
  while (!signal.aborted) {
    const began = performance.now();
    try {
      await work();
      pause = FIRST_MS;
    } catch (error) {
      if (signal.aborted) return;
      if (performance.now() - began > GOOD_MS) pause = FIRST_MS;
      const reason = error instanceof Error ? error.message : String(error);
      remark(`${name}: ${reason}; tried again in ${pause / 1_000} s`);
      await delay(pause, undefined, { signal }).catch(() => {});
      pause = Math.min(MOST_MS, 2 * pause);
    }
  }
}
