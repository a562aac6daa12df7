import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, bytesOfKey, compare, concat, keyOf, toHex } from '../../src/codec/bytes.ts';
import { sha256, ZERO_HASH } from '../../src/codec/hash.ts';
import { Ledger, type State, sortByKey } from '../../src/ledger/state.ts';
import { bitOf, differAt, NONE } from '../../src/ledger/tree/arena.ts';
import { leafHash } from '../../src/ledger/tree/leaf.ts';
import { type Change, Delta, type Entry, Trie } from '../../src/ledger/tree/trie.ts';
import { generator, MemoryStore, named } from './support.ts';

/** The tree's definition, as plainly as it can be put. */
function naiveRoot(entries: readonly Entry[]): Bytes {
  if (entries.length === 0) return ZERO_HASH;
  if (entries.length === 1) return leafHash(entries[0]!.key, entries[0]!.value);
  for (let bit = 0; ; bit++) {
    const left = entries.filter(({ key }) => bitOf(key, bit) === 0);
    if (left.length === 0 || left.length === entries.length) continue;
    const right = entries.filter(({ key }) => bitOf(key, bit) === 1);
    return sha256(naiveRoot(left), naiveRoot(right));
  }
}

/** Prefix-free keys that share long prefixes: type, then few different bytes, in two lengths. */
function randomKey(next: (below: number) => number): Bytes {
  const type = next(2);
  const key = new Uint8Array(type === 0 ? 5 : 40).fill(next(8) === 0 ? 0xff : 0);
  key[0] = type;
  for (let i = 0; i < 3; i++) key[1 + next(4)] = next(6) * 50;
  if (type === 1) key[39] = next(3);
  return key;
}

const delta = (): Delta => new Delta();

function keysOf(trie: Trie, ...range: Parameters<Trie['range']>): Bytes[] {
  return trie.range(...range).map(({ key }) => key);
}

function entriesOf(model: ReadonlyMap<string, Bytes>): Entry[] {
  return sortByKey([...model].map(([text, value]) => ({ key: bytesOfKey(text), value })));
}

describe('keys', () => {
  it('finds the first differing bit and pads with zeros', () => {
    expect(differAt(Uint8Array.of(0b1010_0000), Uint8Array.of(0b1000_0000))).toBe(2);
    expect(differAt(Uint8Array.of(7), Uint8Array.of(7, 1))).toBe(15);
    expect(differAt(Uint8Array.of(7), Uint8Array.of(7, 0))).toBe(-1);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (a, b) => {
        const at = differAt(a, b);
        const until = at < 0 ? 48 : at;
        for (let bit = 0; bit < until; bit++) expect(bitOf(a, bit)).toBe(bitOf(b, bit));
        if (at >= 0) expect(bitOf(a, at)).not.toBe(bitOf(b, at));
      }),
    );
  });
});

describe('leaf hashes', () => {
  it('never hash 64 bytes, and no two leaves share a preimage', () => {
    const key = new Uint8Array(33).fill(9);
    const natural = new Uint8Array(30).fill(5);
    expect(toHex(leafHash(key, natural))).toBe(toHex(sha256(concat(Uint8Array.of(0, 33), key, natural))));
    const critical = new Uint8Array(29).fill(5);
    expect(toHex(leafHash(key, critical))).toBe(
      toHex(sha256(concat(Uint8Array.of(1, 33), key, critical, Uint8Array.of(0)))),
    );
    expect(toHex(leafHash(key, concat(critical, Uint8Array.of(0))))).not.toBe(toHex(leafHash(key, critical)));
    const large = new Uint8Array(60_000).fill(1);
    expect(toHex(leafHash(key, large))).toBe(toHex(sha256(concat(Uint8Array.of(0, 33), key, large))));
  });

  it('tell where the key ends', () => {
    expect(toHex(leafHash(Uint8Array.of(1, 2), Uint8Array.of(3)))).not.toBe(
      toHex(leafHash(Uint8Array.of(1), Uint8Array.of(2, 3))),
    );
  });
});

