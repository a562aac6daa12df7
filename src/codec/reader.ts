/**
 * Strict reader of canonical MessagePack (docs/protocol.md §2). It accepts exactly what `Writer` produces:
 * integers, lengths and counts in their shortest form, no other types, nothing trailing. The reader is
 * driven by the caller's schema, so nesting is bounded by the schema, and a declared length is compared with
 * its bound and with the bytes that are really there before anything is allocated. Byte strings are views of
 * the input. Every failure is a `ProtocolError` with one of the `CodecErrorCode`s.
 */
import { type Bytes, readU64 } from './bytes.ts';
import { ProtocolError } from './errors.ts';

type CodecErrorCode =
  | 'CODEC_TRUNCATED'
  | 'CODEC_TYPE'
  | 'CODEC_NOT_CANONICAL'
  | 'CODEC_BOUNDS'
  | 'CODEC_TRAILING';

function fail(code: CodecErrorCode, message: string): never {
  throw new ProtocolError<CodecErrorCode>(code, message);
}

export class Reader {
  readonly bytes: Bytes;
  #at: number;
  readonly #end: number;

  constructor(bytes: Bytes, start = 0, end = bytes.length) {
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      throw new RangeError(`${start} to ${end} is not inside ${bytes.length} bytes`);
    }
    this.bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Offset of the next byte to be read. */
  get offset(): number {
    return this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at)
      fail('CODEC_TRUNCATED', `${count} bytes wanted at ${at}, ${this.#end - at} there`);
    this.#at = at + count;
    return at;
  }

  #big(width: 1 | 2 | 4, least: number): number {
    const at = this.#take(width);
    let v = 0;
    for (let i = 0; i < width; i++) v = v * 256 + this.bytes[at + i]!;
    if (v < least) fail('CODEC_NOT_CANONICAL', `${v} at ${at} is not in its shortest form`);
    return v;
  }

  /** Count of an array, which must be between `min` and `max`. */
  array(min: number, max: number = min): number {
    const tag = this.bytes[this.#take(1)]!;
    let count: number;
    if (tag >= 0x90 && tag <= 0x9f) count = tag & 0x0f;
    else if (tag === 0xdc) count = this.#big(2, 16);
    else if (tag === 0xdd) count = this.#big(4, 0x10000);
    else return fail('CODEC_TYPE', `expected an array, found 0x${tag.toString(16)}`);
    if (count < min || count > max) fail('CODEC_BOUNDS', `array of ${count}, allowed are ${min} to ${max}`);
    if (count > this.#end - this.#at)
      fail('CODEC_TRUNCATED', `array of ${count} in ${this.#end - this.#at} bytes`);
    return count;
  }

  /** An unsigned integer of at most 64 bits, at most `max`. */
  uint64(max = 0xffff_ffff_ffff_ffffn): bigint {
    const tag = this.bytes[this.#take(1)]!;
    let v: bigint;
    if (tag < 0x80) v = BigInt(tag);
    else if (tag === 0xcc) v = BigInt(this.#big(1, 0x80));
    else if (tag === 0xcd) v = BigInt(this.#big(2, 0x100));
    else if (tag === 0xce) v = BigInt(this.#big(4, 0x10000));
    else if (tag === 0xcf) {
      v = readU64(this.bytes, this.#take(8));
      if (v < 0x1_0000_0000n) fail('CODEC_NOT_CANONICAL', `${v} is not in its shortest form`);
    } else return fail('CODEC_TYPE', `expected an unsigned integer, found 0x${tag.toString(16)}`);
    if (v > max) fail('CODEC_BOUNDS', `${v} is over ${max}`);
    return v;
  }

  /** An unsigned safe integer, at most `max`. */
  uint(max: number = Number.MAX_SAFE_INTEGER): number {
    const tag = this.bytes[this.#at];
    if (this.#at < this.#end && tag !== undefined && tag < 0x80 && tag <= max) {
      this.#at++;
      return tag;
    }
    return Number(this.uint64(BigInt(max)));
  }

  /** A byte string of `min` to `max` bytes, as a view of the input. */
  bin(min: number, max: number = min): Bytes {
    const tag = this.bytes[this.#take(1)]!;
    let length: number;
    if (tag === 0xc4) length = this.#big(1, 0);
    else if (tag === 0xc5) length = this.#big(2, 0x100);
    else if (tag === 0xc6) length = this.#big(4, 0x10000);
    else return fail('CODEC_TYPE', `expected a byte string, found 0x${tag.toString(16)}`);
    if (length < min || length > max)
      fail('CODEC_BOUNDS', `byte string of ${length}, allowed are ${min} to ${max}`);
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Consumes a nil if one is next. */
  nil(): boolean {
    if (this.#at >= this.#end) fail('CODEC_TRUNCATED', 'nothing left to read');
    if (this.bytes[this.#at] !== 0xc0) return false;
    this.#at++;
    return true;
  }

  optionalBin(min: number, max: number = min): Bytes | undefined {
    return this.nil() ? undefined : this.bin(min, max);
  }

  /** Throws unless everything has been read. */
  end(): void {
    if (this.#at !== this.#end) fail('CODEC_TRAILING', `${this.#end - this.#at} bytes too many`);
  }
}
