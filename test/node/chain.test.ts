/** The chain over a real database: what a build takes, and when a block counts as told. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { leaderOf } from '../../src/consensus/leader.ts';
import { queueQuota } from '../../src/ledger/parameters.ts';
import type { Chain } from '../../src/node/chain.ts';
import { signTransaction } from '../../src/tx/build.ts';
import { type CheckedTransaction, checkTransaction } from '../../src/tx/check.ts';
import { type BountyOutput, KIND_TRANSFER, OUTPUT_BOUNTY } from '../../src/tx/types.ts';
import { context, grow, startOn } from '../hostile/chain.ts';
import { GENESIS_HASH, genesis, payment, set } from '../hostile/samples.ts';
import { filled, owner } from '../tx/golden.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kryder-chain-'));
});
afterEach(() => rm(directory, { recursive: true }));

const OUTPUT: BountyOutput = {
  type: OUTPUT_BOUNTY,
  tag: filled(1),
  nonce: filled(2),
  claimKey: filled(3),
  payee: undefined,
  amount: 100_000n,
  claimFrom: 0,
  claimUntil: 1_000,
  refundTo: owner.publicKey,
};

function posting(serial: number, bounties: number): CheckedTransaction {
  const fee = 60_000n;
  const amount = BigInt(bounties) * (OUTPUT.amount + genesis.parameters.bountyDeposit) + fee;
  const salt = new Uint8Array(8);
  new DataView(salt.buffer).setUint32(0, serial);
  const body = {
    kind: KIND_TRANSFER,
    validUntil: 50,
    salt,
    inputs: [{ address: owner.publicKey, amount }],
    outputs: Array.from({ length: bounties }, () => OUTPUT),
    fee,
    comment: undefined,
  } as const;
  return checkTransaction(signTransaction(body, GENESIS_HASH, [owner]).bytes, context);
}

function build(chain: Chain, candidates: readonly CheckedTransaction[]) {
  const { tip } = chain;
  const refused: string[] = [];
  const built = chain.build({
    parent: tip.hash,
    epoch: 0,
    view: 2,
    parentView: 0,
    proposer: set.validators[leaderOf(set, 2)]!.publicKey,
    parentCertificate: undefined,
    now: genesis.time + 1_000,
    candidates,
    stopwatch: () => () => false,
    onRefused: (_, why) => refused.push(why.code),
  });
  return { taken: built!.transactions, refused };
}

it('takes payments that stand behind more bounties than a block may post', async () => {
  const quota = queueQuota(genesis.parameters);
  const full = Array.from({ length: quota / 256 }, (_, i) => posting(i, 256));
  const queue = Array.from({ length: 300 }, (_, i) => posting(1_000 + i, 1));
  const last = checkTransaction(payment(1).bytes, context);
  await startOn(directory, async (chain) => {
    const { taken, refused } = build(chain, [...full, ...queue, last]);
    expect(taken).toEqual([...full, last]);
    expect(refused).toEqual([]);
  });
});

it('is settled when the last final block is on disk and told of, and at once before the first', async () => {
  await startOn(directory, async (chain) => {
    await chain.settled(1);
    const growing = grow(chain);
    expect([chain.tip.height, chain.durable.height]).toEqual([1, 0]);
    await chain.settled(60_000);
    expect(chain.durable).toBe(chain.tip);
    await growing;
  });
});
