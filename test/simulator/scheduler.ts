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

/** Callbacks between two turns of the event loop; a turn costs a system call. */
const TURN = 64;

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

  /**
   * Runs until virtual time `end`, until `done()`, or until nothing is left. Each callback is an immediate of its
   * own: between two immediates the runtime empties the queue of microtasks, which settles every promise that can.
   */
  run(end: number, done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      const step = (): void => {
        if (over) return;
        try {
          over = this.#step(end, done);
          if (over) resolve();
        } catch (error) {
          over = true;
          reject(error);
        }
      };
      const turn = (): void => {
        if (over) return;
        for (let i = 1; i < TURN; i++) setImmediate(step);
        setImmediate(() => {
          step();
          turn();
        });
      };
      turn();
    });
  }

  /** Runs one callback; true if there is none to run. */
  #step(end: number, done: () => boolean): boolean {
    if (done()) return true;
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) this.#pop();
    const entry = this.#heap[0];
    if (entry === undefined || entry.at > end) {
      this.#now = Math.max(this.#now, end);
      return true;
    }
    this.#pop();
    this.#now = entry.at;
    entry.callback?.();
    return false;
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
