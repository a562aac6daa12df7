/**
 * The account tree: a compressed binary Merkle trie over byte keys. Its shape depends on the set of keys
 * alone: two keys part at the first bit in which they differ. Inner node = SHA-256(left ‖ right), leaves as
 * in leaf.ts, the empty tree's root is 32 zero bytes, a single leaf is its own root.
 *
 * Trees are persistent: `update` leaves its input tree as it is and reports which nodes it created and which
 * ones the new tree no longer holds, so that exactly those can be freed when the old or the new tree goes.
 * A batch is one recursive pass over the sorted keys; then all new inner nodes are hashed, a layer at a time.
 *
 * Keys must be prefix-free (no key is the beginning of another), which typed keys of fixed lengths are.
 */
import { type Bytes, compare } from '../../codec/bytes.ts';
import { invariant } from '../../codec/errors.ts';
import { hashPairs, ZERO_HASH } from '../../codec/hash.ts';
import { bitOf, differAt, NONE, NodeArena, type NodeId } from './arena.ts';
import { leafHash } from './leaf.ts';

/** What is to be at a key: a value, or nothing. */
export interface Change {
  readonly key: Bytes;
  readonly value: Bytes | undefined;
}

export interface Entry {
  readonly key: Bytes;
  readonly value: Bytes;
}

/** The difference between a tree and the one that it was made from. */
export class Delta {
  /** Nodes that only the new tree holds, inner nodes and leaves. */
  readonly created: NodeId[] = [];
  /** Nodes that only the old tree holds. */
  readonly replaced: NodeId[] = [];
  /** The created leaves once more, with their values. */
  readonly leaves: { readonly leaf: NodeId; readonly value: Bytes }[] = [];
}

/** A leaf and a copy of its key. */
export interface Found {
  readonly leaf: NodeId;
  readonly key: Bytes;
}

/** In `parts`: the key is in the tree, so it never parts from it. */
const NEVER = 0xffff;
/** Pairs hashed in one call: bounds the buffers at 384 KiB. */
const SLICE = 4_096;
const BUILD_SLICE = 65_536;

/** The stages of a batch: where each changed key parts from the old tree, and what replaces it. */
interface Batch {
  readonly keys: Bytes[];
  readonly values: (Bytes | undefined)[];
  /** First bit in which a key differs from every key of the old tree, or `NEVER`. */
  readonly parts: Uint16Array;
  readonly delta: Delta;
}

/** A place in the tree: subtrees still to be visited, the next one last, and what lies just before. */
export interface Cursor {
  readonly ahead: NodeId[];
  /** Subtree that ends with the last leaf before the place, or `NONE`. */
  readonly before: NodeId;
}

export class Trie {
  readonly arena = new NodeArena();
  /** Inner nodes that wait for their hash, by level. */
  #unhashed: NodeId[][] = [];
  readonly #pairs = new Uint8Array(64 * SLICE);
  readonly #digests = new Uint8Array(32 * SLICE);

  rootHash(root: NodeId): Bytes {
    return root === NONE ? ZERO_HASH.slice() : this.arena.hash(root);
  }

  #join(bit: number, left: NodeId, right: NodeId, created: NodeId[] | undefined): NodeId {
    if (left === NONE) return right;
    if (right === NONE) return left;
    const level = 1 + Math.max(this.arena.level(left), this.arena.level(right));
    const id = this.arena.newInner(bit, left, right, level);
    while (this.#unhashed.length <= level) this.#unhashed.push([]);
    this.#unhashed[level]!.push(id);
    created?.push(id);
    return id;
  }

