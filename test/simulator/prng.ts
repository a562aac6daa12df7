/** Seeded randomness (sfc32): everything that chance decides in a run comes from one seed, by name. */
import { utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';

export class Prng {
  readonly #name: string;
  readonly #state: Uint32Array;

  constructor(name: string) {
    this.#name = name;
    const digest = sha256(utf8(name));
    this.#state = new Uint32Array(digest.slice(0, 16).buffer);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** An independent stream. */
  fork(name: string): Prng {
    return new Prng(`${this.#name}/${name}`);
  }

  /** An integer in 0 … 2^32 − 1. */
  next(): number {
    const s = this.#state;
    const t = (s[0]! + s[1]! + s[3]!) >>> 0;
    s[3]! += 1;
    s[0] = s[1]! ^ (s[1]! >>> 9);
    s[1] = s[2]! + (s[2]! << 3);
    s[2] = ((s[2]! << 21) | (s[2]! >>> 11)) + t;
    return t;
  }

  /** A number in [0, 1). */
  readonly float = (): number => this.next() / 2 ** 32;

  /** An integer in `from … to`. */
  int(from: number, to: number): number {
    return from + Math.floor(this.float() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!;
  }

  readonly bytes = (length: number): Uint8Array => new Uint8Array(length).map(() => this.next() & 0xff);
}
