/**
 * An exact index of 32-byte hashes: numbers them 0, 1, 2, … in the order of their arrival. Two typed arrays,
 * some 50 bytes a hash, no objects and no strings; made for what is looked up for every transaction.
 *
 * The keys are hashes, but whoever makes them can grind them. Slots are probed in steps that come from other
 * bits than the first slot, so that a long chain takes collisions in both.
 */
import type { Bytes } from '../codec/bytes.ts';
import { invariant } from '../codec/errors.ts';

const WORDS = 8;
const FIRST_CAPACITY = 8;

const probe = new Uint32Array(WORDS);
const probeBytes = new Uint8Array(probe.buffer);

export class HashIndex {
  /** 0 is free, otherwise index + 1. At most half full. */
  #slots = new Uint32Array(2 * FIRST_CAPACITY);
  #keys = new Uint32Array(WORDS * FIRST_CAPACITY);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Slot of the key in `probe`: the one that holds it, or the free one where it belongs. */
  #find(): number {
    const slots = this.#slots;
    const keys = this.#keys;
    const mask = slots.length - 1;
    // The number of slots is a power of two: an odd step visits all of them.
    const step = probe[1]! | 1;
    let slot = probe[0]! & mask;
    for (;;) {
      const index = slots[slot]!;
      if (index === 0) return slot;
      const at = WORDS * (index - 1);
      let i = 0;
      while (i < WORDS && keys[at + i] === probe[i]) i++;
      if (i === WORDS) return slot;
      slot = (slot + step) & mask;
    }
  }

  #load(key: Bytes): void {
    invariant(key.length === 4 * WORDS, 'only hashes of 32 bytes are indexed');
    probeBytes.set(key);
  }

  #grow(): void {
    const keys = new Uint32Array(this.#keys.length * 2);
    keys.set(this.#keys);
    this.#keys = keys;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const wanted = probe.slice();
    for (let index = 0; index < this.#count; index++) {
      for (let i = 0; i < WORDS; i++) probe[i] = keys[WORDS * index + i]!;
      this.#slots[this.#find()] = index + 1;
    }
    probe.set(wanted);
  }

  /** The number of a key, or −1. */
  indexOf(key: Bytes): number {
    this.#load(key);
    return this.#slots[this.#find()]! - 1;
  }

  has(key: Bytes): boolean {
    return this.indexOf(key) >= 0;
  }

  /** The number of a key, which is new (and equal to the size before) if it was not there. */
  insert(key: Bytes): number {
    this.#load(key);
    let slot = this.#find();
    const known = this.#slots[slot]!;
    if (known !== 0) return known - 1;
    if (WORDS * this.#count === this.#keys.length) {
      this.#grow();
      slot = this.#find();
    }
    this.#keys.set(probe, WORDS * this.#count);
    this.#slots[slot] = this.#count + 1;
    return this.#count++;
  }
}
