import { describe, expect, it } from 'vitest';
import { equal, toHex } from '../../src/codec/bytes.ts';
import { decodeBounty } from '../../src/ledger/entries.ts';
import { BlockExecutor } from '../../src/ledger/executor.ts';
import { bountiesRange } from '../../src/ledger/keys.ts';
import { LEAST_BOUNTY_BYTES, queueQuota } from '../../src/ledger/parameters.ts';
import { bountiesOfTag, getBounty, readFeePool, readSupply } from '../../src/ledger/read.ts';
import { verifyRange } from '../../src/ledger/tree/proof.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { bountyId, encodeBody } from '../../src/tx/encode.ts';
import type { BountyOutput } from '../../src/tx/types.ts';
import { answer, bounty, claims, freshSalt, named, PARAMETERS, pay, TestChain, transfer } from './support.ts';

const TAG = named('tag');
const { claimFee, bountyDeposit, accountDeposit, closedLifetime } = PARAMETERS;

function post(chain: TestChain, ...outputs: readonly Partial<BountyOutput>[]): CheckedTransaction {
  const tx = transfer(
    {
      from: 'owner',
      validUntil: chain.height + 5,
      outputs: outputs.map((fields) => bounty(fields)),
    },
    chain.parameters,
  );
  chain.block(tx);
  return tx;
}

const statusOf = (chain: TestChain, tx: CheckedTransaction, index = 0): string | undefined =>
  getBounty(chain.state, TAG, bountyId(tx.id, index))?.status;

describe('posting', () => {
  it('makes an entry that says everything, and takes amount and deposit', () => {
    const chain = new TestChain();
    const tx = post(chain, { claimFrom: 3, payee: named('steward') });
    expect(getBounty(chain.state, TAG, bountyId(tx.id, 0))).toEqual({
      status: 'open',
      tag: TAG,
      nonce: named('nonce'),
      claimKey: named('claim key'),
      payee: named('steward'),
      amount: 50_000n,
      deposit: bountyDeposit,
      claimFrom: 3,
      claimUntil: 20,
      refundTo: named('owner'),
      postedAt: 1,
    });
    expect(chain.balance('owner')).toBe(10_000_000n - 50_000n - bountyDeposit - tx.fee);
    expect(chain.recount().openBounties).toEqual({ count: 1, sum: 50_000n });
  });

  it('asks for a window that nobody can be shut out of', () => {
    const chain = new TestChain();
    chain.until(4);
    const at = (claimFrom: number, claimUntil: number): string =>
      chain.verdict(transfer({ from: 'owner', validUntil: 8, outputs: [bounty({ claimFrom, claimUntil })] }));
    expect(at(0, 14)).toBe('TX_BOUNTY_WINDOW');
    expect(at(0, 15)).toBe('ok');
    expect(at(5, 15)).toBe('ok');
    expect(at(6, 15)).toBe('TX_BOUNTY_WINDOW');
    expect(at(55, 65)).toBe('ok');
    expect(at(0, 65)).toBe('ok');
    expect(at(0, 66)).toBe('TX_BOUNTY_TOO_FAR');
  });

  it('asks that what is paid out opens an account', () => {
    const parameters = { ...PARAMETERS, accountDeposit: 20_501n, bountyDeposit: 20_501n };
    const chain = new TestChain({ parameters });
    const at = (amount: bigint): string =>
      chain.verdict(transfer({ from: 'owner', validUntil: 5, outputs: [bounty({ amount })] }, parameters));
    const paid = (amount: bigint): bigint => amount - (amount * 100_003n) / 1_000_000n - claimFee;
    expect([paid(23_334n), paid(23_335n)]).toEqual([20_501n, 20_502n]);
    expect(at(23_333n)).toBe('TX_BOUNTY_AMOUNT');
    expect(at(23_334n)).toBe('ok');
  });
});

