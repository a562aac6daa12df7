/**
 * Proofs about the account tree: their encoding and their verification, without a tree at hand, for clients.
 *
 * A proof is the tree cut back to a run of adjacent leaves: inner nodes down to the leaves of the run, and the
 * bare hash of every subtree to its left or right. The root fixes the whole tree, and its leaves stand in
 * ascending order, so what the left/right paths show is true of the tree: between two leaves of the run there
 * is nothing, before its first leaf there is nothing when no hash stands to its left, and likewise behind.
 * That, and nothing else, proves that keys are absent and that a range is complete.
 *
 *     [ bin shape, bin left, [ [bin key, bin value], … ], bin right ]
 *
 * `shape` lists the nodes in pre-order, one bit each, most significant first: 1 for an inner node, 0 for an end;
 * unused bits are 0. The ends from left to right are the 32-byte hashes of `left`, the leaves, the hashes of
 * `right`. A hash stands for the largest possible subtree, so a run has exactly one proof. The proof about an
 * empty tree has no node at all.
 */
import { type Bytes, compare, concat, equal } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import { sha256, ZERO_HASH } from '../../codec/hash.ts';
import { Reader } from '../../codec/reader.ts';
import { Writer } from '../../codec/writer.ts';
import { leafHash, MAX_DEPTH, MAX_KEY_BYTES, MAX_VALUE_BYTES } from './leaf.ts';
import type { Entry } from './trie.ts';

/** Most leaves of one proof; longer ranges come in pages. */
export const MAX_PROOF_LEAVES = 32_768;
/** Most bytes of an encoded proof. */
const MAX_PROOF_BYTES = 4_194_304;

const HASH = 32;

export interface TreeProof {
  /** Pre-order bits of the cut-back tree. */
  readonly shape: Bytes;
  /** Hashes to the left of the run, left to right, 32 bytes each. */
  readonly left: Bytes;
  readonly leaves: readonly Entry[];
  /** Hashes to the right of the run, left to right, 32 bytes each. */
  readonly right: Bytes;
}

type ProofErrorCode = 'PROOF_SHAPE' | 'PROOF_ROOT' | 'PROOF_ORDER' | 'PROOF_RANGE';

function refuse(code: ProofErrorCode, message: string): never {
  throw new ProtocolError<ProofErrorCode>(code, message);
}

export function encodeProof(proof: TreeProof): Bytes {
  const w = new Writer(1_024).array(4).bin(proof.shape).bin(proof.left).array(proof.leaves.length);
  for (const { key, value } of proof.leaves) w.array(2).bin(key).bin(value);
  return w.bin(proof.right).finish();
}

/** Strict and bounded; byte strings are views of the input. Throws `CODEC_*` or `PROOF_SHAPE`. */
export function decodeProof(bytes: Bytes): TreeProof {
  if (bytes.length > MAX_PROOF_BYTES) refuse('PROOF_SHAPE', `a proof of ${bytes.length} bytes`);
  const r = new Reader(bytes);
  r.array(4);
  const shape = r.bin(0, MAX_PROOF_BYTES);
  const left = r.bin(0, HASH * MAX_DEPTH);
  const leaves: Entry[] = [];
  for (let n = r.array(0, MAX_PROOF_LEAVES); n > 0; n--) {
    r.array(2);
    leaves.push({ key: r.bin(1, MAX_KEY_BYTES), value: r.bin(0, MAX_VALUE_BYTES) });
  }
  const right = r.bin(0, HASH * MAX_DEPTH);
  r.end();
  return { shape, left, leaves, right };
}

