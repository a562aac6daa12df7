/** CRC-32 (IEEE 802.3, reflected, as in zlib): it finds torn and rotten records; it proves nothing. */
import type { Bytes } from '../../codec/bytes.ts';

const TABLE = new Uint32Array(256).map((_, index) => {
  let c = index;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb8_8320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** Continues from `seed`, the CRC of what came before. */
export function crc32(bytes: Bytes, seed = 0): number {
  let c = ~seed;
  for (let i = 0; i < bytes.length; i++) c = TABLE[(c ^ bytes[i]!) & 0xff]! ^ (c >>> 8);
  return ~c >>> 0;
}
