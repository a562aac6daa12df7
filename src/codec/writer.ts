/**
 * Writer of canonical MessagePack, the only form that is hashed or signed: positional arrays, unsigned
 * integers in their shortest form, `bin` for bytes, nil for an absent optional. No maps, strings, floats,
 * booleans or extension types, so every value has exactly one encoding. See docs/protocol.md §2.
 */
import { type Bytes, writeU64 } from './bytes.ts';

export class Writer {
  #buffer: Bytes;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = new Uint8Array(capacity);
  }

  #reserve(extra: number): number {
    const at = this.#length;
    const need = at + extra;
    if (need > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(need, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, at));
      this.#buffer = grown;
    }
    this.#length = need;
    return at;
  }

  #tagged(tag: number, value: number, width: 0 | 1 | 2 | 4): this {
    const at = this.#reserve(1 + width);
    const b = this.#buffer;
    b[at] = tag;
    for (let i = width, v = value; i > 0; i--, v = Math.floor(v / 256)) b[at + i] = v % 256;
    return this;
  }

  /** Header of an array of `count` elements, which the caller writes next. */
  array(count: number): this {
    if (count < 16) return this.#tagged(0x90 | count, 0, 0);
    if (count < 0x10000) return this.#tagged(0xdc, count, 2);
    return this.#tagged(0xdd, count, 4);
  }

  /** An unsigned integer: a safe integer or a bigint below 2^64. Anything else is a bug and throws. */
  uint(value: number | bigint): this {
    const big = typeof value === 'bigint';
    if (big ? value < 0n || value >= 1n << 64n : !Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`not an unsigned 64-bit integer: ${value}`);
    }
    if (value >= 0x100000000) {
      const at = this.#reserve(9);
      this.#buffer[at] = 0xcf;
      writeU64(this.#buffer, at + 1, value);
      return this;
    }
    const n = Number(value);
    if (n < 0x80) return this.#tagged(n, 0, 0);
    if (n < 0x100) return this.#tagged(0xcc, n, 1);
    if (n < 0x10000) return this.#tagged(0xcd, n, 2);
    return this.#tagged(0xce, n, 4);
  }

  bin(bytes: Bytes): this {
    const n = bytes.length;
    if (n < 0x100) this.#tagged(0xc4, n, 1);
    else if (n < 0x10000) this.#tagged(0xc5, n, 2);
    else this.#tagged(0xc6, n, 4);
    return this.raw(bytes);
  }

  nil(): this {
    return this.#tagged(0xc0, 0, 0);
  }

  /** `bin`, or nil for an absent optional. */
  optionalBin(bytes: Bytes | undefined): this {
    return bytes === undefined ? this.nil() : this.bin(bytes);
  }

  /** Bytes that are canonical already, as they stand. */
  raw(bytes: Bytes): this {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  /** A copy of what was written. */
  finish(): Bytes {
    return this.#buffer.slice(0, this.#length);
  }
}
