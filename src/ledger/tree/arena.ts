/**
 * Memory of the account tree: nodes in chunked typed arrays instead of objects, so that a million accounts
 * cost some 120 MB and no garbage collection. A node id is an index; 0 is the empty tree. Nodes are immutable
 * once hashed, many versions of the tree share them, and whoever created a node frees it explicitly; a node
 * freed twice is a bug that shows at once. Ids of freed nodes are used again.
 */
import type { Bytes } from '../../codec/bytes.ts';
import { invariant } from '../../codec/errors.ts';
import { MAX_KEY_BYTES } from './leaf.ts';

export type NodeId = number;
export const NONE: NodeId = 0;

const CHUNK_BITS = 14;
const CHUNK = 1 << CHUNK_BITS;
const MASK = CHUNK - 1;
const HASH_WORDS = 8;

/**
 * A node is twelve words in a row, so that a visit costs one or two cache lines: its hash, then left, right and
 * kind. Left and right are children, of a leaf the key's slot and length. The twelfth word is not used.
 */
const NODE_WORDS = 12;
const LEFT = 8;
const RIGHT = 9;
const KIND = 10;
/** Kinds; below them stands the bit at which an inner node branches. */
const LEAF = 0x7fff;
const FREE = 0x7ffe;
/** Flag on an inner node whose hash is still to come; its first word then holds its level. */
const UNHASHED = 0x8000;

/** Fixed-size slots for keys, so that a key's bytes are in no object of their own. */
class KeyPool {
  readonly #chunks: Uint8Array[] = [];
  readonly #freed: number[] = [];
  readonly #slotBytes: number;
  #top = 0;

  constructor(slotBytes: number) {
    this.#slotBytes = slotBytes;
  }

  get bytes(): number {
    return this.#chunks.length * CHUNK * this.#slotBytes;
  }

  put(key: Bytes): number {
    const slot = this.#freed.pop() ?? this.#top++;
    if (slot >> CHUNK_BITS === this.#chunks.length)
      this.#chunks.push(new Uint8Array(CHUNK * this.#slotBytes));
    this.chunk(slot).set(key, this.offset(slot));
    return slot;
  }

  free(slot: number): void {
    this.#freed.push(slot);
  }

  chunk(slot: number): Uint8Array {
    return this.#chunks[slot >> CHUNK_BITS]!;
  }

  offset(slot: number): number {
    return (slot & MASK) * this.#slotBytes;
  }
}

/** Keys up to this length go to the pool of small slots; accounts, the bulk, fit exactly. */
const SMALL_KEY = 33;

/** Bit `index` of a key, most significant first; zero behind its end. */
export function bitOf(key: Bytes, index: number): 0 | 1 {
  return (((key[index >> 3] ?? 0) >> (7 - (index & 7))) & 1) as 0 | 1;
}

/** Index of the first bit in which two keys differ when the shorter is padded with zeros, or −1. */
export function differAt(a: Bytes, b: Bytes): number {
  const n = Math.max(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = (a[i] ?? 0) ^ (b[i] ?? 0);
    if (x !== 0) return 8 * i + Math.clz32(x) - 24;
  }
  return -1;
}

export class NodeArena {
  readonly #chunks: Uint32Array[] = [];
  readonly #small = new KeyPool(SMALL_KEY);
  readonly #large = new KeyPool(MAX_KEY_BYTES);
  #freed: NodeId = NONE;
  #top = 1;
  #live = 0;
  #leaves = 0;

  /** Nodes in use, over all versions. */
  get live(): number {
    return this.#live;
  }

  /** Leaves in use, over all versions. */
  get leaves(): number {
    return this.#leaves;
  }

  /** Bytes of all chunks, used or not. */
  get bytes(): number {
    return this.#chunks.length * CHUNK * 4 * NODE_WORDS + this.#small.bytes + this.#large.bytes;
  }

  #chunk(id: NodeId): Uint32Array {
    return this.#chunks[id >>> CHUNK_BITS]!;
  }

