/**
 * Hashes of the account tree's leaves. An inner node hashes exactly 64 bytes (left ‖ right), so a leaf must
 * never do so, and no two leaves may share a preimage:
 *
 *     0x00 ‖ u8 key length ‖ key ‖ value            unless that has 64 bytes, then
 *     0x01 ‖ u8 key length ‖ key ‖ value ‖ 0x00     which has 65
 *
 * The length says inner or leaf, the first byte which form, the second where the key ends: the mapping from
 * (key, value) to preimages is injective and apart from inner nodes.
 */
import type { Bytes } from '../../codec/bytes.ts';
import { invariant } from '../../codec/errors.ts';
import { sha256 } from '../../codec/hash.ts';

/** Longest key of any type (queue entries). */
export const MAX_KEY_BYTES = 73;
/** Longest value of any entry. */
export const MAX_VALUE_BYTES = 65_536;
/** No path of the tree is longer: a branch consumes at least one bit of the key. */
export const MAX_DEPTH = 8 * MAX_KEY_BYTES;

const INNER_BYTES = 64;
const scratch = new Uint8Array(512);

/** SHA-256 of a leaf's preimage: 32 fresh bytes. `key` has 1 to 255 bytes. */
export function leafHash(key: Bytes, value: Bytes): Bytes {
  invariant(key.length > 0 && key.length < 256, 'a key has 1 to 255 bytes');
  const natural = 2 + key.length + value.length;
  const padded = natural === INNER_BYTES;
  const length = padded ? natural + 1 : natural;
  const preimage = length <= scratch.length ? scratch.subarray(0, length) : new Uint8Array(length);
  preimage[0] = padded ? 1 : 0;
  preimage[1] = key.length;
  preimage.set(key, 2);
  preimage.set(value, 2 + key.length);
  if (padded) preimage[length - 1] = 0;
  return sha256(preimage);
}
