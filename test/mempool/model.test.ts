/**
 * The mempool against a naive model: a list that every rule reads from end to end. Both live through the same
 * random arrivals and final blocks; after each step they give the same codes and hold the same transactions,
 * and what the mempool promises is counted out of what it holds.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Bytes, keyOf } from '../../src/codec/bytes.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { accountHash } from '../../src/tx/encode.ts';
import { type Claim, KIND_CLAIMS, KIND_TRANSFER } from '../../src/tx/types.ts';
import { claims, named, pay, transfer } from '../ledger/support.ts';
import { ROOMY, World } from './support.ts';

const LIMITS = {
  ...ROOMY,
  maxTransactions: 16,
  maxBytes: 3_600,
  maxTransactionsPerSender: 4,
  maxBytesPerSender: 800,
  maxDestinationsPerBounty: 2,
};
const PAYING = { transactions: 12, bytes: 2_700 };
const CLAIMS = { transactions: 4, bytes: 900 };

const SENDERS = ['a', 'b', 'c', 'd', 'e'];
const SALTS = Array.from({ length: 4 }, (_, i) => named(`salt ${i}`).slice(0, 8));
const BOUNTIES = Array.from({ length: 5 }, (_, i) => named(`bounty ${i}`));
const DESTINATIONS = ['p', 'q', 'r'];

interface Waiting {
  readonly tx: CheckedTransaction;
  /** Bounty and destination of the claims that it keeps a place for. */
  sweeps: { readonly bounty: string; readonly pair: string; readonly end: number }[];
}

const isClaims = ({ tx }: Waiting): boolean => tx.kind === KIND_CLAIMS;
const rate = ({ tx }: Waiting): bigint => (tx.fee * 1_000n) / BigInt(tx.bytes.length);
const size = (list: readonly Waiting[]): number => list.reduce((sum, { tx }) => sum + tx.bytes.length, 0);
const sender = ({ tx }: Waiting): string => keyOf(tx.debits()[0]!.account);
const end = ({ sweeps }: Waiting): number => Math.min(...sweeps.map((sweep) => sweep.end));
const listed = (tx: CheckedTransaction): readonly Claim[] => {
  const { body } = tx.decode();
  return body.kind === KIND_TRANSFER ? [] : body.claims;
};

class Model {
  waiting: Waiting[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  #open(tx: CheckedTransaction): Waiting['sweeps'] {
    return listed(tx)
      .filter(({ bountyId }) => this.#world.isOpen(bountyId))
      .map(({ bountyId, destination }) => ({
        bounty: keyOf(bountyId),
        pair: keyOf(bountyId) + keyOf(destination),
        end: this.#world.ends.get(keyOf(bountyId)) ?? 1_000,
      }));
  }

  #executes(tx: CheckedTransaction): boolean {
    return 2 * this.#open(tx).length >= listed(tx).length;
  }

