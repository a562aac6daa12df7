import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, toHex } from '../../src/codec/bytes.ts';
import { sha256, ZERO_HASH } from '../../src/codec/hash.ts';
import { Frontier } from '../../src/ledger/frontier.ts';
import {
  decodeMerklePath,
  encodeMerklePath,
  headerLeaf,
  merklePath,
  merkleRoot,
  transactionLeaf,
  transactionLeaves,
  transactionRoot,
  verifyMerklePath,
} from '../../src/ledger/merkle.ts';
import { codeOf, named } from './support.ts';

/** RFC 6962 §2.1, as it is written. */
function rfc6962(leaves: readonly Bytes[]): Bytes {
  if (leaves.length === 0) return ZERO_HASH;
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return sha256(rfc6962(leaves.slice(0, k)), rfc6962(leaves.slice(k)));
}

const leaf = (i: number): Bytes => headerLeaf(named(i));
const leavesOf = (count: number): Bytes[] => Array.from({ length: count }, (_, i) => leaf(i));

describe('lists', () => {
  it('have the shape of RFC 6962, by layers and by appending', () => {
    let frontier = Frontier.EMPTY;
    for (let count = 0; count <= 70; count++) {
      const leaves = leavesOf(count);
      const root = toHex(rfc6962(leaves));
      expect(toHex(merkleRoot(concat(...leaves)))).toBe(root);
      expect(toHex(frontier.root())).toBe(root);
      expect(toHex(Frontier.decode(frontier.encode()).root())).toBe(root);
      expect(frontier.count).toBe(count);
      frontier = frontier.append(leaf(count));
    }
  });

  it('commit to ids and full bytes, and to nothing twice', () => {
    const tx = (i: number): { id: Bytes; wireHash: Bytes } => ({
      id: named(`id ${i}`),
      wireHash: named(`wire ${i}`),
    });
    expect(transactionRoot([])).toEqual(ZERO_HASH);
    expect(transactionRoot([tx(1)])).toEqual(sha256(concat(Uint8Array.of(0), tx(1).id, tx(1).wireHash)));
    // Duplicating the odd node would give both lists one root (CVE-2012-2459).
    expect(transactionRoot([tx(1), tx(2), tx(3)])).not.toEqual(transactionRoot([tx(1), tx(2), tx(3), tx(3)]));
    expect(transactionRoot([tx(1), tx(2)])).not.toEqual(transactionRoot([tx(2), tx(1)]));
  });

  it('prove membership, at every place and length', () => {
    for (let count = 1; count <= 33; count++) {
      const leaves = concat(...leavesOf(count));
      const root = merkleRoot(leaves);
      for (let i = 0; i < count; i++) {
        const bytes = encodeMerklePath(merklePath(leaves, i));
        const path = decodeMerklePath(bytes);
        expect(encodeMerklePath(path)).toEqual(bytes);
        expect(verifyMerklePath(root, leaf(i), path)).toBe(true);
        expect(verifyMerklePath(root, leaf(i + 1), path)).toBe(false);
      }
    }
  });

  it('no changed path proves another thing', () => {
    const list = Array.from({ length: 21 }, (_, i) => ({
      id: named(`id ${i}`),
      wireHash: named(`wire ${i}`),
    }));
    const leaves = transactionLeaves(list);
    const root = transactionRoot(list);
    fc.assert(
      fc.property(fc.nat(20), fc.nat(), fc.nat(7), (index, at, bit) => {
        const bytes = encodeMerklePath(merklePath(leaves, index)).slice();
        bytes[at % bytes.length]! ^= 1 << bit;
        const tx = list[index]!;
        const code = codeOf(() => {
          expect(verifyMerklePath(root, transactionLeaf(tx.id, tx.wireHash), decodeMerklePath(bytes))).toBe(
            false,
          );
        });
        if (code !== 'ok') expect(code).toMatch(/^(CODEC|PROOF)_/);
      }),
      { numRuns: 500 },
    );
  });

  it('refuse paths and frontiers that do not fit', () => {
    const siblings = [named(1), named(2)];
    expect(codeOf(() => decodeMerklePath(encodeMerklePath({ sides: 4, siblings })))).toBe('PROOF_SHAPE');
    expect(
      codeOf(() => decodeMerklePath(encodeMerklePath({ sides: 0, siblings: [named(1).subarray(1)] }))),
    ).toBe('PROOF_SHAPE');
    expect(verifyMerklePath(named(1), named(1), { sides: 1, siblings: [] })).toBe(false);
    const encoded = Frontier.EMPTY.append(leaf(0)).append(leaf(1)).encode();
    encoded[1] = 3;
    expect(codeOf(() => Frontier.decode(encoded))).toBe('ENTRY_SHAPE');
  });
});