describe('a claim', () => {
  it('pays the destination less the claim fee and leaves a closed record', () => {
    const chain = new TestChain();
    const tx = post(chain, {});
    const pool = readFeePool(chain.state);
    const claim = claims(9, [answer(tx)]);
    const { outcomes } = chain.block(claim);
    expect(outcomes).toEqual([{ open: [true] }]);
    expect(chain.balance('steward')).toBe(50_000n - claimFee);
    expect(readFeePool(chain.state)).toBe(pool + claimFee);
    expect(getBounty(chain.state, TAG, bountyId(tx.id, 0))).toMatchObject({
      status: 'claimed',
      closedAt: 2,
      destination: named('steward'),
      transaction: claim.id,
      claimKey: named('claim key'),
    });
    chain.until(2 + closedLifetime - 1);
    expect(statusOf(chain, tx)).toBe('claimed');
    const before = chain.balance('owner');
    const { removed } = chain.block();
    expect(statusOf(chain, tx)).toBeUndefined();
    expect(chain.balance('owner')).toBe(before + bountyDeposit);
    expect(removed).toEqual([
      { id: bountyId(tx.id, 0), tag: TAG, deposit: bountyDeposit, refundTo: named('owner') },
    ]);
    expect(chain.recount()).toMatchObject({ closedBounties: 0, deposits: 0n });
  });

  it('is refused with the reason', () => {
    const chain = new TestChain();
    const tx = post(chain, { claimFrom: 4 }, { payee: named('payee') });
    const single = (index: number, fields = {}): string =>
      chain.verdict(claims(12, [answer(tx, index, fields)]));
    expect(single(0)).toBe('BOUNTY_NOT_YET');
    expect(single(1)).toBe('ok');
    chain.until(3);
    expect(single(0)).toBe('ok');
    const flipped = named('claim key').slice();
    flipped[31]! ^= 1;
    expect(single(0, { claimKey: flipped })).toBe('CLAIM_KEY_MISMATCH');
    expect(single(1, { destination: named('somebody') })).toBe('CLAIM_PAYEE_MISMATCH');
    expect(single(0, { destination: named('somebody') })).toBe('ok');
    expect(single(0, { bountyId: named('none') })).toBe('BOUNTY_UNKNOWN');
    expect(single(0, { tag: named('other tag') })).toBe('BOUNTY_UNKNOWN');
    expect(single(0, { bountyId: bountyId(tx.id, 2) })).toBe('BOUNTY_UNKNOWN');
    chain.block(claims(12, [answer(tx, 0)]));
    expect(single(0)).toBe('BOUNTY_CLOSED');
    chain.until(18);
    expect(chain.verdict(claims(19, [answer(tx, 1)]))).toBe('ok');
    chain.until(19);
    expect(chain.verdict(claims(22, [answer(tx, 1)])), 'the block that expires it').toBe('BOUNTY_CLOSED');
  });

  it('can follow its posting in the same block, and only once', () => {
    const chain = new TestChain();
    const tx = transfer({ from: 'owner', validUntil: 5, outputs: [bounty()] });
    const claim = claims(5, [answer(tx)]);
    expect(chain.verdict(claim)).toBe('BOUNTY_UNKNOWN');
    expect(chain.verdict(claims(5, [answer(tx)], freshSalt()), tx, claim)).toBe('BOUNTY_CLOSED');
    chain.block(tx, claim);
    expect(statusOf(chain, tx)).toBe('claimed');
    expect(chain.balance('steward')).toBe(50_000n - claimFee);
  });

  it('is skipped when it is not open, as long as half of its transaction is', () => {
    const chain = new TestChain();
    const tx = post(chain, {}, {}, { claimFrom: 8 }, {});
    const bad = answer(tx, 3, { bountyId: named('none') });
    const half = claims(9, [answer(tx, 2), answer(tx, 0), bad, answer(tx, 1)]);
    const { outcomes } = chain.block(half);
    expect(outcomes[0]!.open).toEqual([false, true, false, true]);
    expect([0, 1, 2, 3].map((i) => statusOf(chain, tx, i))).toEqual(['claimed', 'claimed', 'open', 'open']);
    expect(chain.balance('steward')).toBe(2n * (50_000n - claimFee));
    expect(chain.verdict(claims(9, [answer(tx, 2), answer(tx, 0), answer(tx, 3)]))).toBe('BOUNTY_NOT_YET');
    expect(chain.verdict(claims(9, [answer(tx, 0), answer(tx, 2), answer(tx, 3)]))).toBe('BOUNTY_CLOSED');
  });

  it('of one bounty says nothing about its twin with the same nonce and claim key', () => {
    const chain = new TestChain();
    const [a, b] = [post(chain, {}), post(chain, {}, {})];
    chain.block(claims(9, [answer(b, 1)]));
    expect([statusOf(chain, a), statusOf(chain, b, 0), statusOf(chain, b, 1)]).toEqual([
      'open',
      'open',
      'claimed',
    ]);
    chain.block(claims(9, [answer(a), answer(b, 0)]));
    expect(chain.balance('steward')).toBe(3n * (50_000n - claimFee));
  });

  it('has a place in a block that others have filled', () => {
    const parameters = { ...PARAMETERS, maxBlockBytes: 2_000 };
    const chain = new TestChain({ parameters });
    const tx = post(chain, {});
    const executor = new BlockExecutor(chain.state, chain.next);
    executor.begin();
    const filler = () =>
      transfer({
        from: 'owner',
        validUntil: 9,
        outputs: [0, 1, 2, 3, 4].map((i) => pay(`x${i}`, accountDeposit)),
      });
    let refused = false;
    while (!refused) {
      try {
        executor.tryTransaction(filler());
      } catch {
        refused = true;
      }
    }
    executor.tryTransaction(claims(9, [answer(tx)]));
    expect(executor.finish().outcomes.at(-1)).toEqual({ open: [true] });
  });
});