describe('the tree', () => {
  it('has the defined roots when empty, and with one leaf', () => {
    const trie = new Trie();
    expect(trie.rootHash(NONE)).toEqual(ZERO_HASH);
    const one = { key: Uint8Array.of(1, 2), value: Uint8Array.of(3) };
    const root = trie.update(NONE, [one], delta());
    expect(trie.rootHash(root)).toEqual(leafHash(one.key, one.value));
    expect(trie.update(root, [{ key: one.key, value: undefined }], delta())).toBe(NONE);
  });

  it('agrees with its definition after every batch, whatever the history', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const next = generator(seed);
      const trie = new Trie();
      const model = new Map<string, Bytes>();
      let root = NONE;
      for (let step = 0; step < 12; step++) {
        const batch = new Map<string, Bytes | undefined>();
        for (let n = next(30); n > 0; n--) {
          const value = next(3) === 0 ? undefined : Uint8Array.of(next(250), step);
          batch.set(keyOf(randomKey(next)), value);
        }
        const changes: Change[] = sortByKey(
          [...batch].map(([text, value]) => ({ key: bytesOfKey(text), value })),
        );
        const before = trie.rootHash(root);
        const made = delta();
        const updated = trie.update(root, changes, made);
        expect(trie.rootHash(root), 'the old tree is untouched').toEqual(before);
        for (const id of made.replaced) trie.arena.free(id);
        root = updated;
        for (const [text, value] of batch) {
          if (value === undefined) model.delete(text);
          else model.set(text, value);
        }
        const entries = entriesOf(model);
        expect(toHex(trie.rootHash(root)), `seed ${seed}, step ${step}`).toBe(toHex(naiveRoot(entries)));
        expect(trie.arena.live).toBe(Math.max(0, 2 * model.size - 1));
        expect(trie.arena.leaves).toBe(model.size);
        expect(keysOf(trie, root, new Uint8Array(0), Uint8Array.of(255), 1e6)).toEqual(
          entries.map(({ key }) => key),
        );
        const probe = randomKey(next);
        expect(trie.find(root, probe) !== NONE).toBe(model.has(keyOf(probe)));
      }
      const builder = trie.builder();
      for (const { key, value } of entriesOf(model)) builder.add(key, value);
      expect(trie.rootHash(builder.finish()), 'built at once').toEqual(trie.rootHash(root));
    }
  });

  it('lists ranges between arbitrary bounds', () => {
    const next = generator(99);
    const trie = new Trie();
    const model = new Map<string, Bytes>();
    for (let i = 0; i < 60; i++) model.set(keyOf(randomKey(next)), Uint8Array.of(i));
    const entries = entriesOf(model);
    const root = trie.update(NONE, entries, delta());
    const bound = fc.oneof(
      fc.uint8Array({ maxLength: 7 }),
      fc.constantFrom(...entries).map(({ key }) => key),
      fc.constantFrom(...entries).map(({ key }) => concat(key, new Uint8Array(1))),
      fc.constantFrom(...entries).map(({ key }) => key.subarray(0, key.length - 1)),
    );
    fc.assert(
      fc.property(bound, bound, fc.integer({ min: 1, max: 20 }), (from, to, limit) => {
        const wanted = entries.filter(({ key }) => compare(key, from) >= 0 && compare(key, to) < 0);
        expect(keysOf(trie, root, from, to, limit)).toEqual(wanted.slice(0, limit).map(({ key }) => key));
        const cursor = trie.seek(root, from);
        const below = entries.filter(({ key }) => compare(key, from) < 0).at(-1);
        const before = cursor.before === NONE ? undefined : trie.arena.key(trie.last(cursor.before));
        expect(before).toEqual(below?.key);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses unsorted batches and double frees as the bugs they are', () => {
    const trie = new Trie();
    const a = { key: Uint8Array.of(1, 1), value: Uint8Array.of(1) };
    const b = { key: Uint8Array.of(1, 2), value: Uint8Array.of(1) };
    expect(() => trie.update(NONE, [b, a], delta())).toThrow(/sorted/);
    const builder = trie.builder();
    builder.add(b.key, b.value);
    expect(() => builder.add(a.key, a.value)).toThrow(/sorted/);
    const made = delta();
    trie.update(NONE, [a], made);
    trie.arena.free(made.created[0]!);
    expect(() => trie.arena.free(made.created[0]!)).toThrow(/twice/);
  });
});

describe('states', () => {
  const put = (i: number, value: number): Change => ({
    key: accountKeyOf(i),
    value: Uint8Array.of(0x91, value),
  });
  const accountKeyOf = (i: number): Bytes => concat(Uint8Array.of(1), named(i));
  const batch = (...changes: Change[]): Change[] => sortByKey(changes);

  function ledgerOf(count: number): { ledger: Ledger; store: MemoryStore } {
    const entries = batch(...Array.from({ length: count }, (_, i) => put(i, 1))) as Entry[];
    const store = new MemoryStore(entries);
    return { ledger: Ledger.open(store, entries), store };
  }

  it('read through overlays, forks apart', () => {
    const { ledger, store } = ledgerOf(50);
    const base = ledger.committed;
    const a = base.child(batch(put(1, 7), { key: accountKeyOf(2), value: undefined }, put(100, 7)));
    const b = base.child(batch(put(1, 8)));
    const aa = a.child(batch(put(1, 9), put(2, 9)));
    const value = (state: typeof base, i: number): number | undefined => state.get(accountKeyOf(i))?.[1];
    expect([1, 2, 100].map((i) => value(base, i))).toEqual([1, 1, undefined]);
    expect([1, 2, 100].map((i) => value(a, i))).toEqual([7, undefined, 7]);
    expect([1, 2, 100].map((i) => value(b, i))).toEqual([8, 1, undefined]);
    expect([1, 2, 100].map((i) => value(aa, i))).toEqual([9, 9, 7]);
    expect([...aa.entries(undefined, undefined, 7)].length).toBe(51);
    expect([...a.entries(undefined, undefined, 7)].length).toBe(50);

    const first = ledger.finalise(a);
    expect(first.map(({ key }) => keyOf(key))).toEqual([...first.map(({ key }) => keyOf(key))].sort());
    expect(b.usable).toBe(false);
    expect(() => b.get(accountKeyOf(1))).toThrow(/dropped/);
    expect(() => base.get(accountKeyOf(1))).toThrow(/superseded/);
    expect(value(a, 1), 'readable before it is written').toBe(7);
    const second = ledger.finalise(aa);
    expect(value(aa, 100), 'two blocks are not written yet').toBe(7);
    store.write(first);
    ledger.written(a);
    expect([1, 2, 100].map((i) => value(aa, i))).toEqual([9, 9, 7]);
    store.write(second);
    ledger.written(aa);
    expect([1, 2, 100].map((i) => value(aa, i))).toEqual([9, 9, 7]);
    ledger.drop(b);
    expect(() => ledger.drop(aa)).toThrow(/final/);
    expect(() => ledger.finalise(aa)).toThrow(/order/);
  });

  it('use memory that is a function of the state, after many blocks with forks', () => {
    const { ledger, store } = ledgerOf(300);
    const base = ledger.statistics.nodes;
    expect(base).toBe(599);
    const next = generator(5);
    const some = (): Change[] => {
      const changes = new Map<number, Change>();
      for (let n = 1 + next(20); n > 0; n--) {
        const i = next(400);
        changes.set(i, next(4) === 0 ? { key: accountKeyOf(i), value: undefined } : put(i, next(200)));
      }
      return batch(...changes.values());
    };
    for (let height = 0; height < 150; height++) {
      const winner = ledger.committed.child(some());
      for (let n = next(3); n > 0; n--) ledger.committed.child(some()).child(some()).child(some());
      const loser = winner.child(some());
      loser.child(some());
      const heir = next(2) === 0 ? winner.child(some()) : undefined;
      store.write(ledger.finalise(winner));
      ledger.written(winner);
      ledger.drop(loser);
      if (heir !== undefined) ledger.drop(heir);
      expect(ledger.statistics.nodes).toBe(2 * store.values.size - 1);
    }
    const present = new Set([...ledger.committed.entries()].map(({ key }) => keyOf(key)));
    const back: Change[] = [];
    for (let i = 0; i < 400; i++) {
      if (i < 300) back.push(put(i, 1));
      else if (present.has(keyOf(accountKeyOf(i)))) back.push({ key: accountKeyOf(i), value: undefined });
    }
    const restored = ledger.committed.child(batch(...back));
    store.write(ledger.finalise(restored));
    expect(ledger.statistics.nodes).toBe(base);
    expect(restored.root).toEqual(ledgerOf(300).ledger.committed.root);
  });

  it('read right however late the store is, while ids of leaves are used again', () => {
    const { ledger, store } = ledgerOf(40);
    const next = generator(17);
    const model = new Map<number, number>(Array.from({ length: 40 }, (_, i) => [i, 1]));
    const late: { readonly state: State; readonly changes: readonly Change[] }[] = [];
    for (let height = 0; height < 400; height++) {
      const changes = new Map<number, Change>();
      for (let n = 1 + next(6); n > 0; n--) {
        const i = next(50);
        const value = next(200);
        changes.set(i, value < 40 ? { key: accountKeyOf(i), value: undefined } : put(i, value));
      }
      ledger.committed.child(batch(...changes.values())).child(batch(put(height % 50, 201)));
      const state = ledger.committed.child(batch(...changes.values()));
      for (const [i, { value }] of changes) {
        if (value === undefined) model.delete(i);
        else model.set(i, value[1]!);
      }
      late.push({ state, changes: ledger.finalise(state) });
      while (late.length > 0 && next(3) === 0) {
        // Several batches at once, confirmed by the newest alone.
        const count = 1 + next(late.length);
        const written = late.splice(0, count);
        for (const batchWritten of written) store.write(batchWritten.changes);
        ledger.written(written.at(-1)!.state);
      }
      for (let i = 0; i < 50; i++)
        expect(state.get(accountKeyOf(i))?.[1], `${height}/${i}`).toBe(model.get(i));
      expect([...state.entries()].length).toBe(model.size);
    }
    for (const { state, changes } of late) {
      store.write(changes);
      ledger.written(state);
    }
    expect(ledger.statistics.waiting).toBe(0);
    expect(ledger.statistics.nodes).toBe(2 * model.size - 1);
  });

  it('give the same root whatever the way to the same entries', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), fc.nat(3)), { maxLength: 60 }), (steps) => {
        const { ledger } = ledgerOf(10);
        const model = new Map<number, number>(Array.from({ length: 10 }, (_, i) => [i, 1]));
        let state = ledger.committed;
        for (const [i, value] of steps) {
          if (value === 0) model.delete(i);
          else model.set(i, value);
          state = state.child([value === 0 ? { key: accountKeyOf(i), value: undefined } : put(i, value)]);
        }
        const direct = batch(...[...model].map(([i, value]) => put(i, value))) as Entry[];
        expect(state.root).toEqual(Ledger.open(new MemoryStore(direct), direct).committed.root);
      }),
      { numRuns: 60 },
    );
  });
});
