/** How a body is put together: from the mempool, from pulled transactions, from whole blocks, and from liars. */
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Block, joinBlock, makeBlock, parentCertificateHash } from '../../src/chain/block.ts';
import { type CompactProposal, shortIds } from '../../src/chain/compact.ts';
import { DEVNET_PARAMETERS } from '../../src/chain/genesis.ts';
import { type Bytes, keyOf } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { transactionRoot } from '../../src/ledger/merkle.ts';
import { Bodies } from '../../src/node/bodies.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import type { Peers } from '../../src/node/peers.ts';
import { decodeTransactionsRequest, encodeTransactionList, METHOD } from '../../src/node/requests.ts';
import { InlineVerifier } from '../../src/node/verify-pool.ts';
import { planTransfer, signTransaction } from '../../src/tx/build.ts';
import { type CheckedTransaction, checkTransaction } from '../../src/tx/check.ts';
import { OUTPUT_PAY } from '../../src/tx/types.ts';
import { EXAMPLE_HEADER } from '../chain/examples.ts';
import { freshSalt, named } from '../ledger/support.ts';

const GENESIS = named('genesis');
const verifier = selectVerifier();
const context = { genesisHash: GENESIS, parameters: DEVNET_PARAMETERS, verifier };
const key = selectSigningKeys()(named('sender'));
const MAX = DEVNET_PARAMETERS.maxBlockBytes;
const CERTIFICATE = named('certificate');

function signed(): CheckedTransaction {
  const outputs = [{ type: OUTPUT_PAY, to: named('receiver'), amount: 20_000n } as const];
  const plan = { from: key.publicKey, outputs, validUntil: 9, salt: freshSalt() };
  return checkTransaction(
    signTransaction(planTransfer(plan, DEVNET_PARAMETERS, 1n), GENESIS, [key]).bytes,
    context,
  );
}

function blockOf(transactions: readonly { id: Bytes; wireHash: Bytes; bytes: Bytes }[]): Block {
  const header = {
    ...EXAMPLE_HEADER,
    parentCertificateHash: parentCertificateHash(CERTIFICATE),
    transactionRoot: transactionRoot(transactions),
  };
  return makeBlock(
    header,
    CERTIFICATE,
    transactions.map(({ bytes }) => bytes),
  );
}

/** The same bytes but for the last one: a signature that does not verify. */
function spoiled(bytes: Bytes): Bytes {
  const copy = bytes.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
}

type Answer = (peer: string, method: number, payload: Bytes) => Bytes;

class Harness {
  readonly asked: [string, number][] = [];
  readonly punished: string[] = [];
  readonly pool: CheckedTransaction[] = [];
  /** How long every wait takes, in milliseconds. */
  patience = 1;
  answer: (...args: Parameters<Answer>) => Bytes | Promise<Bytes> = () => {
    throw new ProtocolError('REMOTE_ERROR', 'nothing here');
  };
  readonly bodies: Bodies;

  constructor() {
    const peers: Peers = {
      request: async (peer, method, payload, { signal }) => {
        this.asked.push([peer, method]);
        const answer = this.answer(peer, method, payload);
        const cancelled = new Promise<Bytes>((_resolve, reject) => {
          signal?.addEventListener('abort', () =>
            reject(new ProtocolError('REQUEST_CANCELLED', 'cancelled')),
          );
        });
        return await Promise.race([answer, cancelled]);
      },
      ready: () => ['x', 'y'],
      validator: () => undefined,
      penalise: (peer) => this.punished.push(peer),
    };
    this.bodies = new Bodies({
      maxBlockBytes: MAX,
      peers,
      verifier: new InlineVerifier(context),
      pool: {
        transactions: () => this.pool,
        byWireHash: (hash) => this.pool.find((tx) => keyOf(tx.wireHash) === keyOf(hash)),
      },
      sleep: (_, signal) => delay(this.patience, undefined, { signal }),
    });
  }

  offer(
    block: Block,
    ids = shortIds(
      block.hash,
      block.transactions.map((tx) => sha256(tx)),
    ),
    from = 'leader',
  ): void {
    const { headerBytes, parentCertificate } = block;
    const proposal: CompactProposal = { vote: named('vote'), headerBytes, parentCertificate, shortIds: ids };
    this.bodies.offer(block.hash, proposal, from, from === 'leader');
  }

