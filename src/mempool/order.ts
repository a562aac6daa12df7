/** Entries by rank, the lowest rank first; within a rank by arrival. Iterating survives removals under way. */
import type { Entry } from './types.ts';

export class RankOrder {
  readonly #rankOf: (entry: Entry) => number;
  /** Ascending. */
  readonly #ranks: number[] = [];
  readonly #buckets = new Map<number, Set<Entry>>();

  /** An entry's rank must not change while it is in here. */
  constructor(rankOf: (entry: Entry) => number) {
    this.#rankOf = rankOf;
  }

  #position(rank: number): number {
    let lo = 0;
    let hi = this.#ranks.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.#ranks[mid]! < rank) lo = mid + 1;
      else hi = mid;
    }
    return lo;
  }

  add(entry: Entry): void {
    const rank = this.#rankOf(entry);
    const bucket = this.#buckets.get(rank);
    if (bucket !== undefined) {
      bucket.add(entry);
      return;
    }
    this.#buckets.set(rank, new Set([entry]));
    this.#ranks.splice(this.#position(rank), 0, rank);
  }

  remove(entry: Entry): void {
    const rank = this.#rankOf(entry);
    const bucket = this.#buckets.get(rank);
    if (bucket === undefined) return;
    bucket.delete(entry);
    if (bucket.size > 0) return;
    this.#buckets.delete(rank);
    this.#ranks.splice(this.#position(rank), 1);
  }

  /** The highest rank in here. */
  get worst(): number | undefined {
    return this.#ranks.at(-1);
  }

  /** The order in which entries give way: the highest rank first, within it the oldest. */
  *worstFirst(): Generator<Entry> {
    for (let i = this.#ranks.length - 1; i >= 0; i--) yield* this.#buckets.get(this.#ranks[i]!) ?? [];
  }

  /** Those with a rank of at most `rank`. */
  *upTo(rank: number): Generator<Entry> {
    for (const each of [...this.#ranks]) {
      if (each > rank) return;
      yield* this.#buckets.get(each) ?? [];
    }
  }

  [Symbol.iterator](): Generator<Entry> {
    return this.upTo(Number.POSITIVE_INFINITY);
  }
}
