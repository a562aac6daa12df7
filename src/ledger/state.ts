/**
 * The ledger's state over time. `State` is what the account tree held after one block: readable, provable,
 * immutable. The tree of every state is in memory (its keys and hashes, not its values) and shares whatever did
 * not change. Values are in a base store, except those that it has not been given yet: they wait at their leaf.
 * So a read is one way down the tree and one lookup, however many blocks are not final, and what does not exist
 * is never looked for in the store.
 *
 * `Ledger` owns the chain of states. Making a state final yields the sorted changes for one atomic database
 * batch, and from then on it is what the next states stand on: its rivals and their descendants are dropped.
 * Its values wait in memory until `written` says that the base store has them. A state that was
 * dropped, or lies before the final one, must not be used any more; doing so throws.
 *
 * Memory is a function of the state and of the open forks: every node of the tree is freed by the step that
 * makes it unreachable.
 */
import { type Bytes, compare } from '../codec/bytes.ts';
import { invariant } from '../codec/errors.ts';
import { EVERYTHING } from './keys.ts';
import { NONE, type NodeId } from './tree/arena.ts';
import { successor, type TreeProof } from './tree/proof.ts';
import { proveRange } from './tree/prove.ts';
import { type Change, Delta, type Entry, type Found, Trie, type TrieBuilder } from './tree/trie.ts';

/** Values as of the last batch that was written. Synchronous: what rules read is in a cache or one lookup away. */
export interface BaseStore {
  get(key: Bytes): Bytes | undefined;
}

/** What a rule needs of a state. */
export interface StateView {
  readonly root: Bytes;
  get(key: Bytes): Bytes | undefined;
  /** Keys in [from, to), ascending, at most `limit`. Comes from memory alone. */
  keys(from: Bytes, to: Bytes, limit: number): Bytes[];
  /** Entries in [from, to), ascending, at most `limit`. */
  ascend(from: Bytes, to: Bytes, limit: number): Entry[];
}

type Life = 'open' | 'final' | 'gone';

export class State implements StateView {
  /** The account tree's root, 32 bytes. */
  readonly root: Bytes;
  readonly #ledger: Ledger;
  readonly #node: NodeId;
  readonly #delta: Delta;
  readonly #children = new Set<State>();
  #changes: readonly Change[];
  #parent: State | undefined;
  #life: Life = 'open';

  /** States are made by `Ledger.open` and `child`. */
  constructor(
    ledger: Ledger,
    parent: State | undefined,
    tree: { readonly node: NodeId; readonly delta: Delta; readonly changes: readonly Change[] },
  ) {
    this.#ledger = ledger;
    this.#parent = parent;
    this.#node = tree.node;
    this.#delta = tree.delta;
    this.#changes = tree.changes;
    this.root = ledger.trie.rootHash(tree.node);
    for (const { leaf, value } of tree.delta.leaves) ledger.waiting.set(leaf, value);
  }

  /** False once the state was dropped or superseded. */
  get usable(): boolean {
    return this.#life !== 'gone';
  }

  #alive(): void {
    invariant(this.#life !== 'gone', 'a state is used after it was dropped or superseded');
  }

  get(key: Bytes): Bytes | undefined {
    this.#alive();
    const leaf = this.#ledger.trie.find(this.#node, key);
    return leaf === NONE ? undefined : this.#value(leaf, key);
  }

