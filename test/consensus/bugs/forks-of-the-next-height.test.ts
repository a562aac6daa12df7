/**
 * ava-labs #562: a window that is waived for the very next height lets in any number of different blocks for it. Here
 * what is held of blocks that are not final is bounded by count, whatever height they claim.
 */
import { expect } from 'vitest';
import { makeBlock } from '../../../src/chain/block.ts';
import { block, header } from '../../hostile/samples.ts';
import { against } from './against.ts';
import { type BlocksCode, code } from './blocks-code.ts';

type Bodies = InstanceType<BlocksCode['Bodies']>;

const FORKS = Array.from({ length: 700 }, (_, i) =>
  makeBlock({ ...header, time: header.time + i }, undefined, []),
);

function bodiesOf({ Bodies }: BlocksCode): Bodies {
  return new Bodies({
    maxBlockBytes: 1_000_000,
    peers: {
      request: () => new Promise(() => undefined),
      ready: () => [],
      validator: () => undefined,
      penalise: () => undefined,
    },
    verifier: { pending: 0, check: async () => [], close: async () => undefined },
    pool: { transactions: () => [], byWireHash: () => undefined },
    sleep: () => new Promise(() => undefined),
  });
}

against('any number of forks of the next height (#562)', {
  module: 'blocks-code.ts',
  code,
  check: (given) => {
    const bodies = bodiesOf(given);
    for (const { hash, headerBytes, parentCertificate } of FORKS) {
      bodies.offer(hash, { vote: hash, headerBytes, parentCertificate, shortIds: new Uint8Array(0) }, 'p');
    }
    expect(FORKS.filter(({ hash }) => bodies.offered(hash)).length).toBeLessThanOrEqual(64);
    for (const fork of FORKS) bodies.remember({ block: fork, transactions: [], invalid: undefined });
    const held = FORKS.filter(({ hash }) => bodies.get(hash) !== undefined);
    expect(held.length).toBeLessThanOrEqual(512);
    // The newest stay, and what is final makes room.
    expect(held.at(-1)).toBe(FORKS.at(-1));
    bodies.prune(header.height);
    expect(FORKS.filter(({ hash }) => bodies.get(hash) !== undefined || bodies.offered(hash))).toEqual([]);
    expect(bodies.get(block.hash)).toBeUndefined();
  },
  bugs: {
    'every proposal is taken note of': [
      {
        file: 'node/bodies.ts',
        find: 'if (this.#offers.size >= MAX_OFFERS) {',
        replace: 'if (this.#offers.size >= 1e9) {',
      },
    ],
    'every body is kept': [
      {
        file: 'node/bodies.ts',
        find: '(this.#assembled.size <= MAX_ASSEMBLED && bytes <= MAX_ASSEMBLED_BYTES)',
        replace: 'bytes <= MAX_ASSEMBLED_BYTES',
      },
    ],
    'what is final stays': [
      {
        file: 'node/bodies.ts',
        find: 'if (block.header.height <= height) this.#assembled.delete(key);',
        replace: 'if (block.header.height < height) this.#assembled.delete(key);',
      },
    ],
  },
});