  /** Hashes whatever waits for it, lowest layer first. */
  #hashLayers(): void {
    const { arena } = this;
    const pairWords = new Uint32Array(this.#pairs.buffer);
    const digestWords = new Uint32Array(this.#digests.buffer);
    for (const layer of this.#unhashed) {
      for (let start = 0; start < layer.length; start += SLICE) {
        const count = Math.min(SLICE, layer.length - start);
        for (let i = 0; i < count; i++) {
          arena.loadChildren(layer[start + i]!, pairWords, 16 * i);
        }
        hashPairs(this.#pairs.subarray(0, 64 * count), this.#digests.subarray(0, 32 * count));
        for (let i = 0; i < count; i++) arena.storeHash(layer[start + i]!, digestWords, 8 * i);
      }
    }
    this.#unhashed = [];
  }

  /** The leaf of a key, or `NONE`. */
  find(root: NodeId, key: Bytes): NodeId {
    if (root === NONE) return NONE;
    const leaf = this.arena.descend(root, key);
    return this.arena.leafDiffersAt(leaf, key) < 0 ? leaf : NONE;
  }

  /**
   * The tree with `changes` made, which are sorted by key without repetition. Removing what is not there
   * changes nothing. `delta` takes up what is created and replaced.
   */
  update(root: NodeId, changes: readonly Change[], delta: Delta): NodeId {
    const keys: Bytes[] = [];
    const values: (Bytes | undefined)[] = [];
    const parts = new Uint16Array(changes.length);
    let previous: Bytes | undefined;
    for (const { key, value } of changes) {
      invariant(previous === undefined || compare(previous, key) < 0, 'changes are sorted by key');
      previous = key;
      const at = root === NONE ? 0 : this.arena.leafDiffersAt(this.arena.descend(root, key), key);
      if (at >= 0 && value === undefined) continue;
      parts[keys.length] = at < 0 ? NEVER : at;
      keys.push(key);
      values.push(value);
    }
    const batch: Batch = { keys, values, parts, delta };
    const updated =
      root === NONE ? this.#grow(batch, 0, keys.length) : this.#apply(batch, root, 0, keys.length);
    this.#hashLayers();
    return updated;
  }

  /** First index in [lo, hi) whose key has bit `bit` set; the keys there agree on all bits before. */
  #split(keys: readonly Bytes[], lo: number, hi: number, bit: number): number {
    let from = lo;
    let to = hi;
    while (from < to) {
      const mid = (from + to) >> 1;
      if (bitOf(keys[mid]!, bit) === 0) from = mid + 1;
      else to = mid;
    }
    return from;
  }

  #apply(batch: Batch, node: NodeId, lo: number, hi: number): NodeId {
    if (lo === hi) return node;
    const { arena } = this;
    const { keys, parts, delta } = batch;
    let first = lo;
    for (let i = lo + 1; i < hi; i++) if (parts[i]! < parts[first]!) first = i;
    const parting = parts[first]!;
    const leaf = arena.isLeaf(node);
    const branch = leaf ? NEVER : arena.branchBit(node);

    if (parting < branch) {
      const mid = this.#split(keys, lo, hi, parting);
      if (bitOf(keys[first]!, parting) === 1) {
        const kept = this.#apply(batch, node, lo, mid);
        return this.#join(parting, kept, this.#grow(batch, mid, hi), delta.created);
      }
      const grown = this.#grow(batch, lo, mid);
      return this.#join(parting, grown, this.#apply(batch, node, mid, hi), delta.created);
    }
    delta.replaced.push(node);
    if (leaf) return this.#leaf(batch, lo);
    const mid = this.#split(keys, lo, hi, branch);
    const left = this.#apply(batch, arena.left(node), lo, mid);
    const right = this.#apply(batch, arena.right(node), mid, hi);
    return this.#join(branch, left, right, delta.created);
  }