/** The root that a proof adds up to. Throws `PROOF_SHAPE` or `PROOF_ORDER` when it is not well-formed. */
export function proofRoot(proof: TreeProof): Bytes {
  const { shape, left, leaves, right } = proof;
  if (left.length % HASH !== 0 || right.length % HASH !== 0) refuse('PROOF_SHAPE', 'hashes have 32 bytes');
  const before = left.length / HASH;
  const after = right.length / HASH;
  const ends = before + leaves.length + after;
  const nodes = Math.max(0, 2 * ends - 1);
  if (shape.length !== Math.ceil(nodes / 8)) {
    refuse('PROOF_SHAPE', `${shape.length} bytes of shape for ${ends} ends`);
  }
  if (ends === 0) return ZERO_HASH.slice();
  for (let i = 1; i < leaves.length; i++) {
    if (compare(leaves[i - 1]!.key, leaves[i]!.key) >= 0) refuse('PROOF_ORDER', 'leaves are not in order');
  }

  let bit = 0;
  let end = 0;
  const node = (depth: number): { hash: Bytes; shows: boolean } => {
    if (bit === nodes) refuse('PROOF_SHAPE', 'the shape does not close');
    const inner = (shape[bit >> 3]! >> (7 - (bit & 7))) & 1;
    bit++;
    if (inner === 1) {
      if (depth === MAX_DEPTH) refuse('PROOF_SHAPE', 'a path is longer than any key');
      const a = node(depth + 1);
      const b = node(depth + 1);
      if (!a.shows && !b.shows) refuse('PROOF_SHAPE', 'a subtree without a leaf is one hash');
      return { hash: sha256(a.hash, b.hash), shows: true };
    }
    const index = end++;
    if (index < before) return { hash: left.subarray(HASH * index, HASH * index + HASH), shows: false };
    const leaf = leaves[index - before];
    if (leaf !== undefined) {
      if (depth > 8 * leaf.key.length) refuse('PROOF_SHAPE', 'a path is longer than its key');
      return { hash: leafHash(leaf.key, leaf.value), shows: true };
    }
    const at = HASH * (index - before - leaves.length);
    if (at >= right.length) refuse('PROOF_SHAPE', 'more ends than hashes and leaves');
    return { hash: right.subarray(at, at + HASH), shows: false };
  };
  const root = node(0);
  if (bit !== nodes || !root.shows) refuse('PROOF_SHAPE', 'the shape does not fit its ends');
  for (let i = nodes; i < 8 * shape.length; i++) {
    if (((shape[i >> 3]! >> (7 - (i & 7))) & 1) !== 0) refuse('PROOF_SHAPE', 'unused bits are zero');
  }
  return root.hash;
}

/** The least byte string greater than `key`. */
export function successor(key: Bytes): Bytes {
  return concat(key, new Uint8Array(1));
}

export interface ProvenRange {
  /** All entries with `from ≤ key < to`, or all with `from ≤ key < next` when `next` is given. */
  readonly entries: readonly Entry[];
  /** Where the next page begins; absent when the range is complete. */
  readonly next: Bytes | undefined;
}

/**
 * What a proof shows about the keys in [from, to) under `root`: the complete list of entries, or a first page
 * of it that is complete up to `next`. Neighbours outside the range are only allowed where they are needed.
 * Throws `PROOF_SHAPE`, `PROOF_ORDER`, `PROOF_ROOT` or `PROOF_RANGE`.
 */
export function verifyRange(root: Bytes, from: Bytes, to: Bytes, proof: TreeProof): ProvenRange {
  if (compare(from, to) >= 0) refuse('PROOF_RANGE', 'the range is empty');
  if (!equal(proofRoot(proof), root)) refuse('PROOF_ROOT', 'the proof does not lead to the root');
  const { leaves, left, right } = proof;
  const first = leaves.findIndex((leaf) => compare(leaf.key, from) >= 0);
  const begin = first < 0 ? leaves.length : first;
  const over = leaves.findIndex((leaf) => compare(leaf.key, to) >= 0);
  const end = over < 0 ? leaves.length : over;
  const entries = leaves.slice(begin, end);
  const opening = entries[0] !== undefined && equal(entries[0].key, from);
  const last = entries[entries.length - 1];
  const next = last === undefined ? undefined : successor(last.key);
  const closed = next !== undefined && compare(next, to) >= 0;

  if (begin > (opening ? 0 : 1) || leaves.length - end > (closed ? 0 : 1)) {
    refuse('PROOF_RANGE', 'the proof shows more than the range needs');
  }
  if (begin === 0 && !opening && left.length > 0) {
    refuse('PROOF_RANGE', 'nothing shows that the range begins with its first entry');
  }
  if (closed || end < leaves.length || right.length === 0) return { entries, next: undefined };
  if (next === undefined) return refuse('PROOF_RANGE', 'nothing shows that the range is empty');
  return { entries, next };
}

/**
 * The value at `key` under `root`, or `undefined` when the proof shows that there is none. Throws as
 * `verifyRange` does.
 */
export function verifyEntry(root: Bytes, key: Bytes, proof: TreeProof): Bytes | undefined {
  return verifyRange(root, key, successor(key), proof).entries[0]?.value;
}