describe('expiry', () => {
  it('burns its share and returns the rest, without anybody there', () => {
    const chain = new TestChain({
      accounts: [
        { name: 'owner', amount: 80_000n },
        { name: 'other', amount: 1_000_000n },
      ],
    });
    const tx = post(chain, { amount: 50_001n, refundTo: named('elsewhere') });
    expect(chain.balance('owner')).toBe(80_000n - 50_001n - bountyDeposit - tx.fee);
    chain.until(19);
    expect(statusOf(chain, tx)).toBe('open');
    const { expired } = chain.block();
    const burned = (50_001n * 100_003n) / 1_000_000n;
    expect(burned).toBe(5_000n);
    expect(expired).toEqual([
      { id: bountyId(tx.id, 0), tag: TAG, amount: 50_001n, burned, refundTo: named('elsewhere') },
    ]);
    expect(chain.balance('elsewhere')).toBe(50_001n - burned);
    expect(readSupply(chain.state).burned).toBe(burned);
    expect(getBounty(chain.state, TAG, bountyId(tx.id, 0))).toMatchObject({
      status: 'expired',
      closedAt: 20,
      burned,
    });
  });

  it('opens accounts with what it returns: refund first, deposit later', () => {
    const chain = new TestChain({
      accounts: [
        { name: 'owner', amount: 100_000n },
        { name: 'other', amount: 1_000_000n },
      ],
    });
    const refundTo = named('gone');
    const tx = post(chain, { refundTo }, { refundTo, amount: 20_000n });
    chain.block(claims(9, [answer(tx, 0), answer(tx, 1)]));
    expect(chain.balance('gone')).toBe(0n);
    chain.until(2 + closedLifetime);
    expect(chain.balance('gone')).toBe(2n * bountyDeposit);
    expect(bountyDeposit >= accountDeposit).toBe(true);
  });

  it('comes before the transactions of its block', () => {
    const chain = new TestChain();
    const tx = post(chain, { refundTo: named('late') });
    chain.until(19);
    const spend = transfer({ from: 'late', validUntil: 25, outputs: [pay('x', 20_000n)] });
    expect(chain.verdict(spend)).toBe('ok');
    chain.block(spend);
    expect(statusOf(chain, tx)).toBe('expired');
  });

  it('works off what its quota leaves, and so does the removal of records', () => {
    const parameters = { ...PARAMETERS, maxBlockBytes: 2_000 };
    const quota = queueQuota(parameters);
    expect(quota).toBe(11);
    const chain = new TestChain({ parameters });
    const posted: CheckedTransaction[] = [];
    for (let i = 0; i < 6; i++) posted.push(post(chain, {}, {}, {}, {}, {}));
    chain.until(18);
    const answers = posted
      .slice(0, 2)
      .flatMap((tx) => [0, 1, 2, 3, 4].map((i) => answer(tx, i)))
      .slice(0, 9);
    chain.block(claims(22, answers));
    expect(chain.recount().openBounties.count).toBe(21);
    const counts = [20, 21, 22].map((height) => {
      const late = posted[5]!;
      if (height === 21)
        expect(chain.verdict(claims(25, [answer(late, 4), answer(late, 3)]))).toMatch(/^BOUNTY_/);
      const { expired } = chain.block();
      expect(chain.height).toBe(height);
      return expired.length;
    });
    expect(counts).toEqual([11, 10, 0]);
    const removals: number[] = [];
    while (chain.height < 32) removals.push(chain.block().removed.length);
    expect(chain.recount().closedBounties).toBe(0);
    expect(removals).toEqual([0, 0, 0, 9, 11, 10, 0, 0, 0, 0]);
  });

  it('never delays the end of a claim window', () => {
    const parameters = { ...PARAMETERS, maxBlockBytes: 2_000, closedLifetime: 1 };
    const chain = new TestChain({ parameters });
    const posted: CheckedTransaction[] = [];
    for (let i = 0; i < 6; i++) posted.push(post(chain, {}, {}, {}, {}, { claimUntil: 21 }));
    chain.until(19);
    const seen: [number, number][] = [];
    const { expired } = chain.block();
    seen.push([expired.length, 0]);
    // 24 were due at 20: in block 21 two of them still wait behind the quota, and so do the six due at 21.
    const verdicts = posted.flatMap((tx) =>
      [0, 1, 2, 3, 4].map((index) => chain.verdict(claims(25, [answer(tx, index)]))),
    );
    expect(verdicts.filter((code) => code === 'BOUNTY_EXPIRED').length).toBe(8);
    expect(verdicts.filter((code) => code === 'BOUNTY_CLOSED').length).toBe(11);
    expect(verdicts.filter((code) => code === 'BOUNTY_UNKNOWN').length, 'removed already').toBe(11);
    while (chain.height < 26) {
      const block = chain.block();
      seen.push([block.expired.length, block.removed.length]);
    }
    expect(seen.map(([e]) => e)).toEqual([11, 11, 8, 0, 0, 0, 0]);
    expect(seen.map(([, r]) => r)).toEqual([0, 11, 11, 8, 0, 0, 0]);
  });

  it('has a quota that no block can outrun', () => {
    const least = bounty({ payee: undefined, amount: 1n, claimFrom: 0, claimUntil: 1 });
    const body = (count: number) =>
      encodeBody({
        kind: 1,
        validUntil: 1,
        salt: new Uint8Array(8),
        inputs: [],
        outputs: Array.from({ length: count }, () => least),
        fee: 0n,
        comment: undefined,
      }).length;
    expect(body(2) - body(1)).toBe(LEAST_BOUNTY_BYTES);
    expect(queueQuota({ ...PARAMETERS, maxBlockBytes: 1_024 }) * LEAST_BOUNTY_BYTES).toBeGreaterThanOrEqual(
      768,
    );
    const chain = new TestChain({ accounts: [{ name: 'owner', amount: 1_000_000_000n }] });
    const many = (count: number) =>
      transfer({ from: 'owner', outputs: Array.from({ length: count }, () => bounty()), validUntil: 5 });
    const quota = queueQuota(PARAMETERS);
    expect(quota).toBe(8 * 256);
    const full = Array.from({ length: 8 }, () => many(256));
    expect(chain.verdict(many(1), ...full)).toBe('BLOCK_FULL');
    expect(chain.block(...full).outcomes.length).toBe(8);
  });
});

