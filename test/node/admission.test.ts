/** The way into the mempool: what is verified, how often, and what is told of the rest. */
import { describe, expect, it } from 'vitest';
import { keyOf } from '../../src/codec/bytes.ts';
import { BlockExecutor } from '../../src/ledger/executor.ts';
import { Admissions } from '../../src/node/admission.ts';
import type { Chain } from '../../src/node/chain.ts';
import { InlineVerifier, type TransactionVerifier } from '../../src/node/verify-pool.ts';
import { GENESIS_HASH, PARAMETERS, pay, TestChain, transfer } from '../ledger/support.ts';

function setUp() {
  const chain = new TestChain();
  const inline = new InlineVerifier({
    genesisHash: GENESIS_HASH,
    parameters: PARAMETERS,
    verifier: { name: 'any', verify: () => true },
  });
  let verified = 0;
  const verifier: TransactionVerifier = {
    pending: 0,
    check: (transactions) => {
      verified += transactions.length;
      return inline.check(transactions);
    },
    close: async () => {},
  };
  const view = {
    get tip() {
      return { height: chain.height };
    },
    get state() {
      return chain.state;
    },
    judge: () => new BlockExecutor(chain.state, chain.next),
  };
  const limits = { maxTransactions: 100, maxBytes: 1_000_000 };
  const admissions = new Admissions({ limits, verifier, chain: () => view as unknown as Chain });
  return { chain, admissions, verified: () => verified };
}

const payment = (amount: bigint) =>
  transfer({ from: 'owner', outputs: [pay('somebody', amount)], validUntil: 5 });

describe('admission', () => {
  it('verifies a transaction once, however often it comes: waiting, or final', async () => {
    const { chain, admissions, verified } = setUp();
    const tx = payment(50_000n);
    const statuses = async () => (await admissions.admit([tx.bytes])).map(({ status }) => status);
    expect(await statuses()).toEqual(['admitted']);
    expect(await statuses()).toEqual(['known']);
    chain.block(tx);
    admissions.finalised([tx]);
    expect(await statuses()).toEqual(['final']);
    expect(verified()).toBe(1);
    expect(admissions.mempool.size).toBe(0);
  });

  it('tells the executor’s reason for what could never be in a block, and remembers it', async () => {
    const { admissions } = setUp();
    const dust = payment(1n);
    expect(await admissions.admit([dust.bytes])).toMatchObject([
      { status: 'refused', error: { code: 'TX_DUST' } },
    ]);
    expect(admissions.fate(dust.id)?.code).toBe('TX_DUST');
    expect(admissions.mempool.size).toBe(0);
  });

  it('answers for each of a batch, in its order', async () => {
    const { admissions } = setUp();
    const good = payment(50_000n);
    const results = await admissions.admit([Uint8Array.of(1), good.bytes, payment(1n).bytes, good.bytes]);
    expect(results.map(({ status }) => status)).toEqual(['refused', 'admitted', 'refused', 'known']);
    expect(results[0]).toMatchObject({ stateless: true });
    expect(keyOf(admissions.mempool.transactions()[0]!.id)).toBe(keyOf(good.id));
  });
});
