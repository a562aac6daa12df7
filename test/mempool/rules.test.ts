/** The mempool's rules, one by one. */
import { describe, expect, it } from 'vitest';
import { keyOf } from '../../src/codec/bytes.ts';
import { CheckedTransaction } from '../../src/tx/check.ts';
import { accountHash } from '../../src/tx/encode.ts';
import { answer, bounty, claims, freshSalt, named, transfer } from '../ledger/support.ts';
import { order, plain, World } from './support.ts';

describe('admission', () => {
  it('says why a transaction is refused, plain ones too', () => {
    const w = new World();
    w.fund('a', 50_000n);
    for (const code of ['TX_TOO_FAR', 'TX_FEE_LOW', 'TX_DUST', 'TX_REPLAY']) {
      const tx = plain('a');
      w.refused.set(keyOf(tx.id), code);
      expect(w.add(tx)).toBe(code);
    }
    expect(w.add(plain('nobody'))).toBe('TX_OVERSPENT');
    const tx = plain('a');
    expect(w.add(tx)).toBe('ok');
    expect(w.add(tx)).toBe('MEMPOOL_KNOWN');
    expect(w.pool.size).toBe(1);
  });

  it('keeps a transaction on memory of its own', () => {
    const w = new World();
    w.fund('a', 50_000n);
    const tx = plain('a');
    const shared = new Uint8Array(10_000);
    shared.set(tx.bytes, 7);
    const view = new CheckedTransaction(shared.subarray(7, 7 + tx.bytes.length), tx.flat);
    expect(w.add(view)).toBe('ok');
    expect(w.pool.get(tx.id)?.bytes.buffer.byteLength).toBe(tx.bytes.length);
  });

  it('never lets waiting transactions of one address take more than it holds', () => {
    const w = new World();
    const one = plain('a', 10_000n);
    const cost = one.debits()[0]!.amount;
    w.fund('a', cost * 2n + 5n);
    expect(w.add(one)).toBe('ok');
    expect(w.add(plain('a', 10_000n))).toBe('ok');
    expect(w.add(plain('a', 10_000n))).toBe('TX_OVERSPENT');
    expect(w.pool.pendingOf(accountHash(named('a')))).toBe(cost * 2n);
  });

  it('replaces a transaction with the same salt only for a fee that is a tenth higher', () => {
    const w = new World();
    w.fund('a', 100_000n);
    const salt = freshSalt();
    const first = plain('a', 20_000n, { salt, fee: 1_000n });
    expect(w.add(first)).toBe('ok');
    expect(w.add(plain('a', 20_001n, { salt, fee: 1_100n }))).toBe('TX_CONFLICT');
    const cancel = transfer({ from: 'a', validUntil: 5, salt, fee: 1_101n });
    expect(w.add(cancel)).toBe('ok');
    expect(w.dropped.map(({ tx, code }) => [keyOf(tx.id), code])).toEqual([
      [keyOf(first.id), 'MEMPOOL_REPLACED'],
    ]);
    expect(w.pool.size).toBe(1);
  });

  it('counts a replacement against the balance without the one that it replaces', () => {
    const w = new World();
    const salt = freshSalt();
    w.fund('a', 50_000n);
    expect(w.add(plain('a', 48_000n, { salt, fee: 1_000n }))).toBe('ok');
    expect(w.add(plain('a', 48_000n, { salt, fee: 2_000n }))).toBe('ok');
    expect(w.add(plain('a', 48_000n, { salt, fee: 2_300n }))).toBe('TX_OVERSPENT');
    expect(w.pool.size).toBe(1);
  });
});

describe('order and bounds', () => {
  it('offers claims first, then the best fee a byte, then by arrival', () => {
    const w = new World();
    w.fund('a', 1_000_000n);
    const low = plain('a', 1_000n, { fee: 500n });
    const low2 = plain('a', 1_000n, { fee: 500n });
    const high = plain('a', 1_000n, { fee: 5_000n });
    const posting = transfer({ from: 'a', outputs: [bounty()], validUntil: 5 });
    const claim = claims(5, [answer(posting)]);
    for (const tx of [low, low2, high, claim]) expect(w.add(tx)).toBe('ok');
    expect(order(w.pool)).toEqual([claim, high, low, low2].map((tx) => keyOf(tx.id)));
  });

  it('gives the worst fee up for a better one, and never holds more than its bounds', () => {
    const w = new World({ maxTransactions: 4 });
    w.fund('a', 1_000_000n);
    const txs = [400n, 300n, 500n].map((fee) => plain('a', 1_000n, { fee }));
    for (const tx of txs) expect(w.add(tx)).toBe('ok');
    expect(w.add(plain('a', 1_000n, { fee: 300n }))).toBe('MEMPOOL_FULL');
    const better = plain('a', 1_000n, { fee: 301n });
    expect(w.add(better)).toBe('ok');
    expect(w.dropped.map(({ tx, code }) => [keyOf(tx.id), code])).toEqual([
      [keyOf(txs[1]!.id), 'MEMPOOL_EVICTED'],
    ]);
    expect(w.pool.size).toBe(3);
  });
});