  want(block: Block, preferred: string[] = []) {
    return this.bodies.want(block.hash, preferred, AbortSignal.timeout(5_000));
  }
}

let h: Harness;
beforeEach(() => {
  h = new Harness();
});
const transactions = Array.from({ length: 5 }, signed);
const block = blockOf(transactions);

describe('a body', () => {
  it('comes out of the mempool without a single request', async () => {
    h.pool.push(...transactions);
    h.offer(block);
    const assembled = await h.want(block);
    expect(assembled.block.bytes).toEqual(block.bytes);
    expect(assembled.transactions.map((tx) => tx.id)).toEqual(transactions.map((tx) => tx.id));
    expect(h.asked).toEqual([]);
    expect(h.bodies.get(block.hash)).toBe(assembled);
  });

  it('has only its missing transactions pulled, from who proposed it', async () => {
    h.pool.push(transactions[0]!, transactions[3]!);
    h.answer = (_, method, payload) => {
      expect(method).toBe(METHOD.transactions);
      const { indexes } = decodeTransactionsRequest(payload, MAX);
      expect(indexes).toEqual([1, 2, 4]);
      return encodeTransactionList(indexes.map((i) => transactions[i]!.bytes));
    };
    h.offer(block);
    expect((await h.want(block)).block.bytes).toEqual(block.bytes);
    expect(h.asked).toEqual([['leader', METHOD.transactions]]);
  });

  it('is fetched whole where what was pulled does not add up', async () => {
    h.answer = (_, method) =>
      method === METHOD.transactions
        ? encodeTransactionList(transactions.map((_tx, i) => transactions[4 - i]!.bytes))
        : block.bytes;
    h.offer(block);
    expect((await h.want(block)).block.bytes).toEqual(block.bytes);
    expect(h.asked.map(([, method]) => method)).toEqual([METHOD.transactions, METHOD.block]);
  });

  it('is fetched whole without any proposal, from the preferred peer first', async () => {
    h.answer = () => block.bytes;
    expect((await h.want(block, ['preferred'])).block.bytes).toEqual(block.bytes);
    expect(h.asked).toEqual([['preferred', METHOD.block]]);
  });

  it('is asked of others when a peer sends another block, junk, or too much', async () => {
    const answers = [blockOf([]).bytes, named('junk'), new Uint8Array(0), block.bytes];
    h.answer = () => answers.shift()!;
    expect((await h.want(block)).block.bytes).toEqual(block.bytes);
    expect(h.asked.length).toBe(4);
    expect(h.punished.length).toBe(3);
  });
});

describe('with liars among those who pass on its proposal', () => {
  const never = new Promise<Bytes>(() => undefined);
  const pulled = (payload: Bytes): Bytes =>
    encodeTransactionList(decodeTransactionsRequest(payload, MAX).indexes.map((i) => transactions[i]!.bytes));

  it('a body does not wait for who sent false short ids and is silent, once the leader has spoken', async () => {
    h.answer = (peer, _, payload) => (peer === 'leader' ? pulled(payload) : never);
    h.offer(block, named('false').slice(0, 24), 'liar');
    const waiting = h.want(block);
    await delay(10);
    expect(h.asked).toEqual([['liar', METHOD.transactions]]);
    h.offer(block);
    expect((await waiting).block.bytes).toEqual(block.bytes);
    expect(h.asked.slice(1)).toEqual([['leader', METHOD.transactions]]);
  });

  it('nor when there are others left to ask who had passed the false ids on', async () => {
    h.patience = 1_000;
    h.answer = (peer, _, payload) => (peer === 'leader' ? pulled(payload) : never);
    for (const peer of ['liar', 'second', 'third']) h.offer(block, named('false').slice(0, 24), peer);
    const waiting = h.want(block);
    await delay(10);
    expect(h.asked).toEqual([['liar', METHOD.transactions]]);
    h.offer(block);
    expect((await waiting).block.bytes).toEqual(block.bytes);
  });

  it('a body is pulled from the next one when the first ones are silent', async () => {
    h.answer = (peer, _, payload) => (peer === 'third' ? pulled(payload) : never);
    for (const peer of ['first', 'second', 'third']) h.offer(block, undefined, peer);
    expect((await h.want(block)).block.bytes).toEqual(block.bytes);
    expect(h.asked.map(([peer]) => peer)).toEqual(['first', 'second', 'third']);
  });

  it('a body is asked of others than these, and they are not asked twice when they let us wait', async () => {
    const liars = Array.from({ length: 16 }, (_, i) => `liar ${i}`);
    h.answer = (peer) => {
      if (peer === 'x') return block.bytes;
      throw new ProtocolError('REQUEST_TIMEOUT', 'no response');
    };
    for (const peer of liars) h.offer(block, named('false').slice(0, 24), peer);
    expect((await h.want(block)).block.bytes).toEqual(block.bytes);
    expect(h.asked.length).toBeLessThan(16);
    const counts = new Map<string, number>();
    for (const [peer] of h.asked) counts.set(peer, (counts.get(peer) ?? 0) + 1);
    expect(Math.max(...counts.values())).toBe(1);
  });

  it('who sends other transactions under its header is punished, unless they were pulled by his short ids', async () => {
    const swapped = joinBlock(block.headerBytes, CERTIFICATE, [...block.transactions].reverse()).bytes;
    const answers = [swapped, block.bytes];
    h.answer = () => answers.shift()!;
    await h.want(block);
    expect(h.punished).toHaveLength(1);
  });
});

