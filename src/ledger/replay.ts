/**
 * The replay memory: which transactions of the last `txLifetime` blocks must not come again. It is exact (32-
 * byte keys, compared whole), grows with the transactions that are really there and forgets them by height.
 * What final blocks held stands in buckets by `validUntil`; a block that is not final yet has an overlay.
 */
import type { Bytes } from '../codec/bytes.ts';
import { invariant } from '../codec/errors.ts';
import { HashIndex } from './hash-index.ts';

export interface ReplayView {
  /** True when a transaction with this replay key was in a block of this view's past. */
  has(validUntil: number, replayKey: Bytes): boolean;
}

export interface ReplayKey {
  readonly validUntil: number;
  /** 32 bytes, a hash. */
  readonly replayKey: Bytes;
}

/** The keys of one block that is not final, over those of its ancestors. Needs no disposal. */
export class ReplayOverlay implements ReplayView {
  #parent: ReplayView;
  #own: HashIndex | undefined;
  #keys: readonly ReplayKey[];

  constructor(parent: ReplayView, keys: readonly ReplayKey[]) {
    const own = new HashIndex();
    for (const { replayKey } of keys) own.insert(replayKey);
    this.#parent = parent;
    this.#keys = keys;
    this.#own = own;
  }

  has(validUntil: number, replayKey: Bytes): boolean {
    return this.#own?.has(replayKey) === true || this.#parent.has(validUntil, replayKey);
  }

  /** Hands its keys to the memory below, whose view it then is: children lose nothing, ancestors can go. */
  settle(memory: ReplayMemory): readonly ReplayKey[] {
    const parent = this.#parent;
    const below = parent === memory || (parent instanceof ReplayOverlay && parent.#settledIn(memory));
    invariant(below && this.#own !== undefined, 'blocks become final in their order, and once');
    this.#parent = memory;
    this.#own = undefined;
    const keys = this.#keys;
    this.#keys = [];
    return keys;
  }

  #settledIn(memory: ReplayMemory): boolean {
    return this.#own === undefined && this.#parent === memory;
  }
}

export class ReplayMemory implements ReplayView {
  readonly #buckets = new Map<number, HashIndex>();
  #height = 0;

  has(validUntil: number, replayKey: Bytes): boolean {
    return this.#buckets.get(validUntil)?.has(replayKey) === true;
  }

  /** Keys remembered. */
  get size(): number {
    let sum = 0;
    for (const bucket of this.#buckets.values()) sum += bucket.size;
    return sum;
  }

  /** Takes the keys of a final block at `height`, and forgets those that no later block could hold. */
  add(height: number, keys: Iterable<ReplayKey>): void {
    invariant(height >= this.#height, 'final blocks come in their order');
    this.#height = height;
    for (const { validUntil, replayKey } of keys) {
      let bucket = this.#buckets.get(validUntil);
      if (bucket === undefined) {
        bucket = new HashIndex();
        this.#buckets.set(validUntil, bucket);
      }
      bucket.insert(replayKey);
    }
    for (const validUntil of this.#buckets.keys()) if (validUntil <= height) this.#buckets.delete(validUntil);
  }

  /** The view after a block with `keys` on top of `parent`, which is this memory or an overlay above it. */
  child(keys: readonly ReplayKey[], parent: ReplayView = this): ReplayOverlay {
    return new ReplayOverlay(parent, keys);
  }

  /** Makes the oldest block that is not final, at `height`, part of the memory. */
  finalise(overlay: ReplayOverlay, height: number): void {
    this.add(height, overlay.settle(this));
  }
}
