/**
 * A SHA-256 (FIPS 180-4) of the test suite's own, whose state can be taken out and put back: what a cheat
 * needs who wants to keep a hash of data half finished instead of the data.
 */
import { type Bytes, concat, readU64, u64 } from '../../src/codec/bytes.ts';

/** The first 32 bits of the fractional part of a root of each of the first `count` primes. */
function fractions(count: number, root: (n: number) => number): number[] {
  const out: number[] = [];
  for (let n = 2; out.length < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (prime) out.push(((root(n) % 1) * 2 ** 32) | 0);
  }
  return out;
}

const K = fractions(64, Math.cbrt);
const START = fractions(8, Math.sqrt);

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

function compress(state: readonly number[], block: Bytes): number[] {
  const w: number[] = [];
  const view = new DataView(block.buffer, block.byteOffset, 64);
  for (let i = 0; i < 64; i++) {
    if (i < 16) {
      w.push(view.getInt32(4 * i));
      continue;
    }
    const a = w[i - 15]!;
    const b = w[i - 2]!;
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
    w.push((w[i - 16]! + s0 + w[i - 7]! + s1) | 0);
  }
  let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[i]! + w[i]!;
    const t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  return [a, b, c, d, e, f, g, h].map((x, i) => (x + state[i]!) | 0);
}

function words(state: readonly number[]): Bytes {
  const out = new Uint8Array(32);
  const view = new DataView(out.buffer);
  state.forEach((word, i) => {
    view.setInt32(4 * i, word);
  });
  return out;
}

export class OpenSha256 {
  #state: readonly number[] = START;
  #length = 0n;
  #tail: Bytes = new Uint8Array(0);

  update(data: Bytes): this {
    this.#length += BigInt(data.length);
    const all = concat(this.#tail, data);
    let at = 0;
    for (; at + 64 <= all.length; at += 64) {
      this.#state = compress(this.#state, all.subarray(at, at + 64));
    }
    this.#tail = all.slice(at);
    return this;
  }

  digest(): Bytes {
    const zeros = (119 - this.#tail.length) % 64;
    const end = concat(this.#tail, Uint8Array.of(0x80), new Uint8Array(zeros), u64(this.#length * 8n));
    let state = this.#state;
    for (let at = 0; at < end.length; at += 64) state = compress(state, end.subarray(at, at + 64));
    return words(state);
  }

  /** The midstate: 8 words, the length so far, and the bytes since the last whole block. 40 to 103 bytes. */
  save(): Bytes {
    return concat(words(this.#state), u64(this.#length), this.#tail);
  }

  static restore(saved: Bytes): OpenSha256 {
    const out = new OpenSha256();
    const view = new DataView(saved.buffer, saved.byteOffset, 32);
    out.#state = Array.from({ length: 8 }, (_, i) => view.getInt32(4 * i));
    out.#length = readU64(saved, 32);
    out.#tail = saved.slice(40);
    return out;
  }
}
