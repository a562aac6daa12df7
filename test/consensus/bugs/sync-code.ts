/** A node at the genesis that asks a liar once, then an honest peer, over a real database. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBlock } from '../../../src/chain/block.ts';
import type { Bytes } from '../../../src/codec/bytes.ts';
import { Bodies } from '../../../src/node/bodies.ts';
import type { Peers } from '../../../src/node/peers.ts';
import { encodeRangeAnswer } from '../../../src/node/requests.ts';
import { RangeSync } from '../../../src/node/sync.ts';
import { InlineVerifier } from '../../../src/node/verify-pool.ts';
import { context, grow, startOn } from '../../hostile/chain.ts';
import { GENESIS_HASH, MAX_BLOCK_BYTES, set } from '../../hostile/samples.ts';

type Lie = 'headers of no chain' | 'a certificate of a later block' | 'a forged certificate';

const HEIGHT = 4;
const never = async (): Promise<undefined> => undefined;

async function catchUp(lie: Lie): Promise<{ tip: number; synced: number[]; punished: string[] }> {
  const root = await mkdtemp(join(tmpdir(), 'kryder-lying-height-'));
  try {
    const source = await startOn(join(root, 'source'), async (chain, database) => {
      for (let i = 0; i < HEIGHT; i++) await grow(chain);
      const blocks = Array.from({ length: HEIGHT }, (_, i) => chain.block(i + 1)!);
      return { blocks, finality: Array.from({ length: HEIGHT }, (_, i) => database.finality(i + 1)!) };
    });
    const { blocks, finality } = source;
    const answer = (from: number, count: number, headers: Bytes[], proof: Bytes): Bytes =>
      encodeRangeAnswer({
        blocks: blocks.slice(from, count).map(({ bytes }) => bytes),
        headers,
        finality: proof,
      });
    const far = { ...blocks[1]!.header, height: 1_000_000, view: 2_000_000 };
    const spoiled = finality[1]!.slice();
    spoiled[spoiled.length - 1]! ^= 1;
    const lies: Readonly<Record<Lie, Bytes>> = {
      'headers of no chain': answer(0, 2, [makeBlock(far, undefined, []).headerBytes], finality[1]!),
      'a certificate of a later block': answer(0, 2, [], finality[3]!),
      'a forged certificate': answer(0, 2, [], spoiled),
    };
    return await startOn(join(root, 'node'), async (chain) => {
      const punished: string[] = [];
      const synced: number[] = [];
      let asked = 0;
      const peers: Peers = {
        request: async (peer) =>
          peer === 'liar' ? lies[lie] : answer(chain.tip.height, HEIGHT, [], finality[HEIGHT - 1]!),
        ready: () => (asked++ === 0 ? ['liar'] : ['honest']),
        validator: () => undefined,
        penalise: (peer, offence) => punished.push(`${peer} ${offence}`),
      };
      const bodies = new Bodies({
        ...{ maxBlockBytes: MAX_BLOCK_BYTES, peers, sleep: never },
        verifier: new InlineVerifier(context),
        pool: { transactions: () => [], byWireHash: () => undefined },
      });
      const sync = new RangeSync({
        ...{ chain, bodies, peers, set, genesisHash: GENESIS_HASH, verifier: context.verifier },
        ...{ maxBlockBytes: MAX_BLOCK_BYTES, sleep: never, onProgress: () => undefined },
        onSynced: () => synced.push(chain.tip.height),
      });
      await sync.reach(blocks[HEIGHT - 1]!.header.view, AbortSignal.timeout(20_000));
      return { tip: chain.tip.height, synced, punished };
    });
  } finally {
    await rm(root, { recursive: true });
  }
}

export const code = { catchUp };
