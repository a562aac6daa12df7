/**
 * Merkle trees over lists: a block's transactions, an epoch's headers, the boundary headers. All have one
 * shape, that of RFC 6962 §2.1: the left subtree of n leaves is the largest full one below n, which is the
 * same as pairing layer by layer and promoting an odd node as it is. Inner node = SHA-256(left ‖ right); a leaf
 * hashes 0x00 ‖ item with items of 32 or 64 bytes, hence never 64 bytes. The empty list's root is 32 zero bytes.
 *
 * A path proves that an item is in the list, and its order among other proven items. A position in the list it
 * proves only together with the list's length, which the roots do not hold.
 */
import { type Bytes, concat, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { hashPairs, sha256, ZERO_HASH } from '../codec/hash.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';

const HASH = 32;
const LEAF_PREFIX = Uint8Array.of(0);
/** Longest path; no list has more than 2^32 items. */
const MAX_PATH = 32;

/** Leaf of a header hash. */
export function headerLeaf(hash: Bytes): Bytes {
  return sha256(LEAF_PREFIX, hash);
}

/** Leaf of a transaction: id and SHA-256 of its full bytes. */
export function transactionLeaf(id: Bytes, wireHash: Bytes): Bytes {
  return sha256(concat(LEAF_PREFIX, id, wireHash));
}

/** The layer above one of at least two nodes, 32 bytes each. */
function layerAbove(layer: Bytes): Bytes {
  const paired = layer.length - (layer.length % (2 * HASH));
  const promoted = layer.length - paired;
  const above = new Uint8Array(paired / 2 + promoted);
  hashPairs(layer.subarray(0, paired), above.subarray(0, paired / 2));
  above.set(layer.subarray(paired), paired / 2);
  return above;
}

/** Root over leaves, given one after the other, 32 bytes each. */
export function merkleRoot(leaves: Bytes): Bytes {
  if (leaves.length === 0) return ZERO_HASH.slice();
  let layer = leaves;
  while (layer.length > HASH) layer = layerAbove(layer);
  return layer.slice();
}

export interface MerklePath {
  /** Bit i (value 2^i) is set when the sibling of layer i stands to the left. */
  readonly sides: number;
  /** Siblings from the leaf upwards. */
  readonly siblings: readonly Bytes[];
}

/** Path of leaf `index`, which is in the list. */
export function merklePath(leaves: Bytes, index: number): MerklePath {
  const siblings: Bytes[] = [];
  let sides = 0;
  let layer = leaves;
  let at = index;
  while (layer.length > HASH) {
    const sibling = at % 2 === 1 ? at - 1 : at + 1;
    if (HASH * sibling < layer.length) {
      if (sibling < at) sides += 2 ** siblings.length;
      siblings.push(layer.slice(HASH * sibling, HASH * sibling + HASH));
    }
    layer = layerAbove(layer);
    at = Math.floor(at / 2);
  }
  return { sides, siblings };
}

/** True when the path leads from `leaf` to `root`. */
export function verifyMerklePath(root: Bytes, leaf: Bytes, path: MerklePath): boolean {
  let hash = leaf;
  let sides = path.sides;
  for (const sibling of path.siblings) {
    hash = sides % 2 === 1 ? sha256(sibling, hash) : sha256(hash, sibling);
    sides = Math.floor(sides / 2);
  }
  return sides === 0 && equal(hash, root);
}

export function encodeMerklePath(path: MerklePath): Bytes {
  return new Writer(16 + HASH * path.siblings.length)
    .array(2)
    .uint(path.sides)
    .bin(concat(...path.siblings))
    .finish();
}

/** Strict and bounded. Throws `CODEC_*` or `PROOF_SHAPE`. */
export function decodeMerklePath(bytes: Bytes): MerklePath {
  const r = new Reader(bytes);
  r.array(2);
  const sides = r.uint(2 ** MAX_PATH - 1);
  const packed = r.bin(0, HASH * MAX_PATH);
  r.end();
  if (packed.length % HASH !== 0 || sides >= 2 ** (packed.length / HASH)) {
    throw new ProtocolError('PROOF_SHAPE', 'sides and siblings of a path do not fit');
  }
  const siblings: Bytes[] = [];
  for (let at = 0; at < packed.length; at += HASH) siblings.push(packed.subarray(at, at + HASH));
  return { sides, siblings };
}

/** What a block commits to of a transaction. */
export interface TransactionHashes {
  readonly id: Bytes;
  readonly wireHash: Bytes;
}

/** Leaves of a block's transactions, in order, 32 bytes each. */
export function transactionLeaves(transactions: readonly TransactionHashes[]): Bytes {
  const leaves = new Uint8Array(HASH * transactions.length);
  const preimage = new Uint8Array(1 + 2 * HASH);
  for (let i = 0; i < transactions.length; i++) {
    const { id, wireHash } = transactions[i]!;
    preimage.set(id, 1);
    preimage.set(wireHash, 1 + HASH);
    leaves.set(sha256(preimage), HASH * i);
  }
  return leaves;
}

/** The transaction root of a block's header. */
export function transactionRoot(transactions: readonly TransactionHashes[]): Bytes {
  return merkleRoot(transactionLeaves(transactions));
}