  #value(leaf: NodeId, key: Bytes): Bytes {
    const value = this.#ledger.waiting.get(leaf) ?? this.#ledger.base.get(key);
    invariant(value !== undefined, 'the tree holds a key that the store does not');
    return value;
  }

  keys(from: Bytes, to: Bytes, limit: number): Bytes[] {
    this.#alive();
    return this.#ledger.trie.range(this.#node, from, to, limit).map(({ key }) => key);
  }

  ascend(from: Bytes, to: Bytes, limit: number): Entry[] {
    this.#alive();
    const found = this.#ledger.trie.range(this.#node, from, to, limit);
    return found.map(({ leaf, key }) => ({ key, value: this.#value(leaf, key) }));
  }

  /** All entries of a range in pages; the state must stay alive meanwhile. */
  *entries(from: Bytes = EVERYTHING.from, to: Bytes = EVERYTHING.to, page = 1_024): Iterable<Entry> {
    for (let start = from; ; ) {
      const entries = this.ascend(start, to, page);
      yield* entries;
      const last = entries[entries.length - 1];
      if (last === undefined || entries.length < page) return;
      start = successor(last.key);
    }
  }

  /** Proof of the value at `key`, or that there is none. */
  prove(key: Bytes): TreeProof {
    return this.proveRange(key, successor(key), 1);
  }

  /** Proof of the entries in [from, to), or of the first `limit` of them. */
  proveRange(from: Bytes, to: Bytes, limit: number): TreeProof {
    this.#alive();
    const lookUp = ({ leaf, key }: Found): Bytes => this.#value(leaf, key);
    return proveRange(this.#ledger.trie, this.#node, lookUp, { from, to, limit });
  }

  /** The state after `changes`, which are sorted by key without repetition. */
  child(changes: readonly Change[]): State {
    this.#alive();
    const delta = new Delta();
    const node = this.#ledger.trie.update(this.#node, changes, delta);
    const state = new State(this.#ledger, this, { node, delta, changes });
    this.#children.add(state);
    return state;
  }

  /** For `Ledger` alone: ends this state and all that stand on it, and frees the nodes that they created. */
  discard(): void {
    this.#alive();
    invariant(this.#life === 'open', 'a final state is not dropped');
    for (const child of this.#children) child.discard();
    this.#ledger.free(this.#delta.created);
    if (this.#parent !== undefined) this.#parent.#children.delete(this);
    this.#parent = undefined;
    this.#changes = [];
    this.#life = 'gone';
  }

  /** For `Ledger` alone: takes the place of `before`, the final state that it stands on. */
  succeed(before: State): readonly Change[] {
    this.#alive();
    invariant(this.#parent === before && before.#life === 'final', 'states become final in their order');
    for (const rival of before.#children) if (rival !== this) rival.discard();
    before.#children.clear();
    before.#life = 'gone';
    this.#life = 'final';
    this.#ledger.free(this.#delta.replaced);
    this.#delta.created.length = 0;
    this.#delta.replaced.length = 0;
    return this.#changes;
  }

  /** For `Ledger` alone: the first state. */
  found(): void {
    this.#life = 'final';
  }

  /** For `Ledger` alone: its values, and those of all states before it, are in the base store. */
  settle(): void {
    invariant(this.#life !== 'open', 'only what is final is written');
    if (this.#parent !== undefined) this.#parent.settle();
    this.#parent = undefined;
    this.#changes = [];
    const { waiting } = this.#ledger;
    // A leaf may have gone since, and its id may be another's now.
    for (const { leaf, value } of this.#delta.leaves) if (waiting.get(leaf) === value) waiting.delete(leaf);
    this.#delta.leaves.length = 0;
  }
}

/** Builds a ledger from entries that arrive bit by bit, so that a start can show how far it is. */
export interface LedgerBuilder {
  /** Entries come sorted by key. */
  add(entry: Entry): void;
  finish(): Ledger;
}

export interface LedgerStatistics {
  /** Leaves and nodes in memory, over all states. */
  readonly leaves: number;
  readonly nodes: number;
  /** Values that wait to be written. */
  readonly waiting: number;
  readonly treeBytes: number;
}

export class Ledger {
  readonly base: BaseStore;
  readonly trie: Trie;
  /** Values that the base store has not been given yet, by the leaf that they stand at. */
  readonly waiting = new Map<NodeId, Bytes>();
  #committed: State;

  /** Use `open` or `builder`. */
  constructor(base: BaseStore, trie: Trie, node: NodeId) {
    this.base = base;
    this.trie = trie;
    this.#committed = new State(this, undefined, { node, delta: new Delta(), changes: [] });
    this.#committed.found();
  }

  static builder(base: BaseStore): LedgerBuilder {
    const trie = new Trie();
    const tree: TrieBuilder = trie.builder();
    return {
      add: ({ key, value }) => tree.add(key, value),
      finish: () => new Ledger(base, trie, tree.finish()),
    };
  }

  /** A ledger over a store that holds exactly `entries`, sorted by key. */
  static open(base: BaseStore, entries: Iterable<Entry>): Ledger {
    const builder = Ledger.builder(base);
    for (const entry of entries) builder.add(entry);
    return builder.finish();
  }

  /** The newest final state. */
  get committed(): State {
    return this.#committed;
  }

  get statistics(): LedgerStatistics {
    const { arena } = this.trie;
    const { size: waiting } = this.waiting;
    return { leaves: arena.leaves, nodes: arena.live, waiting, treeBytes: arena.bytes };
  }

  /**
   * Makes a child of the committed state final. Returns its changes, sorted by key, for one atomic batch; after
   * that batch call `written`. Rivals of the state are dropped.
   */
  finalise(state: State): readonly Change[] {
    const changes = state.succeed(this.#committed);
    this.#committed = state;
    return changes;
  }

  /** For `State` alone: gives up nodes, and whatever waits at them. */
  free(nodes: readonly NodeId[]): void {
    const { arena } = this.trie;
    for (const id of nodes) {
      if (arena.isLeaf(id)) this.waiting.delete(id);
      arena.free(id);
    }
  }

  /** Says that the base store answers with the changes of `state`, and of all before it. */
  written(state: State): void {
    state.settle();
  }

  /** Gives up a state that is not final, and all that stand on it. Nothing happens when it is gone already. */
  drop(state: State): void {
    if (state.usable) state.discard();
  }
}

/** The first six bytes of a key as a number, in the order of keys. */
function rankOf(key: Bytes): number {
  const high = ((key[0] ?? 0) << 16) | ((key[1] ?? 0) << 8) | (key[2] ?? 0);
  const low = ((key[3] ?? 0) << 16) | ((key[4] ?? 0) << 8) | (key[5] ?? 0);
  return high * 0x100_0000 + low;
}

/** Sorted by key, the order that trees and batches have. Most pairs are told apart by a number. */
export function sortByKey<T extends { readonly key: Bytes }>(items: readonly T[]): T[] {
  const ranked = items.map((item) => ({ item, rank: rankOf(item.key) }));
  ranked.sort((a, b) => a.rank - b.rank || compare(a.item.key, b.item.key));
  return ranked.map(({ item }) => item);
}
