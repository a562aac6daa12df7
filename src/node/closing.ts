/**
 * How a node comes down: what was put up is ended in the reverse order, each part within bounded time, whatever the
 * others did. Parts that come up after the end began are ended at once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ProtocolError } from '../codec/errors.ts';

/** A part that takes longer to stop is left behind: what must survive is on the disk before it is needed. */
const PART_MS = 10_000;

type Undo = () => Promise<void> | void;

interface Log {
  info(message: string): void;
  warn(message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

/** Whether the work was done in so many milliseconds; rejects as it does. */
async function within(ms: number, work: Undo): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(ms, false, { signal: timer.signal }).catch(() => true);
  try {
    return await Promise.race([Promise.resolve(work()).then(() => true), late]);
  } finally {
    timer.abort();
  }
}

export class Closing {
  /** Resolves when everything has ended: with the error that began the end, if one did. */
  readonly done: Promise<Error | undefined>;
  readonly #log: Log;
  readonly #undo: Undo[] = [];
  #resolve: (error: Error | undefined) => void = () => {};
  #ending: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get begun(): boolean {
    return this.#ending !== undefined;
  }

  /** Notes how to end a part. Throws `NODE_STOPPED` when the end has begun; the part is ended then. */
  keep(undo: Undo): void {
    if (this.#ending === undefined) {
      this.#undo.push(undo);
      return;
    }
    void Promise.resolve(undo()).catch(() => undefined);
    throw new ProtocolError('NODE_STOPPED', 'the node was stopped while it started');
  }

  /** Ends all parts, once; only the first caller's error counts. */
  end(error: Error | undefined): Promise<void> {
    this.#ending ??= this.#end(error);
    return this.#ending;
  }

  async #end(error: Error | undefined): Promise<void> {
    this.#log.info('stopping');
    for (const undo of this.#undo.reverse()) {
      try {
        if (!(await within(PART_MS, undo))) this.#log.warn('a part did not stop in time: left behind');
      } catch (cause) {
        this.#log.warn({ err: cause }, 'a part did not stop cleanly');
      }
    }
    this.#log.info('stopped');
    this.#resolve(error);
  }
}