describe('the bounties of a tag', () => {
  it('are listed in pages and proved as one range', () => {
    const chain = new TestChain();
    const tx = post(chain, {}, {}, { tag: named('another') }, {}, {});
    chain.block(claims(9, [answer(tx, 1)]));
    const ids = [0, 1, 3, 4].map((i) => toHex(bountyId(tx.id, i))).sort();
    const pages: string[][] = [];
    let after: Uint8Array | undefined;
    do {
      const page = bountiesOfTag(chain.state, TAG, { after, limit: 3 });
      pages.push(page.bounties.map(({ id }) => toHex(id)));
      after = page.next;
    } while (after !== undefined);
    expect(pages).toEqual([ids.slice(0, 3), ids.slice(3)]);

    const { from, to } = bountiesRange(TAG);
    const shown = verifyRange(chain.state.root, from, to, chain.state.proveRange(from, to, 100));
    expect(shown.next).toBeUndefined();
    expect(shown.entries.map(({ key }) => toHex(key.subarray(33)))).toEqual(ids);
    const statuses = shown.entries.map(({ value }) => decodeBounty(value).status).sort();
    expect(statuses).toEqual(['claimed', 'open', 'open', 'open']);
    expect(shown.entries.every(({ key }) => equal(key.subarray(0, 33), from))).toBe(true);

    const none = bountiesRange(named('unheard of'));
    const proof = chain.state.proveRange(none.from, none.to, 100);
    expect(verifyRange(chain.state.root, none.from, none.to, proof)).toEqual({
      entries: [],
      next: undefined,
    });
    expect(bountiesOfTag(chain.state, named('unheard of'), { limit: 3 })).toEqual({
      bounties: [],
      next: undefined,
    });
  });
});