  #at(id: NodeId): number {
    return (id & MASK) * NODE_WORDS;
  }

  #allocate(): NodeId {
    this.#live++;
    const id = this.#freed;
    if (id !== NONE) {
      this.#freed = this.left(id);
      return id;
    }
    const fresh = this.#top++;
    if (fresh >>> CHUNK_BITS === this.#chunks.length) this.#chunks.push(new Uint32Array(CHUNK * NODE_WORDS));
    return fresh;
  }

  #set(id: NodeId, left: number, right: number, kind: number): void {
    const chunk = this.#chunk(id);
    const at = this.#at(id);
    chunk[at + LEFT] = left;
    chunk[at + RIGHT] = right;
    chunk[at + KIND] = kind;
  }

  #hashBytes(id: NodeId): Bytes {
    return new Uint8Array(this.#chunk(id).buffer, 4 * this.#at(id), 4 * HASH_WORDS);
  }

  /** A leaf with its hash, which `leafHash` made. The key is copied. */
  newLeaf(key: Bytes, hash: Bytes): NodeId {
    invariant(key.length > 0 && key.length <= MAX_KEY_BYTES, `a key of ${key.length} bytes`);
    const id = this.#allocate();
    this.#leaves++;
    this.#set(id, (key.length <= SMALL_KEY ? this.#small : this.#large).put(key), key.length, LEAF);
    this.#hashBytes(id).set(hash);
    return id;
  }

  /** An inner node without a hash, on `level`: one more than the higher of its children's levels. */
  newInner(bit: number, left: NodeId, right: NodeId, level: number): NodeId {
    const id = this.#allocate();
    this.#set(id, left, right, bit | UNHASHED);
    this.#chunk(id)[this.#at(id)] = level;
    return id;
  }

  /** How many layers must be hashed before and with a node: 0 when it has its hash. */
  level(id: NodeId): number {
    const chunk = this.#chunk(id);
    const at = this.#at(id);
    return (chunk[at + KIND]! & UNHASHED) === 0 ? 0 : chunk[at]!;
  }

  free(id: NodeId): void {
    const kind = this.#chunk(id)[this.#at(id) + KIND]!;
    invariant(kind !== FREE, 'a tree node is freed twice');
    if (kind === LEAF) {
      (this.right(id) <= SMALL_KEY ? this.#small : this.#large).free(this.left(id));
      this.#leaves--;
    }
    this.#set(id, this.#freed, 0, FREE);
    this.#freed = id;
    this.#live--;
  }

  isLeaf(id: NodeId): boolean {
    return this.#chunk(id)[this.#at(id) + KIND] === LEAF;
  }

  /** The bit of the key that decides between the children of an inner node. */
  branchBit(id: NodeId): number {
    return this.#chunk(id)[this.#at(id) + KIND]! & ~UNHASHED;
  }

  left(id: NodeId): NodeId {
    return this.#chunk(id)[this.#at(id) + LEFT]!;
  }

  right(id: NodeId): NodeId {
    return this.#chunk(id)[this.#at(id) + RIGHT]!;
  }

  /** A copy of a node's hash. */
  hash(id: NodeId): Bytes {
    return this.#hashBytes(id).slice();
  }

  /** Copies the hashes of an inner node's children to `pairs[at … at + 16)`, in memory order. */
  loadChildren(id: NodeId, pairs: Uint32Array, at: number): void {
    const node = this.#chunk(id);
    const from = this.#at(id);
    const left = node[from + LEFT]!;
    const right = node[from + RIGHT]!;
    const a = this.#chunk(left);
    const b = this.#chunk(right);
    const i = this.#at(left);
    const j = this.#at(right);
    for (let k = 0; k < HASH_WORDS; k++) {
      pairs[at + k] = a[i + k]!;
      pairs[at + HASH_WORDS + k] = b[j + k]!;
    }
  }

  /** Gives an inner node its hash, `source[at … at + 8)`. */
  storeHash(id: NodeId, source: Uint32Array, at: number): void {
    const chunk = this.#chunk(id);
    const to = this.#at(id);
    for (let k = 0; k < HASH_WORDS; k++) chunk[to + k] = source[at + k]!;
    chunk[to + KIND]! &= ~UNHASHED;
  }

  /** The leaf where the search for a key ends, going by branch bits alone; its key may be another. */
  descend(root: NodeId, key: Bytes): NodeId {
    let id = root;
    for (;;) {
      const chunk = this.#chunk(id);
      const at = this.#at(id);
      const kind = chunk[at + KIND]!;
      if (kind === LEAF) return id;
      id = bitOf(key, kind) === 0 ? chunk[at + LEFT]! : chunk[at + RIGHT]!;
    }
  }

  /** A copy of a leaf's key. */
  key(leaf: NodeId): Bytes {
    const length = this.right(leaf);
    const slot = this.left(leaf);
    const pool = length <= SMALL_KEY ? this.#small : this.#large;
    const from = pool.offset(slot);
    return pool.chunk(slot).slice(from, from + length);
  }

  /** `differAt` between a leaf's key and `key`, without a copy. */
  leafDiffersAt(leaf: NodeId, key: Bytes): number {
    const length = this.right(leaf);
    const slot = this.left(leaf);
    const pool = length <= SMALL_KEY ? this.#small : this.#large;
    const chunk = pool.chunk(slot);
    const from = pool.offset(slot);
    const n = Math.max(length, key.length);
    for (let i = 0; i < n; i++) {
      const x = (i < length ? chunk[from + i]! : 0) ^ (i < key.length ? key[i]! : 0);
      if (x !== 0) return 8 * i + Math.clz32(x) - 24;
    }
    return -1;
  }
}
