/**
 * Virtual time. Callbacks run one at a time in order of time, then of scheduling; between two of them every
 * promise that can settle settles, so that promise-based code under test runs the same way every time.
 */
import type { Clock } from '../../src/consensus/host.ts';

/** The clock as code under test sees it. */
export interface Timeline extends Clock {
  sleep(delay: number): Promise<void>;
}

interface Entry {
  readonly at: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export class Scheduler implements Timeline {
  readonly #heap: Entry[] = [];
  #now = 0;
  #order = 0;

  readonly now = (): number => this.#now;

  /** Runs `callback` after `delay` virtual milliseconds; the returned function cancels it. */
  after(delay: number, callback: () => void): () => void {
    const entry: Entry = { at: this.#now + Math.max(0, delay), order: this.#order++, callback };
    this.#push(entry);
    return () => {
      entry.callback = undefined;
    };
  }

  sleep(delay: number): Promise<void> {
    return new Promise((resolve) => this.after(delay, resolve));
  }

  /** Runs until virtual time `end`, until `done()`, or until nothing is left. */
  async run(end: number, done: () => boolean): Promise<void> {
    await this.#settle();
    while (!done()) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.at > end) break;
      this.#pop();
      if (entry.callback === undefined) continue;
      this.#now = entry.at;
      entry.callback();
      await this.#settle();
    }
    if (!done()) this.#now = Math.max(this.#now, end);
  }

  /** The event loop reaches its next phase only when no microtask is left. */
  #settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
