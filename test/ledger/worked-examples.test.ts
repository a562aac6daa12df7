import { describe, expect, it } from 'vitest';
import { type Bytes, concat, toHex } from '../../src/codec/bytes.ts';
import { Frontier } from '../../src/ledger/frontier.ts';
import {
  encodeMerklePath,
  headerLeaf,
  merklePath,
  transactionLeaves,
  transactionRoot,
} from '../../src/ledger/merkle.ts';
import { Ledger } from '../../src/ledger/state.ts';
import { leafHash } from '../../src/ledger/tree/leaf.ts';
import { encodeProof } from '../../src/ledger/tree/proof.ts';
import { MemoryStore } from './support.ts';

/** The worked examples of docs/protocol.md §7.3 to §7.5; those of §7.2 are pinned in entries.test.ts. */
const filled = (byte: number, length = 32): Bytes => new Uint8Array(length).fill(byte);

describe('worked examples', () => {
  it('of the tree and its proofs', () => {
    const entries = [
      { key: Uint8Array.of(0, 0, 1), value: Uint8Array.of(0x2a) },
      { key: Uint8Array.of(0, 0, 2), value: Uint8Array.of(0x2b) },
      { key: concat(Uint8Array.of(1), filled(0x80)), value: Uint8Array.of(0x91, 5) },
    ];
    const state = Ledger.open(new MemoryStore(entries), entries).committed;
    expect(toHex(state.root)).toBe('7540fe981773a2c80cffc08c69a435cb0110a4e5fd3c65f86e44b80d39a7ad32');
    const a = '7ff1add6383e2bd876ef3a34d2e770261dc6bf92ced6d5276bd07ec33946b0ec';
    const c = '3e36e04c3a9e08e3b5fb86603f7bf2bea5d3d47a2c87a00da26c5f781bb4de09';
    expect(toHex(encodeProof(state.prove(entries[1]!.key)))).toBe(
      `94c401c0c420${a}9192c403000002c4012bc420${c}`,
    );
    expect(toHex(encodeProof(state.prove(Uint8Array.of(0, 0, 3))))).toBe(
      `94c401c0c420${a}9292c403000002c4012b92c42101${'80'.repeat(32)}c4029105c400`,
    );
    expect(toHex(leafHash(Uint8Array.of(0, 0, 1), filled(9, 59)))).toBe(
      '8085ff623a01babfb3f90b46e2b2029012ff2263362b3a291b000c3178500082',
    );
  });

  it('of lists', () => {
    const list = [1, 2, 3].map((i) => ({ id: filled(i), wireHash: filled(0x10 + i) }));
    expect(toHex(transactionRoot(list))).toBe(
      '52c4e67631f544ce8920aaaeb44eb5eb3491a2c985e267573ec18ede1f679d1f',
    );
    expect(toHex(encodeMerklePath(merklePath(transactionLeaves(list), 2)))).toBe(
      '9201c420b7f186c9c812506ed07e8d30a84466704b0a06f28e718377c2def0af3ff3ac83',
    );
    let frontier = Frontier.EMPTY;
    for (const i of [1, 2, 3]) frontier = frontier.append(headerLeaf(filled(i)));
    expect(toHex(frontier.encode())).toBe(
      '9203c440bc491b53571a08972a0bf5653f2322dc9561664a0850fcb0a8c7837b9f806549' +
        'acaa04663a8547a2f70c60cc18f9378796b13c4f9a08f70d6adae662365b30c6',
    );
    expect(toHex(frontier.root())).toBe('be7d66f9de9b5d8dd79c13daf1b6f7b26fad1c22e34c5494c96345d2ca3778af');
  });
});