  #pending(account: Bytes, list = this.waiting): bigint {
    let sum = 0n;
    for (const { tx } of list)
      for (const debit of tx.debits()) if (keyOf(debit.account) === keyOf(account)) sum += debit.amount;
    return sum;
  }

  add(tx: CheckedTransaction): string {
    const world = this.#world;
    const entry: Waiting = { tx, sweeps: [] };
    if (this.waiting.some((other) => keyOf(other.tx.id) === keyOf(tx.id))) return 'MEMPOOL_KNOWN';
    if (tx.validUntil < world.nextHeight) return 'TX_EXPIRED';
    let rest = this.waiting;
    const rival = rest.find((other) => keyOf(other.tx.replayKey) === keyOf(tx.replayKey));
    if (rival !== undefined) {
      if (tx.fee <= (rival.tx.fee * 110n) / 100n || rate(entry) <= rate(rival)) return 'TX_CONFLICT';
      rest = rest.filter((other) => other !== rival);
    }
    if (!isClaims(entry)) {
      const mine = rest.filter((other) => !isClaims(other) && sender(other) === sender(entry));
      if (mine.length + 1 > LIMITS.maxTransactionsPerSender) return 'MEMPOOL_SENDER_FULL';
      if (size(mine) + tx.bytes.length > LIMITS.maxBytesPerSender) return 'MEMPOOL_SENDER_FULL';
    }
    const shared = rest.filter((other) => isClaims(other) === isClaims(entry));
    const most = isClaims(entry) ? CLAIMS : PAYING;
    const full = (list: readonly Waiting[]): boolean =>
      list.length + 1 > most.transactions || size(list) + tx.bytes.length > most.bytes;
    const shrink = (
      gives: (worst: Waiting) => boolean,
      worse: (x: Waiting, y: Waiting) => boolean,
    ): boolean => {
      let left = [...shared];
      while (full(left)) {
        const worst = left.reduce((x, y) => (worse(y, x) ? y : x), left[0]!);
        if (worst === undefined || !gives(worst)) return false;
        left = left.filter((other) => other !== worst);
        rest = rest.filter((other) => other !== worst);
      }
      return true;
    };
    if (!isClaims(entry)) {
      if (
        !shrink(
          (worst) => rate(worst) < rate(entry),
          (x, y) => rate(x) < rate(y),
        )
      )
        return 'MEMPOOL_FULL';
      for (const { account, amount } of tx.debits()) {
        const balance = world.balances.get(keyOf(account)) ?? 0n;
        if (this.#pending(account, rest) + amount > balance) return 'TX_OVERSPENT';
      }
    }
    if (!this.#executes(tx)) return 'BOUNTY_CLOSED';
    entry.sweeps = this.#open(tx);
    for (const { pair, bounty } of entry.sweeps) {
      const all = this.waiting.flatMap(({ sweeps }) => sweeps);
      if (all.some((sweep) => sweep.pair === pair)) return 'CLAIM_PENDING';
      if (all.filter((sweep) => sweep.bounty === bounty).length >= LIMITS.maxDestinationsPerBounty)
        return 'CLAIM_DESTINATIONS';
    }
    if (
      isClaims(entry) &&
      !shrink(
        (worst) => end(worst) > end(entry),
        (x, y) => end(x) > end(y),
      )
    )
      return 'MEMPOOL_FULL';
    this.waiting = [...rest, entry];
    return 'ok';
  }

  finalised(block: readonly CheckedTransaction[]): void {
    const world = this.#world;
    const ids = new Set(block.map(({ id }) => keyOf(id)));
    const replayKeys = new Set(block.map(({ replayKey }) => keyOf(replayKey)));
    this.waiting = this.waiting.filter(
      ({ tx }) =>
        !ids.has(keyOf(tx.id)) && tx.validUntil >= world.nextHeight && !replayKeys.has(keyOf(tx.replayKey)),
    );
    for (const { account } of block.flatMap((tx) => tx.debits())) {
      const balance = world.balances.get(keyOf(account)) ?? 0n;
      while (this.#pending(account) > balance) {
        const poorest = this.waiting
          .filter((other) => other.tx.debits().some((debit) => keyOf(debit.account) === keyOf(account)))
          .reduce((x, y) => (rate(y) < rate(x) ? y : x));
        this.waiting = this.waiting.filter((other) => other !== poorest);
      }
    }
    const swept = new Set(block.flatMap(listed).map(({ bountyId }) => keyOf(bountyId)));
    const touched = this.waiting.filter(
      (entry) =>
        entry.sweeps.some(({ bounty }) => swept.has(bounty)) ||
        (isClaims(entry) && end(entry) <= world.nextHeight),
    );
    for (const entry of touched) {
      const open = new Set(this.#open(entry.tx).map(({ pair }) => pair));
      entry.sweeps = entry.sweeps.filter(({ pair }) => open.has(pair));
      this.waiting = this.waiting.filter((other) => other !== entry);
      if (this.#executes(entry.tx) && entry.sweeps.length > 0) this.waiting.push(entry);
    }
  }

  /** What the pool promises, counted out of what waits. */
  check(): void {
    const paying = this.waiting.filter((entry) => !isClaims(entry));
    const waitingClaims = this.waiting.filter(isClaims);
    expect(paying.length).toBeLessThanOrEqual(PAYING.transactions);
    expect(size(paying)).toBeLessThanOrEqual(PAYING.bytes);
    expect(waitingClaims.length).toBeLessThanOrEqual(CLAIMS.transactions);
    expect(size(waitingClaims)).toBeLessThanOrEqual(CLAIMS.bytes);
    expect(new Set(this.waiting.map(({ tx }) => keyOf(tx.replayKey))).size).toBe(this.waiting.length);
    const pairs = this.waiting.flatMap(({ sweeps }) => sweeps.map(({ pair }) => pair));
    expect(new Set(pairs).size).toBe(pairs.length);
    for (const name of SENDERS) {
      const account = accountHash(named(name));
      expect(this.#pending(account)).toBeLessThanOrEqual(this.#world.balances.get(keyOf(account)) ?? 0n);
      expect(this.#world.pool.pendingOf(account)).toBe(this.#pending(account));
    }
    const urgency: number[] = [];
    const rates: number[] = [];
    for (const tx of this.#world.pool.candidates()) {
      const entry = this.waiting.find((other) => keyOf(other.tx.id) === keyOf(tx.id))!;
      if (isClaims(entry)) {
        expect(rates).toEqual([]);
        urgency.push(end(entry));
      } else rates.push(-Number(rate(entry)));
    }
    for (const ranks of [urgency, rates]) expect(ranks).toEqual([...ranks].sort((x, y) => x - y));
  }
}

const small = (most: number): fc.Arbitrary<number> => fc.nat(most - 1);
const arrival = fc.record({
  type: fc.constant('transfer' as const),
  from: small(SENDERS.length),
  along: fc.option(small(SENDERS.length), { freq: 4 }),
  salt: small(SALTS.length),
  amount: fc.integer({ min: 1, max: 60_000 }),
  fee: fc.integer({ min: 200, max: 2_000 }),
  lifetime: small(6),
});
const claiming = fc.record({
  type: fc.constant('claims' as const),
  bounties: fc.uniqueArray(small(BOUNTIES.length), { minLength: 1, maxLength: 3 }),
  destination: small(DESTINATIONS.length),
  lifetime: small(6),
  salt: small(2),
});
const final = fc.record({
  type: fc.constant('block' as const),
  taken: small(4),
  funded: small(SENDERS.length),
  amount: fc.integer({ min: 0, max: 200_000 }),
  reopened: small(BOUNTIES.length),
  stranger: fc.boolean(),
});
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: arrival },
    { weight: 3, arbitrary: claiming },
    { weight: 2, arbitrary: final },
  ),
  { minLength: 20, maxLength: 80 },
);
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never) extends (infer S)[] ? S : never;

function arrive(step: Extract<Step, { type: 'transfer' | 'claims' }>, height: number): CheckedTransaction {
  const validUntil = height - 1 + step.lifetime;
  if (step.type === 'claims') {
    const list = step.bounties.map((i) => ({
      tag: named('tag'),
      bountyId: BOUNTIES[i]!,
      claimKey: named('claim key'),
      destination: named(DESTINATIONS[step.destination]!),
    }));
    return claims(validUntil, list, SALTS[step.salt]!);
  }
  const along = step.along === null || step.along === step.from ? [] : [SENDERS[step.along]!];
  return transfer({
    from: SENDERS[step.from]!,
    inputs: along.map((name) => ({ address: named(name), amount: 5_000n })),
    outputs: [pay('somebody', BigInt(step.amount) + 5_000n)],
    validUntil,
    salt: SALTS[step.salt]!,
    fee: BigInt(step.fee),
  });
}

it('does what the naive model does, over random histories', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(steps, (history) => {
      const world = new World(LIMITS);
      const model = new Model(world);
      for (const name of SENDERS) world.fund(name, 150_000n);
      BOUNTIES.forEach((id, i) => {
        world.ends.set(keyOf(id), 3 + 4 * i);
      });
      for (const step of history) {
        if (step.type === 'block') {
          const block = [...world.pool.candidates()].slice(0, step.taken);
          if (step.stranger) {
            const { tx } = model.waiting[0] ?? {};
            const salt = SALTS[0]!;
            const validUntil = tx?.validUntil ?? world.nextHeight;
            block.push(
              transfer({ from: SENDERS[step.funded]!, outputs: [pay('else', 7n)], validUntil, salt }),
            );
          }
          for (const { bountyId } of block.flatMap(listed)) world.closed.add(keyOf(bountyId));
          world.closed.delete(keyOf(BOUNTIES[step.reopened]!));
          world.nextHeight += 1;
          // A payment does not take a balance below what others of the pool take, but closing an account may.
          world.fund(SENDERS[step.funded]!, BigInt(step.amount));
          const touching = transfer({ from: SENDERS[step.funded]!, validUntil: world.nextHeight + 5 });
          block.push(touching);
          world.pool.finalised(block, world.view);
          model.finalised(block);
        } else {
          const tx = arrive(step, world.nextHeight);
          const code = model.add(tx);
          expect(world.add(tx)).toBe(code);
          seen.set(code, (seen.get(code) ?? 0) + 1);
        }
        const ids = (list: readonly CheckedTransaction[]): string[] => list.map(({ id }) => keyOf(id)).sort();
        expect(ids(world.pool.transactions())).toEqual(ids(model.waiting.map(({ tx }) => tx)));
        expect(world.pool.bytes).toBe(size(model.waiting));
        model.check();
      }
    }),
    { numRuns: 150, seed: 1 },
  );
  for (const code of [
    'ok',
    'TX_EXPIRED',
    'TX_CONFLICT',
    'MEMPOOL_SENDER_FULL',
    'MEMPOOL_FULL',
    'TX_OVERSPENT',
    'BOUNTY_CLOSED',
    'CLAIM_PENDING',
    'CLAIM_DESTINATIONS',
  ])
    expect(seen.get(code), code).toBeGreaterThan(0);
}, 60_000);
