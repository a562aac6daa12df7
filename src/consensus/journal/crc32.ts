/**
 * CRC-32 (IEEE 802.3, reflected, as in zlib), eight bytes at a time: it finds torn and rotten records; it
 * proves nothing.
 */
import type { Bytes } from '../../codec/bytes.ts';

/** `TABLE[256 · k + b]` is the CRC register after byte b and k zero bytes. */
const TABLE = new Uint32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let c = byte;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb8_8320 ^ (c >>> 1) : c >>> 1;
  TABLE[byte] = c;
}
for (let at = 256; at < TABLE.length; at++) {
  const previous = TABLE[at - 256]!;
  TABLE[at] = TABLE[previous & 0xff]! ^ (previous >>> 8);
}

/** Continues from `seed`, the CRC of what came before. */
export function crc32(bytes: Bytes, seed = 0): number {
  let c = ~seed;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c =
      TABLE[1792 + (c & 0xff)]! ^
      TABLE[1536 + ((c >>> 8) & 0xff)]! ^
      TABLE[1280 + ((c >>> 16) & 0xff)]! ^
      TABLE[1024 + (c >>> 24)]! ^
      TABLE[768 + bytes[i + 4]!]! ^
      TABLE[512 + bytes[i + 5]!]! ^
      TABLE[256 + bytes[i + 6]!]! ^
      TABLE[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) c = TABLE[(c ^ bytes[i]!) & 0xff]! ^ (c >>> 8);
  return ~c >>> 0;
}