describe('the share of a sender', () => {
  it('is bounded in count, however much it pays, and leaves room to others and for replacements', () => {
    const w = new World({ maxTransactionsPerSender: 3 });
    w.fund('rich', 10_000_000n);
    w.fund('poor', 50_000n);
    const salt = freshSalt();
    expect(w.add(plain('rich', 1_000n, { salt, fee: 1_000n }))).toBe('ok');
    for (let i = 0; i < 2; i++) expect(w.add(plain('rich'))).toBe('ok');
    expect(w.add(plain('rich', 1_000n, { fee: 500_000n }))).toBe('MEMPOOL_SENDER_FULL');
    expect(w.add(plain('poor'))).toBe('ok');
    expect(w.add(plain('rich', 1_000n, { salt, fee: 2_000n }))).toBe('ok');
    const first = w.pool.transactions()[0]!;
    w.pool.finalised([first], w.view);
    expect(w.add(plain('rich'))).toBe('ok');
    expect(w.add(plain('rich'))).toBe('MEMPOOL_SENDER_FULL');
  });

  it('is bounded in bytes', () => {
    const size = plain('rich').bytes.length;
    const w = new World({ maxBytesPerSender: 3 * size + 10 });
    w.fund('rich', 10_000_000n);
    for (let i = 0; i < 3; i++) expect(w.add(plain('rich'))).toBe('ok');
    expect(w.add(plain('rich'))).toBe('MEMPOOL_SENDER_FULL');
  });

  it('counts the first address alone: whoever signs along loses no room', () => {
    const w = new World({ maxTransactionsPerSender: 1 });
    w.fund('a', 1_000_000n);
    w.fund('b', 1_000_000n);
    const along = [{ address: named('b'), amount: 500n }];
    expect(w.add(plain('a', 10_000n, { inputs: along }))).toBe('ok');
    expect(w.add(plain('b'))).toBe('ok');
    expect(w.add(plain('a'))).toBe('MEMPOOL_SENDER_FULL');
  });
});

describe('claims', () => {
  const posting = (name: string) =>
    transfer({ from: 'a', outputs: [bounty({ tag: named(name) })], validUntil: 5 });

  it('wait once a bounty and destination, however they are salted, and few destinations a bounty', () => {
    const w = new World();
    const one = answer(posting('one'));
    expect(w.add(claims(5, [one]))).toBe('ok');
    for (let i = 0; i < 20; i++) expect(w.add(claims(5, [one]))).toBe('CLAIM_PENDING');
    expect(w.add(claims(5, [answer(posting('two')), one]))).toBe('CLAIM_PENDING');
    expect(w.add(claims(5, [{ ...one, destination: named('second') }]))).toBe('ok');
    for (let i = 0; i < 20; i++)
      expect(w.add(claims(5, [{ ...one, destination: named(i) }]))).toBe('CLAIM_DESTINATIONS');
    expect(w.pool.size).toBe(2);
  });

  it('never push a paying transaction out, nor are they pushed out by one', () => {
    const w = new World({ maxTransactions: 8 });
    w.fund('a', 10_000_000n);
    for (let i = 0; i < 6; i++) expect(w.add(plain('a'))).toBe('ok');
    for (const name of ['one', 'two']) expect(w.add(claims(5, [answer(posting(name))]))).toBe('ok');
    expect(w.add(claims(5, [answer(posting('three'))]))).toBe('MEMPOOL_FULL');
    expect(w.add(plain('a', 1_000n, { fee: 400_000n }))).toBe('ok');
    expect(w.dropped.map(({ tx, code }) => [tx.kind, code])).toEqual([[1, 'MEMPOOL_EVICTED']]);
    expect(w.pool.size).toBe(8);
  });

  it('are offered by the earliest end of what they sweep, and the latest give way to a more urgent one', () => {
    const w = new World({ maxTransactions: 8 });
    const ends = (name: string, until: number) => {
      const claim = answer(posting(name));
      w.ends.set(keyOf(claim.bountyId), until);
      return claim;
    };
    const late = claims(5, [ends('late', 90)]);
    const mixed = claims(5, [ends('far', 100), ends('soon', 50)]);
    expect(w.add(late)).toBe('ok');
    expect(w.add(mixed)).toBe('ok');
    expect(order(w.pool)).toEqual([mixed, late].map((tx) => keyOf(tx.id)));
    expect(w.add(claims(5, [ends('later', 95)]))).toBe('MEMPOOL_FULL');
    expect(w.add(claims(5, [ends('equal', 90)]))).toBe('MEMPOOL_FULL');
    const urgent = claims(5, [ends('urgent', 40)]);
    expect(w.add(urgent)).toBe('ok');
    expect(w.codes()).toEqual(new Map([[keyOf(late.id), 'MEMPOOL_EVICTED']]));
    expect(order(w.pool)).toEqual([urgent, mixed].map((tx) => keyOf(tx.id)));
  });

  it('that are not open reserve no bounty against the one who holds the data', () => {
    const w = new World();
    const mine = answer(posting('mine'));
    const open = answer(posting('open'));
    w.closed.add(keyOf(mine.bountyId));
    expect(w.add(claims(5, [open, mine]))).toBe('ok');
    w.closed.clear();
    expect(w.add(claims(5, [mine]))).toBe('ok');
  });

  it('leave when somebody else’s claim on the bounty is final, or keep their place with the rest', () => {
    const w = new World();
    const target = answer(posting('target'));
    const second = answer(posting('second'));
    const third = answer(posting('third'));
    const other = { ...target, destination: named('other') };
    const alone = claims(5, [target]);
    const among = claims(5, [other, second, third]);
    expect(w.add(alone)).toBe('ok');
    expect(w.add(among)).toBe('ok');
    w.closed.add(keyOf(target.bountyId));
    w.pool.finalised([claims(5, [{ ...target, destination: named('rival') }])], w.view);
    expect(w.codes()).toEqual(new Map([[keyOf(alone.id), 'BOUNTY_CLOSED']]));
    expect(w.add(claims(5, [second]))).toBe('CLAIM_PENDING');
    w.closed.add(keyOf(second.bountyId)).add(keyOf(third.bountyId));
    w.pool.finalised([claims(5, [second])], w.view);
    expect(w.codes().get(keyOf(among.id))).toBe('BOUNTY_CLOSED');
    w.closed.clear();
    expect(w.add(claims(5, [target, second, third]))).toBe('ok');
  });

  it('leave when the time of what they sweep is over', () => {
    const w = new World();
    const claim = answer(posting('short'));
    w.ends.set(keyOf(claim.bountyId), 3);
    const tx = claims(50, [claim]);
    expect(w.add(tx)).toBe('ok');
    w.nextHeight = 2;
    w.pool.finalised([], w.view);
    expect(w.pool.size).toBe(1);
    w.nextHeight = 3;
    w.pool.finalised([], w.view);
    expect(w.codes()).toEqual(new Map([[keyOf(tx.id), 'BOUNTY_CLOSED']]));
  });
});

