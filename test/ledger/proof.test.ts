import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, bytesOfKey, compare, concat, equal, keyOf } from '../../src/codec/bytes.ts';
import { sha256, ZERO_HASH } from '../../src/codec/hash.ts';
import { EVERYTHING } from '../../src/ledger/keys.ts';
import { Ledger, type State, sortByKey } from '../../src/ledger/state.ts';
import { leafHash } from '../../src/ledger/tree/leaf.ts';
import {
  decodeProof,
  encodeProof,
  type ProvenRange,
  proofRoot,
  successor,
  type TreeProof,
  verifyEntry,
  verifyRange,
} from '../../src/ledger/tree/proof.ts';
import type { Entry } from '../../src/ledger/tree/trie.ts';
import { codeOf, generator, MemoryStore } from './support.ts';

function treeOf(entries: readonly Entry[]): State {
  return Ledger.open(new MemoryStore(entries), entries).committed;
}

function randomEntries(seed: number, count: number): Entry[] {
  const next = generator(seed);
  const model = new Map<string, Bytes>();
  for (let i = 0; i < count; i++) {
    const key = new Uint8Array(next(2) === 0 ? 4 : 6);
    key[0] = key.length;
    key[1] = next(4) * 70;
    key[2] = next(256);
    model.set(keyOf(key), new Uint8Array(next(40)).fill(i));
  }
  return sortByKey([...model].map(([text, value]) => ({ key: bytesOfKey(text), value })));
}

const entries = randomEntries(7, 90);
const state = treeOf(entries);

const bound = fc.oneof(
  fc.uint8Array({ maxLength: 7 }),
  fc.constantFrom(...entries).map(({ key }) => key),
  fc.constantFrom(...entries).map(({ key }) => successor(key)),
  fc.constantFrom(...entries).map(({ key }) => key.subarray(0, key.length - 1)),
);
const range = fc.tuple(bound, bound).filter(([from, to]) => compare(from, to) < 0);

const inRange = (from: Bytes, to: Bytes): Entry[] =>
  entries.filter(({ key }) => compare(key, from) >= 0 && compare(key, to) < 0);

