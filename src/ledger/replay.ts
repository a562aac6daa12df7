/**
 * The replay memory: which transactions of the last `txLifetime` blocks must not come again. It is exact (32-
 * byte keys, compared whole), grows with the transactions that are really there and forgets them by height.
 * What final blocks held stands in buckets by `validUntil`; a block that is not final yet has an overlay.
 */
import type { Bytes } from '../codec/bytes.ts';
import { invariant } from '../codec/errors.ts';

export interface ReplayView {
  /** True when a transaction with this replay key was in a block of this view's past. */
  has(validUntil: number, replayKey: Bytes): boolean;
}

export interface ReplayKey {
  readonly validUntil: number;
  /** 32 bytes, a hash. */
  readonly replayKey: Bytes;
}

const WORDS = 8;
const FIRST_CAPACITY = 8;

const probe = new Uint32Array(WORDS);
const probeBytes = new Uint8Array(probe.buffer);

/** An exact set of 32-byte hashes in two typed arrays, some 45 bytes a key. */
export class HashSet {
  /** Open addressing: 0 is free, otherwise index + 1 of a key. At most half full. */
  #slots = new Uint32Array(2 * FIRST_CAPACITY);
  #keys = new Uint32Array(WORDS * FIRST_CAPACITY);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Slot of the key in `probe`: the one that holds it, or the free one where it belongs. */
  #find(): number {
    const mask = this.#slots.length - 1;
    let slot = probe[0]! & mask;
    for (;;) {
      const index = this.#slots[slot]!;
      if (index === 0) return slot;
      const at = WORDS * (index - 1);
      let i = 0;
      while (i < WORDS && this.#keys[at + i] === probe[i]) i++;
      if (i === WORDS) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #load(key: Bytes): void {
    invariant(key.length === 4 * WORDS, 'a replay key has 32 bytes');
    probeBytes.set(key);
  }

  #grow(): void {
    const keys = new Uint32Array(this.#keys.length * 2);
    keys.set(this.#keys);
    this.#keys = keys;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const wanted = probe.slice();
    for (let index = 0; index < this.#count; index++) {
      probe.set(keys.subarray(WORDS * index, WORDS * index + WORDS));
      this.#slots[this.#find()] = index + 1;
    }
    probe.set(wanted);
  }

  has(key: Bytes): boolean {
    this.#load(key);
    return this.#slots[this.#find()] !== 0;
  }

  /** Returns false when it was there already. */
  add(key: Bytes): boolean {
    this.#load(key);
    let slot = this.#find();
    if (this.#slots[slot] !== 0) return false;
    if (WORDS * this.#count === this.#keys.length) {
      this.#grow();
      slot = this.#find();
    }
    this.#keys.set(probe, WORDS * this.#count++);
    this.#slots[slot] = this.#count;
    return true;
  }
}

/** The keys of one block that is not final, over those of its ancestors. Needs no disposal. */
export class ReplayOverlay implements ReplayView {
  #parent: ReplayView;
  #own: HashSet | undefined;
  #keys: readonly ReplayKey[];

  constructor(parent: ReplayView, keys: readonly ReplayKey[]) {
    const own = new HashSet();
    for (const { replayKey } of keys) own.add(replayKey);
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
  readonly #buckets = new Map<number, HashSet>();
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
      if (validUntil <= height) continue;
      let bucket = this.#buckets.get(validUntil);
      if (bucket === undefined) {
        bucket = new HashSet();
        this.#buckets.set(validUntil, bucket);
      }
      bucket.add(replayKey);
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
