/**
 * Byte strings: comparison, hex, big-endian integers, map keys. Pure, no `Buffer`, so that it runs in
 * browsers. Nothing here allocates from a length that it has not been given as real bytes.
 */
import { ProtocolError } from './errors.ts';

export type Bytes = Uint8Array;

export const EMPTY_BYTES: Bytes = new Uint8Array(0);

/**
 * The same bytes as a plain `Uint8Array`. What comes from Node may be a `Buffer`, whose `slice` is a view where
 * everybody else's is a copy; at the border to the pure rooms it is stripped of that.
 */
export function plain(bytes: Uint8Array): Bytes {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function concat(...parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

export function equal(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic byte order; a proper prefix sorts first. */
export function compare(a: Bytes, b: Bytes): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const d = a[i]! - b[i]!;
    if (d !== 0) return d;
  }
  return a.length - b.length;
}

export function isZero(a: Bytes): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== 0) return false;
  return true;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

export function toHex(bytes: Bytes): string {
  let out = '';
  for (let i = 0; i < bytes.length; i++) out += HEX[bytes[i]!];
  return out;
}

/** The value of each hex digit by its character code; 0xff for what is none. */
const NIBBLES = new Uint8Array(128).fill(0xff);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  NIBBLES[digit.charCodeAt(0)] = value;
  NIBBLES[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Parses hex of either case. Throws `HEX_INVALID`; with `length` (bytes) given, the length must match too. */
export function fromHex(text: string, length?: number): Bytes {
  if (text.length % 2 !== 0 || (length !== undefined && text.length !== length * 2)) {
    throw new ProtocolError(
      'HEX_INVALID',
      `expected ${length ?? 'whole'} bytes of hex, got ${text.length} characters`,
    );
  }
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) {
    const hi = NIBBLES[text.charCodeAt(2 * i)] ?? 0xff;
    const lo = NIBBLES[text.charCodeAt(2 * i + 1)] ?? 0xff;
    if ((hi | lo) > 15) throw new ProtocolError('HEX_INVALID', `not a hex digit at position ${2 * i}`);
    out[i] = (hi << 4) | lo;
  }
  return out;
}

const utf8Encoder = new TextEncoder();

export function utf8(text: string): Bytes {
  return utf8Encoder.encode(text);
}

export const U64_MAX = (1n << 64n) - 1n;

export function writeU32(out: Bytes, offset: number, value: number): void {
  out[offset] = value >>> 24;
  out[offset + 1] = value >>> 16;
  out[offset + 2] = value >>> 8;
  out[offset + 3] = value;
}

export function readU32(bytes: Bytes, offset: number): number {
  const high = (bytes[offset]! << 8) | bytes[offset + 1]!;
  return high * 0x1_0000 + ((bytes[offset + 2]! << 8) | bytes[offset + 3]!);
}

/** Eight bytes at `offset`, big-endian. `value` is below 2^64, and a safe integer when it is a number. */
export function writeU64(out: Bytes, offset: number, value: bigint | number): void {
  if (typeof value === 'number') {
    writeU32(out, offset, Math.floor(value / 2 ** 32));
    writeU32(out, offset + 4, value % 2 ** 32);
  } else {
    writeU32(out, offset, Number(value >> 32n));
    writeU32(out, offset + 4, Number(value & 0xffff_ffffn));
  }
}

/** Eight bytes, big-endian. `value` must be in 0 … 2^64 − 1 (a safe integer when it is a number). */
export function u64(value: bigint | number): Bytes {
  if (typeof value === 'bigint' ? value < 0n || value > U64_MAX : !Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`not an unsigned 64-bit integer: ${value}`);
  }
  const out = new Uint8Array(8);
  writeU64(out, 0, value);
  return out;
}

export function readU64(bytes: Bytes, offset: number): bigint {
  const high = readU32(bytes, offset);
  const low = BigInt(readU32(bytes, offset + 4));
  return high === 0 ? low : (BigInt(high) << 32n) | low;
}

/**
 * A string usable as a `Map` key: one character a byte. Equal strings exactly for equal bytes, and string
 * order is byte order.
 */
export function keyOf(bytes: Bytes): string {
  // Explicit arguments are several times faster than `apply`, and hashes are most of what is looked up.
  if (bytes.length === 32) {
    const b = bytes;
    return String.fromCharCode(
      b[0]!,
      b[1]!,
      b[2]!,
      b[3]!,
      b[4]!,
      b[5]!,
      b[6]!,
      b[7]!,
      b[8]!,
      b[9]!,
      b[10]!,
      b[11]!,
      b[12]!,
      b[13]!,
      b[14]!,
      b[15]!,
      b[16]!,
      b[17]!,
      b[18]!,
      b[19]!,
      b[20]!,
      b[21]!,
      b[22]!,
      b[23]!,
      b[24]!,
      b[25]!,
      b[26]!,
      b[27]!,
      b[28]!,
      b[29]!,
      b[30]!,
      b[31]!,
    );
  }
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

export function bytesOfKey(key: string): Bytes {
  const out = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) out[i] = key.charCodeAt(i);
  return out;
}