describe('missing and invalid', () => {
  it('a broken signature under a good header is a bad copy: missing, and mended by a good one', async () => {
    const broken = [...block.transactions];
    broken[2] = spoiled(broken[2]!);
    const answers = [joinBlock(block.headerBytes, CERTIFICATE, broken).bytes, block.bytes];
    h.answer = () => answers.shift()!;
    const assembled = await h.want(block);
    expect(assembled.invalid).toBeUndefined();
    expect(answers).toEqual([]);
  });

  it('a broken signature that the header commits to makes the block invalid', async () => {
    const bytes = spoiled(transactions[0]!.bytes);
    const bad = blockOf([{ id: transactions[0]!.id, wireHash: sha256(bytes), bytes }]);
    h.answer = () => bad.bytes;
    const assembled = await h.want(bad);
    expect(assembled.invalid?.code).toBe('TX_SIGNATURE');
    expect(assembled.transactions).toEqual([]);
  });

  it('a certificate that the header does not commit to is a bad copy', async () => {
    const answers = [
      joinBlock(block.headerBytes, named('another'), block.transactions).bytes,
      joinBlock(block.headerBytes, undefined, block.transactions).bytes,
      block.bytes,
    ];
    h.answer = () => answers.shift()!;
    expect((await h.want(block)).block.bytes).toEqual(block.bytes);
  });

  it('bytes that are no transaction stay missing until nobody waits any more', async () => {
    const junk = new Uint8Array(150).fill(0xc1);
    const bad = blockOf([{ id: named('made up'), wireHash: sha256(junk), bytes: junk }]);
    h.answer = () => bad.bytes;
    const cancel = new AbortController();
    const waiting = h.bodies.want(bad.hash, [], cancel.signal);
    setTimeout(() => cancel.abort(), 30);
    await expect(waiting).rejects.toMatchObject({ code: 'BODY_CANCELLED' });
    expect(h.bodies.get(bad.hash)).toBeUndefined();
  });

  it('one who waits longer is not cancelled together with the first', async () => {
    const first = new AbortController();
    let open = false;
    h.answer = () => {
      if (!open) throw new ProtocolError('REMOTE_ERROR', 'not yet');
      return block.bytes;
    };
    const one = h.bodies.want(block.hash, [], first.signal);
    const two = h.want(block);
    setTimeout(() => first.abort(), 20);
    await expect(one).rejects.toMatchObject({ code: 'BODY_CANCELLED' });
    open = true;
    expect((await two).block.bytes).toEqual(block.bytes);
  });
});

it('forgets what is final', async () => {
  h.pool.push(...transactions);
  h.offer(block);
  await h.want(block);
  h.bodies.prune(block.header.height - 1);
  expect(h.bodies.get(block.hash)).toBeDefined();
  h.bodies.prune(block.header.height);
  expect(h.bodies.get(block.hash)).toBeUndefined();
});
