/**
 * The states found so far, in the order in which they were: three local numbers of 21 bits and the state that it was
 * found from, twelve bytes a state, behind an open hash table of four bytes a slot. Nothing is approximate: two
 * states are equal if all three numbers are.
 */
/** Local numbers are below this. */
export const MAX_LOCAL = 2 ** 21;

export class StateTable {
  #low = new Uint32Array(4_096);
  #high = new Uint32Array(4_096);
  #parents = new Uint32Array(4_096);
  /** State + 1 by hash; 0 is free. At most half full. */
  #slots = new Uint32Array(16_384);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  parent(state: number): number {
    return this.#parents[state]!;
  }

  read(state: number, into: Int32Array): void {
    const [low, high] = [this.#low[state]!, this.#high[state]!];
    into[0] = low & 0x1f_ffff;
    into[1] = (low >>> 21) | ((high & 0x3ff) << 11);
    into[2] = high >>> 10;
  }

  /** The number of this state, which is `size` before the call if it is new. */
  add(a: number, b: number, c: number, parent: number): number {
    if (a >= MAX_LOCAL || b >= MAX_LOCAL || c >= MAX_LOCAL) throw new RangeError('too many local states');
    const low = (a | (b << 21)) >>> 0;
    const high = ((b >>> 11) | (c << 10)) >>> 0;
    const mask = this.#slots.length - 1;
    let slot = hash(low, high) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const known = this.#slots[slot]! - 1;
      if (this.#low[known] === low && this.#high[known] === high) return known;
    }
    const state = this.#size++;
    this.#slots[slot] = state + 1;
    if (state >= this.#low.length) this.#grow();
    this.#low[state] = low;
    this.#high[state] = high;
    this.#parents[state] = parent;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return state;
  }

  #grow(): void {
    const wider = (old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
      const next = new Uint32Array(2 * old.length);
      next.set(old);
      return next;
    };
    this.#low = wider(this.#low);
    this.#high = wider(this.#high);
    this.#parents = wider(this.#parents);
  }

  #rehash(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let state = 0; state < this.#size; state++) {
      let slot = hash(this.#low[state]!, this.#high[state]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = state + 1;
    }
    this.#slots = slots;
  }
}

function hash(low: number, high: number): number {
  let h = Math.imul(low ^ (low >>> 16), 0x85eb_ca6b) ^ Math.imul(high, 0xc2b2_ae35);
  h = Math.imul(h ^ (h >>> 13), 0x27d4_eb2f);
  return (h ^ (h >>> 15)) >>> 0;
}
