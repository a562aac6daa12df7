import { describe, expect, it } from 'vitest';
import { keyOf } from '../../src/codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../../src/codec/errors.ts';
import { claimedBounties } from '../../src/mempool/claims.ts';
import { Mempool, type MempoolView } from '../../src/mempool/pool.ts';
import { CheckedTransaction } from '../../src/tx/check.ts';
import { accountHash } from '../../src/tx/encode.ts';
import { answer, bounty, claims, freshSalt, generator, named, pay, transfer } from '../ledger/support.ts';

interface Dropped {
  readonly tx: CheckedTransaction;
  readonly code: string;
}

class World {
  readonly balances = new Map<string, bigint>();
  readonly dropped: Dropped[] = [];
  readonly closed = new Set<string>();
  readonly pool: Mempool;
  nextHeight = 1;

  constructor(limits = { maxTransactions: 100, maxBytes: 1_000_000 }) {
    this.pool = new Mempool(limits, (tx, { code }) => this.dropped.push({ tx, code }));
  }

  fund(name: string, amount: bigint): void {
    this.balances.set(keyOf(accountHash(named(name))), amount);
  }

  /** What the executor would refuse, by id. */
  readonly refused = new Map<string, string>();

  get view(): MempoolView {
    return {
      nextHeight: this.nextHeight,
      balance: (account) => this.balances.get(keyOf(account)) ?? 0n,
      judge: (tx) => {
        const code = this.refused.get(keyOf(tx.id));
        if (code !== undefined) throw new ProtocolError(code, 'refused');
        return claimedBounties(tx).map((id) => !this.closed.has(keyOf(id)));
      },
    };
  }

  add(tx: CheckedTransaction): string {
    try {
      this.pool.add(tx, this.view);
      return 'ok';
    } catch (error) {
      if (isProtocolError(error)) return error.code;
      throw error;
    }
  }
}

const order = (pool: Mempool): string[] => Array.from(pool.candidates(), (tx) => keyOf(tx.id));
const plain = (from: string, amount = 1_000n, extra: Partial<Parameters<typeof transfer>[0]> = {}) =>
  transfer({ from, outputs: [pay('somebody', amount)], validUntil: 5, ...extra });

describe('admission', () => {
  it('says why a transaction is refused, plain ones too', () => {
    const w = new World();
    w.fund('a', 50_000n);
    for (const code of ['TX_EXPIRED', 'TX_TOO_FAR', 'TX_FEE_LOW', 'TX_DUST', 'TX_REPLAY']) {
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
    const w = new World({ maxTransactions: 4, maxBytes: 1_000_000 });
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

describe('claims', () => {
  const posting = (name: string) =>
    transfer({ from: 'a', outputs: [bounty({ tag: named(name) })], validUntil: 5 });

  it('wait once a bounty, however they are salted, and never push a paying transaction out', () => {
    const w = new World({ maxTransactions: 8, maxBytes: 1_000_000 });
    w.fund('a', 10_000_000n);
    const paying = Array.from({ length: 6 }, () => plain('a'));
    for (const tx of paying) expect(w.add(tx)).toBe('ok');
    const one = answer(posting('one'));
    expect(w.add(claims(5, [one]))).toBe('ok');
    for (let i = 0; i < 20; i++) expect(w.add(claims(5, [one]))).toBe('CLAIM_PENDING');
    expect(w.add(claims(5, [one, answer(posting('two'))]))).toBe('ok');
    expect(w.add(claims(5, [answer(posting('three'))]))).toBe('MEMPOOL_FULL');
    expect(w.dropped).toEqual([]);
    expect(w.pool.size).toBe(8);
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

  it('leave when somebody else’s claim on the bounty is final', () => {
    const w = new World();
    const target = answer(posting('target'));
    const waiting = claims(5, [target]);
    expect(w.add(waiting)).toBe('ok');
    w.refused.set(keyOf(waiting.id), 'BOUNTY_CLOSED');
    w.pool.finalised([claims(5, [target])], w.view);
    expect(w.dropped.map(({ code }) => code)).toEqual(['BOUNTY_CLOSED']);
    expect(w.add(claims(5, [target]))).toBe('ok');
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
});

it('keeps its books over random histories', () => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = generator(seed);
    const w = new World({ maxTransactions: 20, maxBytes: 5_000 });
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) w.fund(name, 100_000n);
    const salts = Array.from({ length: 8 }, freshSalt);
    const added: CheckedTransaction[] = [];
    for (let step = 0; step < 200; step++) {
      const from = names[random(names.length)]!;
      if (random(12) === 0) {
        w.nextHeight++;
        const chosen = Array.from(w.pool.candidates()).slice(0, random(4));
        w.fund(from, BigInt(random(100_000)));
        w.pool.finalised(chosen, w.view);
      } else {
        const tx = plain(from, BigInt(1 + random(30_000)), {
          salt: salts[random(salts.length)]!,
          fee: BigInt(300 + random(2_000)),
          validUntil: w.nextHeight + random(8),
        });
        if (w.add(tx) === 'ok') added.push(tx);
      }
      const waiting = w.pool.transactions();
      expect(waiting.length).toBe(w.pool.size);
      expect(w.pool.size).toBeLessThanOrEqual(20);
      expect(w.pool.bytes).toBe(waiting.reduce((sum, tx) => sum + tx.bytes.length, 0));
      expect(w.pool.bytes).toBeLessThanOrEqual(5_000);
      expect(new Set(waiting.map((tx) => keyOf(tx.replayKey))).size).toBe(waiting.length);
      expect(order(w.pool).length).toBe(waiting.length);
      const pending = new Map<string, bigint>();
      for (const tx of waiting) {
        expect(w.pool.byWireHash(tx.wireHash)?.id).toEqual(tx.id);
        for (const { account, amount } of tx.debits()) {
          pending.set(keyOf(account), (pending.get(keyOf(account)) ?? 0n) + amount);
        }
      }
      for (const name of names) {
        expect(w.pool.pendingOf(accountHash(named(name)))).toBe(
          pending.get(keyOf(accountHash(named(name)))) ?? 0n,
        );
      }
    }
    expect(added.length).toBeGreaterThan(20);
  }
});