  #leaf({ keys, values, delta }: Batch, index: number): NodeId {
    const value = values[index];
    if (value === undefined) return NONE;
    const key = keys[index]!;
    const leaf = this.arena.newLeaf(key, leafHash(key, value));
    delta.created.push(leaf);
    delta.leaves.push({ leaf, value });
    return leaf;
  }

  /** A tree of new keys only. */
  #grow(batch: Batch, lo: number, hi: number): NodeId {
    if (lo === hi) return NONE;
    if (hi - lo === 1) return this.#leaf(batch, lo);
    const bit = differAt(batch.keys[lo]!, batch.keys[hi - 1]!);
    const mid = this.#split(batch.keys, lo, hi, bit);
    return this.#join(bit, this.#grow(batch, lo, mid), this.#grow(batch, mid, hi), batch.delta.created);
  }

  /** A builder for a whole tree from entries in ascending order, in memory for the tree alone. */
  builder(): TrieBuilder {
    const nodes: NodeId[] = [];
    const bits: number[] = [];
    let previous: Bytes | undefined;
    let waiting = 0;
    const fold = (above: number): void => {
      while (bits.length > 0 && bits[bits.length - 1]! > above) {
        const right = nodes.pop()!;
        nodes.push(this.#join(bits.pop()!, nodes.pop()!, right, undefined));
        if (++waiting === BUILD_SLICE) {
          this.#hashLayers();
          waiting = 0;
        }
      }
    };
    return {
      add: (key, value) => {
        if (previous !== undefined) {
          invariant(compare(previous, key) < 0, 'entries are sorted by key');
          const bit = differAt(previous, key);
          fold(bit);
          bits.push(bit);
        }
        nodes.push(this.arena.newLeaf(key, leafHash(key, value)));
        previous = key;
      },
      finish: () => {
        fold(-1);
        this.#hashLayers();
        return nodes[0] ?? NONE;
      },
    };
  }

  /** The place before the first key that is not less than `from`. */
  seek(root: NodeId, from: Bytes): Cursor {
    const { arena } = this;
    if (root === NONE) return { ahead: [], before: NONE };
    const parting = arena.leafDiffersAt(arena.descend(root, from), from);
    const ahead: NodeId[] = [];
    let before = NONE;
    let at = root;
    while (!arena.isLeaf(at) && (parting < 0 || arena.branchBit(at) < parting)) {
      if (bitOf(from, arena.branchBit(at)) === 0) {
        ahead.push(arena.right(at));
        at = arena.left(at);
      } else {
        before = arena.left(at);
        at = arena.right(at);
      }
    }
    // Everything under `at` agrees with `from` up to `parting`, where it lies to one side as a whole. Padded
    // with zeros it may agree altogether; then the lengths decide.
    const behind = parting < 0 ? compare(arena.key(at), from) < 0 : bitOf(from, parting) === 1;
    if (behind) return { ahead, before: at };
    ahead.push(at);
    return { ahead, before };
  }

  /** The next leaf, which the cursor moves past, or `NONE` at the end of the tree. */
  next(cursor: Cursor): NodeId {
    const { arena } = this;
    let at = cursor.ahead.pop() ?? NONE;
    if (at === NONE) return NONE;
    while (!arena.isLeaf(at)) {
      cursor.ahead.push(arena.right(at));
      at = arena.left(at);
    }
    return at;
  }

  /** The greatest leaf of a subtree. */
  last(node: NodeId): NodeId {
    let at = node;
    while (!this.arena.isLeaf(at)) at = this.arena.right(at);
    return at;
  }

  /** Leaves with keys in [from, to), ascending, at most `limit`. */
  range(root: NodeId, from: Bytes, to: Bytes, limit: number): Found[] {
    const cursor = this.seek(root, from);
    const found: Found[] = [];
    while (found.length < limit) {
      const leaf = this.next(cursor);
      if (leaf === NONE) break;
      const key = this.arena.key(leaf);
      if (compare(key, to) >= 0) break;
      found.push({ leaf, key });
    }
    return found;
  }
}

export interface TrieBuilder {
  /** `key` is greater than all keys before it. */
  add(key: Bytes, value: Bytes): void;
  /** The root of the finished tree. */
  finish(): NodeId;
}