describe('range proofs', () => {
  it('show exactly the entries of a range, page by page, and survive their encoding', () => {
    fc.assert(
      fc.property(range, fc.integer({ min: 1, max: 12 }), ([from, to], limit) => {
        const found: Entry[] = [];
        let start: Bytes | undefined = from;
        while (start !== undefined) {
          const bytes = encodeProof(state.proveRange(start, to, limit));
          const proof = decodeProof(bytes);
          expect(encodeProof(proof)).toEqual(bytes);
          const page: ProvenRange = verifyRange(state.root, start, to, proof);
          expect(page.entries.length).toBeLessThanOrEqual(limit);
          if (page.next !== undefined) expect(page.entries.length).toBe(limit);
          found.push(...page.entries);
          start = page.next;
        }
        expect(found).toEqual(inRange(from, to));
      }),
      { numRuns: 400 },
    );
  });

  it('prove presence and absence of single keys', () => {
    for (const { key, value } of entries) {
      const proof = state.prove(key);
      expect(proof.leaves.length).toBe(1);
      expect(verifyEntry(state.root, key, proof)).toEqual(value);
      const beside = concat(key.subarray(0, key.length - 1), Uint8Array.of(1));
      const absent = state.prove(beside);
      expect(absent.leaves.length).toBeLessThanOrEqual(2);
      expect(verifyEntry(state.root, beside, absent)).toBeUndefined();
      // The last leaf's own proof shows that nothing follows it; every other shows its leaf alone.
      const verdict = proof.right.length === 0 ? 'ok' : 'PROOF_RANGE';
      expect(codeOf(() => verifyEntry(state.root, beside, proof))).toBe(verdict);
    }
  });

  it('work on the empty tree and on a single leaf', () => {
    const empty = treeOf([]);
    expect(verifyEntry(ZERO_HASH, Uint8Array.of(1), empty.prove(Uint8Array.of(1)))).toBeUndefined();
    expect(codeOf(() => verifyEntry(state.root, Uint8Array.of(1), empty.prove(Uint8Array.of(1))))).toBe(
      'PROOF_ROOT',
    );
    const one = { key: Uint8Array.of(5, 5), value: Uint8Array.of(1) };
    const single = treeOf([one]);
    for (const key of [Uint8Array.of(1), one.key, Uint8Array.of(9)]) {
      const proof = decodeProof(encodeProof(single.prove(key)));
      expect(verifyEntry(single.root, key, proof)).toEqual(equal(key, one.key) ? one.value : undefined);
    }
    const whole = verifyRange(
      single.root,
      EVERYTHING.from,
      EVERYTHING.to,
      single.proveRange(EVERYTHING.from, EVERYTHING.to, 5),
    );
    expect(whole).toEqual({ entries: [one], next: undefined });
  });

  it('are bounded by the length of the keys', () => {
    const proof = state.prove(entries[40]!.key);
    expect((proof.left.length + proof.right.length) / 32).toBeLessThanOrEqual(8 * entries[40]!.key.length);
    // A chain of one-sided branches, longer than any key.
    const leaf = { key: Uint8Array.of(1), value: Uint8Array.of(1) };
    const deep = (depth: number): TreeProof => {
      const bits = [...Array.from({ length: depth }, () => 1), ...Array.from({ length: depth + 1 }, () => 0)];
      const shape = new Uint8Array(Math.ceil(bits.length / 8));
      bits.forEach((bit, i) => {
        shape[i >> 3]! |= bit << (7 - (i & 7));
      });
      return { shape, left: new Uint8Array(0), leaves: [leaf], right: new Uint8Array(32 * depth) };
    };
    expect(codeOf(() => proofRoot(deep(8)))).toBe('ok');
    expect(codeOf(() => proofRoot(deep(9)))).toBe('PROOF_SHAPE');
    expect(codeOf(() => proofRoot(deep(1_000)))).toBe('PROOF_SHAPE');
    expect(codeOf(() => proofRoot(deep(100_000)))).toBe('PROOF_SHAPE');
  });

  it('refuse to prove what they do not show', () => {
    const [a, b, c, d] = entries.slice(30, 34) as [Entry, Entry, Entry, Entry];
    const proof = state.proveRange(b.key, d.key, 10);
    const root = state.root;
    expect(
      codeOf(() => verifyRange(root, a.key, d.key, proof)),
      'starts too late',
    ).toBe('PROOF_RANGE');
    expect(codeOf(() => verifyRange(root, successor(a.key), d.key, proof))).toBe('PROOF_RANGE');
    expect(verifyRange(root, b.key, entries[40]!.key, proof).next, 'ends too early').toEqual(
      successor(d.key),
    );
    expect(
      codeOf(() => verifyRange(root, c.key, d.key, proof)),
      'more than asked',
    ).toBe('PROOF_RANGE');
    expect(
      codeOf(() => verifyRange(root, b.key, c.key, proof)),
      'more than asked',
    ).toBe('PROOF_RANGE');
    expect(
      codeOf(() => verifyRange(root, d.key, b.key, proof)),
      'empty range',
    ).toBe('PROOF_RANGE');
    const beyond = Uint8Array.of(0xfe);
    expect(codeOf(() => verifyRange(root, beyond, Uint8Array.of(0xff), proof))).toBe('PROOF_RANGE');
    expect(codeOf(() => verifyEntry(root, a.key, state.prove(b.key)))).toBe('PROOF_RANGE');
    expect(codeOf(() => verifyEntry(treeOf(entries.slice(1)).root, b.key, state.prove(b.key)))).toBe(
      'PROOF_ROOT',
    );
  });

  it('cannot hide a leaf behind a hash, nor pass an inner node for a leaf', () => {
    const [a, b, c] = entries.slice(0, 3) as [Entry, Entry, Entry];
    const tree = treeOf([a, b, c]);
    const whole = tree.proveRange(EVERYTHING.from, EVERYTHING.to, 10);
    const ab = sha256(leafHash(a.key, a.value), leafHash(b.key, b.value));
    const abFirst = equal(tree.root, sha256(ab, leafHash(c.key, c.value)));
    // The same tree with the middle leaf given as a bare hash: shape and root would fit, the run does not.
    const leaves = [a, c];
    for (const side of ['left', 'right'] as const) {
      const hidden = { ...whole, leaves, [side]: leafHash(b.key, b.value) };
      expect(codeOf(() => verifyRange(tree.root, EVERYTHING.from, EVERYTHING.to, hidden))).toBe('PROOF_ROOT');
    }
    const pair = abFirst ? [a, b] : [b, c];
    const inner = concat(leafHash(pair[0]!.key, pair[0]!.value), leafHash(pair[1]!.key, pair[1]!.value));
    for (let split = 1; split < 63; split++) {
      const forged = { key: inner.subarray(0, split), value: inner.subarray(split) };
      expect(equal(leafHash(forged.key, forged.value), sha256(inner))).toBe(false);
    }
  });

  it('have one form for one run: a hash is never opened into hashes', () => {
    const list = [Uint8Array.of(0, 1), Uint8Array.of(0, 2), Uint8Array.of(9)].map((key) => ({
      key,
      value: key,
    }));
    const tree = treeOf(list);
    const proof = tree.prove(list[2]!.key);
    expect(proof).toMatchObject({ shape: Uint8Array.of(0b1000_0000), leaves: [list[2]] });
    const [a, b] = list.map(({ key, value }) => leafHash(key, value)) as [Bytes, Bytes];
    const opened = { ...proof, shape: Uint8Array.of(0b1100_0000), left: concat(a, b) };
    expect(equal(sha256(a, b), proof.left)).toBe(true);
    expect(codeOf(() => verifyEntry(tree.root, list[2]!.key, opened))).toBe('PROOF_SHAPE');
  });

  it('every changed proof fails or proves the same', () => {
    const next = generator(11);
    let same = 0;
    for (let round = 0; round < 4_000; round++) {
      const from =
        next(2) === 0 ? entries[next(entries.length)]!.key : new Uint8Array(next(6)).fill(next(256));
      const to = next(2) === 0 ? entries[next(entries.length)]!.key : Uint8Array.of(next(8), next(256));
      if (compare(from, to) >= 0) continue;
      const bytes = encodeProof(state.proveRange(from, to, 1 + next(6))).slice();
      const before = verifyRange(state.root, from, to, decodeProof(bytes));
      const kind = next(4);
      let mutated: Bytes = bytes;
      if (kind === 0) mutated[next(bytes.length)]! ^= 1 << next(8);
      else if (kind === 1) mutated = bytes.subarray(0, next(bytes.length));
      else if (kind === 2) {
        const at = next(bytes.length);
        mutated = concat(bytes.subarray(0, at), Uint8Array.of(next(256)), bytes.subarray(at));
      } else {
        const at = next(bytes.length - 1);
        const length = 1 + next(40);
        mutated = concat(bytes.subarray(0, at), bytes.subarray(at + length));
      }
      const outcome = codeOf(() => {
        const after = verifyRange(state.root, from, to, decodeProof(mutated));
        expect(after).toEqual(before);
      });
      if (outcome === 'ok') same++;
      else expect(outcome).toMatch(/^(CODEC|PROOF)_/);
    }
    expect(same, 'only mutations that changed nothing').toBeLessThan(40);
  });

  it('every rebuilt structure fails or proves what is true', () => {
    const next = generator(12);
    const whole = inRange(EVERYTHING.from, EVERYTHING.to);
    for (let round = 0; round < 3_000; round++) {
      const from = entries[next(entries.length)]!.key;
      const to = next(2) === 0 ? successor(from) : entries[next(entries.length)]!.key;
      if (compare(from, to) >= 0) continue;
      const proof = state.proveRange(from, to, 1 + next(6));
      const leaves = proof.leaves.slice();
      const hash = (): Bytes => leafHash(whole[next(whole.length)]!.key, whole[next(whole.length)]!.value);
      const edits: readonly (() => TreeProof)[] = [
        () => ({ ...proof, leaves: leaves.slice(1) }),
        () => ({ ...proof, leaves: leaves.slice(0, -1) }),
        () => ({
          ...proof,
          leaves: leaves.slice(1),
          left: concat(proof.left, leafHash(leaves[0]!.key, leaves[0]!.value)),
        }),
        () => ({
          ...proof,
          leaves: leaves.slice(0, -1),
          right: concat(leafHash(leaves.at(-1)!.key, leaves.at(-1)!.value), proof.right),
        }),
        () => ({ ...proof, left: proof.right, right: proof.left }),
        () => ({ ...proof, leaves: [...leaves, whole[next(whole.length)]!] }),
        () => ({ ...proof, leaves: leaves.toReversed() }),
        () => ({ ...proof, right: concat(proof.right, hash()) }),
        () => ({ ...proof, left: proof.left.subarray(32) }),
        () => ({
          ...proof,
          shape: proof.shape.map((byte, i) =>
            i === next(proof.shape.length) ? byte ^ (1 << next(8)) : byte,
          ),
        }),
        () => ({ ...proof, shape: concat(proof.shape, new Uint8Array(1)) }),
      ];
      const forged = edits[next(edits.length)]!();
      try {
        const { entries: shown, next: rest } = verifyRange(state.root, from, to, forged);
        expect(shown).toEqual(inRange(from, rest ?? to));
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/^PROOF_/);
      }
    }
  });

  it('arbitrary bytes never crash the decoder', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const code = codeOf(() => verifyEntry(state.root, Uint8Array.of(1), decodeProof(bytes)));
        expect(code).toMatch(/^(CODEC|PROOF)_/);
      }),
    );
    const counts = Uint8Array.of(0x94, 0xc4, 0, 0xc4, 0, 0xdd, 0xff, 0xff, 0xff, 0xff);
    expect(codeOf(() => decodeProof(counts))).toBe('CODEC_BOUNDS');
    expect(codeOf(() => decodeProof(new Uint8Array(4_194_305)))).toBe('PROOF_SHAPE');
  });
});
