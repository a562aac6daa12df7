/**
 * The real HTTP server over a chain of one process: every submission that passes the stateless check is final
 * at the next height. It knows just enough to answer the commands.
 */
import type { ApiBackend, BountyView } from '../../src/api/backend.ts';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { DEVNET_PARAMETERS, type Genesis } from '../../src/chain/genesis.ts';
import { type Bytes, equal, toHex } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { sodiumVerifier } from '../../src/node/crypto/sodium.ts';
import { checkTransaction } from '../../src/tx/check.ts';
import { bountyId } from '../../src/tx/encode.ts';
import { KIND_TRANSFER, OUTPUT_BOUNTY, type TransactionBody } from '../../src/tx/types.ts';
import { GENESIS } from '../tx/golden.ts';

export interface FakeNode {
  readonly api: ApiServer;
  readonly bodies: TransactionBody[];
  height: number;
  /** Submissions stay pending while this is set. */
  stalled: boolean;
}

const unused = (): never => {
  throw new Error('not part of this test');
};

export async function startFakeNode(): Promise<FakeNode> {
  const genesis: Genesis = {
    name: 'test',
    time: 0,
    parameters: DEVNET_PARAMETERS,
    accounts: [],
    validators: [],
    seed: new Uint8Array(32),
  };
  const finalAt = new Map<string, number>();
  const bounties: BountyView[] = [];
  const context = { genesisHash: GENESIS, parameters: DEVNET_PARAMETERS, verifier: sodiumVerifier() };

  const take = (bytes: Bytes): Bytes => {
    const tx = checkTransaction(bytes, context);
    const { body } = tx.decode();
    node.bodies.push(body);
    if (node.stalled) return tx.id;
    node.height++;
    finalAt.set(toHex(tx.id), node.height);
    if (body.kind === KIND_TRANSFER) {
      body.outputs.forEach((output, index) => {
        if (output.type !== OUTPUT_BOUNTY) return;
        const { type: _, ...terms } = output;
        bounties.push({
          id: bountyId(tx.id, index),
          bounty: { ...terms, status: 'open', deposit: 10_000n, postedAt: node.height },
        });
      });
    }
    return tx.id;
  };

  const backend: ApiBackend = {
    genesis,
    status: () => ({
      chainName: 'test\u001b[2J',
      genesisHash: GENESIS,
      version: '0',
      height: node.height,
      blockHash: new Uint8Array(32),
      blockTime: 0,
      view: 1,
      validators: 4,
      self: undefined,
      peers: [],
      addresses: [],
      mempool: { transactions: 0, bytes: 0 },
      syncing: false,
      uptimeSeconds: 1.5,
      warnings: [],
    }),
    unhealthy: () => undefined,
    warnings: () => [],
    submit: async (transactions) =>
      transactions.map((bytes) => {
        try {
          return { status: 'pending', id: take(bytes) };
        } catch (error) {
          if (!isProtocolError(error)) throw error;
          return { status: 'rejected', id: undefined, code: error.code, reason: error.message };
        }
      }),
    transactionStatus: (id, validUntil) => {
      const height = finalAt.get(toHex(id));
      if (height !== undefined) return { status: 'final', height, index: 0 };
      return { status: validUntil !== undefined && validUntil < node.height ? 'expired' : 'pending' };
    },
    account: () => ({ height: node.height, balance: 5_250_000n, pending: 1n }),
    bounties: (tag, after, limit) => {
      const all = bounties.filter(({ bounty }) => equal(bounty.tag, tag));
      const start = after === undefined ? 0 : all.findIndex(({ id }) => equal(id, after)) + 1;
      return { height: node.height, bounties: all.slice(start, start + limit) };
    },
    transactionProof: unused,
    accountProof: unused,
    bountiesProof: unused,
    block: () => undefined,
    supply: unused,
    onFinal: () => () => {},
  };
  const api = await startApi({ host: '127.0.0.1', port: 0, backend, onError: () => {} });
  const node: FakeNode = { api, bodies: [], height: 100, stalled: false };
  return node;
}
