/**
 * The right edge of a growing Merkle list (merkle.ts has the shape): enough to append a leaf and to know the
 * root, in logarithmic space. It holds the number of leaves and one root for every full subtree that the
 * number's binary digits name, the largest first. A value: `append` returns a new one.
 */
import { type Bytes, concat } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256, ZERO_HASH } from '../codec/hash.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';

const HASH = 32;
const MAX_PEAKS = 53;

function digits(count: number): number {
  let sum = 0;
  for (let n = count; n > 0; n = Math.floor(n / 2)) sum += n % 2;
  return sum;
}

export class Frontier {
  static readonly EMPTY = new Frontier(0, []);

  readonly count: number;
  readonly #peaks: readonly Bytes[];

  private constructor(count: number, peaks: readonly Bytes[]) {
    this.count = count;
    this.#peaks = peaks;
  }

  /** `leaf` is a leaf's hash, 32 bytes. */
  append(leaf: Bytes): Frontier {
    const peaks = this.#peaks.slice();
    let node = leaf;
    for (let n = this.count; n % 2 === 1; n = Math.floor(n / 2)) node = sha256(peaks.pop()!, node);
    peaks.push(node);
    return new Frontier(this.count + 1, peaks);
  }

  root(): Bytes {
    let at = this.#peaks.length - 1;
    let node = this.#peaks[at] ?? ZERO_HASH.slice();
    while (--at >= 0) node = sha256(this.#peaks[at]!, node);
    return node;
  }

  /** `[uint count, bin peaks]`, the peaks one after the other. */
  encode(): Bytes {
    return new Writer(16 + HASH * this.#peaks.length)
      .array(2)
      .uint(this.count)
      .bin(concat(...this.#peaks))
      .finish();
  }

  /** Throws `CODEC_*` or `ENTRY_SHAPE`. */
  static decode(value: Bytes): Frontier {
    const r = new Reader(value);
    r.array(2);
    const count = r.uint();
    const packed = r.bin(0, HASH * MAX_PEAKS);
    r.end();
    if (packed.length !== HASH * digits(count)) {
      throw new ProtocolError(
        'ENTRY_SHAPE',
        `a frontier of ${count} leaves has ${packed.length} bytes of peaks`,
      );
    }
    const peaks: Bytes[] = [];
    for (let at = 0; at < packed.length; at += HASH) peaks.push(packed.subarray(at, at + HASH));
    return new Frontier(count, peaks);
  }
}
