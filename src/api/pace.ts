/**
 * How fast work may come. A `Pace` says how long the next piece has to wait so that a rate is kept; `Dear` lines
 * up queries that cost much, answers one at a time, and rests in proportion to what each has cost, so that however
 * many ask, the node keeps the better part of its main thread.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ProtocolError } from '../codec/errors.ts';

export class Pace {
  readonly #perMs: number;
  readonly #burstMs: number;
  readonly #now: () => number;
  /** The time up to which all that was taken is paid for. */
  #paid: number;

  /** So many units a second, `burst` of them at once. */
  constructor(perSecond: number, burst: number, now: () => number) {
    this.#perMs = perSecond / 1_000;
    this.#burstMs = burst / this.#perMs;
    this.#now = now;
    this.#paid = now() - this.#burstMs;
  }

  /** Takes `units`; milliseconds until they may be used. */
  take(units: number): number {
    const now = this.#now();
    this.#paid = Math.max(this.#paid, now - this.#burstMs) + units / this.#perMs;
    return Math.max(0, this.#paid - now);
  }

  /** What `take(0)` would say, without being taken. */
  get debt(): number {
    return Math.max(0, this.#paid - this.#now());
  }

  /** True when the burst is whole again: nothing is remembered that matters. */
  get rested(): boolean {
    return this.#paid <= this.#now() - this.#burstMs;
  }
}

/** One pace an address. Addresses that have rested are forgotten, and beyond `most` the one seen first. */
export class PaceByAddress {
  readonly #paces = new Map<string, Pace>();
  readonly #make: () => Pace;
  readonly #most: number;

  constructor(make: () => Pace, most = 4_096) {
    this.#make = make;
    this.#most = most;
  }

  of(address: string): Pace {
    let pace = this.#paces.get(address);
    if (pace === undefined) {
      if (this.#paces.size >= this.#most) this.#sweep();
      pace = this.#make();
      this.#paces.set(address, pace);
    }
    return pace;
  }

  #sweep(): void {
    for (const [address, pace] of this.#paces) if (pace.rested) this.#paces.delete(address);
    for (const address of this.#paces.keys()) {
      if (this.#paces.size < this.#most) return;
      this.#paces.delete(address);
    }
  }
}

/** What one query may be charged at most: it may have waited for others. */
const MOST_COST_MS = 1_000;
const BUSY = 'too many proofs and blocks are asked for; try again in a second';

export class Dear {
  readonly #pace: Pace;
  readonly #now: () => number;
  readonly #most: number;
  readonly #busy: string;
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `share` of the time may be used, `burstMs` at once; at most `most` wait, others are told `busy`. */
  constructor(share: number, burstMs: number, most: number, now: () => number, busy = BUSY) {
    this.#pace = new Pace(1_000 * share, burstMs, now);
    this.#busy = busy;
    this.#most = most;
    this.#now = now;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Runs `query` when its turn comes. Throws `API_BUSY` when the line is full. */
  async run<T>(query: () => T | Promise<T>): Promise<T> {
    if (this.#waiting >= this.#most) {
      throw new ProtocolError('API_BUSY', this.#busy);
    }
    this.#waiting++;
    const turn = this.#line.then(() => this.#one(query));
    this.#line = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  /** Work that the queries caused elsewhere, in milliseconds. */
  charge(ms: number): void {
    this.#pace.take(Math.min(MOST_COST_MS, ms));
  }

  async #one<T>(query: () => T | Promise<T>): Promise<T> {
    for (let wait = this.#pace.debt; wait > 0; wait = this.#pace.debt) await delay(wait);
    const began = this.#now();
    try {
      return await query();
    } finally {
      this.charge(this.#now() - began);
    }
  }
}
