/**
 * Making proofs from a tree in memory; proof.ts says what they are. Values are not in the tree: the caller
 * looks them up.
 */
import { type Bytes, compare, equal } from '../../codec/bytes.ts';
import { bitOf, NONE, type NodeId } from './arena.ts';
import { MAX_PROOF_LEAVES, successor, type TreeProof } from './proof.ts';
import type { Found, Trie } from './trie.ts';

/** The run that shows [from, to), at most `limit` of them inside the range. */
function runOf(trie: Trie, root: NodeId, from: Bytes, to: Bytes, limit: number): Found[] {
  const { arena } = trie;
  const cursor = trie.seek(root, from);
  const run: Found[] = [];
  const { before } = cursor;
  let behind: Found | undefined;
  for (;;) {
    const leaf = trie.next(cursor);
    if (leaf === NONE) break;
    const key = arena.key(leaf);
    if (compare(key, to) >= 0) {
      behind = { leaf, key };
      break;
    }
    if (run.length === limit) break;
    run.push({ leaf, key });
  }
  const last = run[run.length - 1];
  const closed = last !== undefined && compare(successor(last.key), to) >= 0;
  if (behind !== undefined && !closed) run.push(behind);
  const opening = run[0] !== undefined && equal(run[0].key, from);
  if (before !== NONE && !opening) {
    const leaf = trie.last(before);
    run.unshift({ leaf, key: arena.key(leaf) });
  }
  return run;
}

/** The tree cut back to the leaves from `first` to `last`, which are in it. */
class Cutting {
  readonly bits: number[] = [];
  readonly left: Bytes[] = [];
  readonly right: Bytes[] = [];
  readonly #trie: Trie;

  constructor(trie: Trie) {
    this.#trie = trie;
  }

  /** Bounds are given where they lie in the subtree of `node`. */
  cut(node: NodeId, first: Bytes | undefined, last: Bytes | undefined): void {
    const { arena } = this.#trie;
    if (arena.isLeaf(node)) {
      this.bits.push(0);
      return;
    }
    this.bits.push(1);
    const bit = arena.branchBit(node);
    const skipLeft = first !== undefined && bitOf(first, bit) === 1;
    const skipRight = last !== undefined && bitOf(last, bit) === 0;
    if (skipLeft) {
      this.bits.push(0);
      this.left.push(arena.hash(arena.left(node)));
    } else this.cut(arena.left(node), first, skipRight ? last : undefined);
    if (skipRight) {
      this.bits.push(0);
      this.right.push(arena.hash(arena.right(node)));
    } else this.cut(arena.right(node), skipLeft ? first : undefined, last);
  }
}

function pack(bits: readonly number[]): Bytes {
  const out = new Uint8Array(Math.ceil(bits.length / 8));
  for (let i = 0; i < bits.length; i++) out[i >> 3]! |= bits[i]! << (7 - (i & 7));
  return out;
}

function join(hashes: readonly Bytes[]): Bytes {
  const out = new Uint8Array(32 * hashes.length);
  for (let i = 0; i < hashes.length; i++) out.set(hashes[i]!, 32 * i);
  return out;
}

/**
 * A proof of all entries in [from, to), or of the first `limit` of them (1 to `MAX_PROOF_LEAVES − 2`; there are
 * two neighbours at most).
 */
export function proveRange(
  trie: Trie,
  root: NodeId,
  lookUp: (found: Found) => Bytes,
  range: { readonly from: Bytes; readonly to: Bytes; readonly limit: number },
): TreeProof {
  if (!(range.limit >= 1 && range.limit <= MAX_PROOF_LEAVES - 2)) {
    throw new RangeError(`a page has 1 to ${MAX_PROOF_LEAVES - 2} entries`);
  }
  const run = runOf(trie, root, range.from, range.to, range.limit);
  const cutting = new Cutting(trie);
  if (run.length > 0) cutting.cut(root, run[0]?.key, run[run.length - 1]?.key);
  return {
    shape: pack(cutting.bits),
    left: join(cutting.left),
    leaves: run.map((found) => ({ key: found.key, value: lookUp(found) })),
    // The walk meets hashes to the right of the run from the left to the right already.
    right: join(cutting.right),
  };
}