describe('finalised blocks', () => {
  it('takes out what is final, what conflicts, what expired and what cannot be paid any more', () => {
    const w = new World();
    for (const name of ['a', 'b', 'c', 'd']) w.fund(name, 50_000n);
    const salt = freshSalt();
    const included = plain('a');
    const loser = plain('b', 1_000n, { salt });
    const winner = plain('b', 2_000n, { salt });
    const expiring = plain('c', 1_000n, { validUntil: 1 });
    const poor = plain('d', 30_000n);
    for (const tx of [included, loser, expiring, poor]) expect(w.add(tx)).toBe('ok');
    const elsewhere = plain('d', 25_000n);
    w.nextHeight = 2;
    w.fund('d', 25_000n);
    w.pool.finalised([included, winner, elsewhere], w.view);
    const codes = new Map(w.dropped.map(({ tx, code }) => [keyOf(tx.id), code]));
    expect(codes.get(keyOf(loser.id))).toBe('TX_REPLAY');
    expect(codes.get(keyOf(expiring.id))).toBe('TX_EXPIRED');
    expect(codes.get(keyOf(poor.id))).toBe('TX_OVERSPENT');
    expect(codes.size).toBe(3);
    expect(w.pool.size).toBe(0);
    expect(w.pool.bytes).toBe(0);
  });

  it('drops what an account cannot pay after it was closed with a rest below the deposit', () => {
    const w = new World();
    w.fund('a', 50_000n);
    const [first, second] = [plain('a', 40_000n), plain('a', 1_000n)];
    for (const tx of [first, second]) expect(w.add(tx)).toBe('ok');
    w.nextHeight = 2;
    w.fund('a', 0n);
    w.pool.finalised([first], w.view);
    expect(w.codes()).toEqual(new Map([[keyOf(second.id), 'TX_OVERSPENT']]));
  });
});

it('tells who brought what is dropped, and counts', () => {
  const w = new World();
  w.fund('a', 50_000n);
  const salt = freshSalt();
  expect(w.add(plain('a', 1_000n, { salt, fee: 1_000n }), 'peer')).toBe('ok');
  const second = plain('a', 1_000n, { salt, fee: 2_000n });
  expect(w.add(second)).toBe('ok');
  expect(w.add(plain('nobody'))).toBe('TX_OVERSPENT');
  w.pool.finalised([second], w.view);
  expect(w.dropped.map(({ code, source }) => [code, source])).toEqual([['MEMPOOL_REPLACED', 'peer']]);
  expect(w.pool.figures).toEqual({
    transactions: 0,
    bytes: 0,
    claims: 0,
    senders: 0,
    admitted: 2,
    included: 1,
    refused: new Map([['TX_OVERSPENT', 1]]),
    dropped: new Map([['MEMPOOL_REPLACED', 1]]),
  });
});
