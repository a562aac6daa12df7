/**
 * The mempool: transactions that passed their stateless check and wait for a block. It promises that it never
 * holds more than its bounds, that what the transactions of one address take together never passes that
 * address's balance, that no two of them share a replay key, and that every transaction which leaves is
 * reported once with the reason. Order: claims apart and first in first out; others by fee a byte.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import { KIND_CLAIMS } from '../tx/types.ts';

export interface MempoolLimits {
  readonly maxTransactions: number;
  readonly maxBytes: number;
}

export const DEFAULT_MEMPOOL_LIMITS: MempoolLimits = { maxTransactions: 150_000, maxBytes: 96 * 1024 * 1024 };

/** What the pool asks of the chain's newest state. */
export interface MempoolView {
  /** Height of the next block. */
  readonly nextHeight: number;
  readonly txLifetime: number;
  readonly baseFee: bigint;
  /** Balance of an account by its hash; 0n when there is none. */
  balance(account: Bytes): bigint;
  /** True when the replay key is in a block already. */
  replayed(validUntil: number, replayKey: Bytes): boolean;
  /** Throws the reason why a transaction with bounties, adverts or claims could not be in the next block. */
  judgeRich(tx: CheckedTransaction): void;
}

export type DropCode =
  | 'MEMPOOL_EVICTED'
  | 'MEMPOOL_REPLACED'
  | 'TX_EXPIRED'
  | 'TX_OVERSPENT'
  | 'TX_REPLAY'
  | 'TX_STALE';

/** A replacement must pay at least this much more a byte, so that bandwidth is paid for. */
const REPLACEMENT_STEP_PERCENT = 10n;

interface Entry {
  readonly tx: CheckedTransaction;
  readonly name: string;
  /** Fee per thousand bytes, in µKRY; orders the pool. */
  readonly rate: number;
}

/** Entries by rate, best first; within a rate by arrival. */
class RateOrder {
  readonly #rates: number[] = [];
  readonly #buckets = new Map<number, Set<Entry>>();

  #position(rate: number): number {
    let lo = 0;
    let hi = this.#rates.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.#rates[mid]! > rate) lo = mid + 1;
      else hi = mid;
    }
    return lo;
  }

  add(entry: Entry): void {
    const bucket = this.#buckets.get(entry.rate);
    if (bucket !== undefined) {
      bucket.add(entry);
      return;
    }
    this.#buckets.set(entry.rate, new Set([entry]));
    this.#rates.splice(this.#position(entry.rate), 0, entry.rate);
  }

  remove(entry: Entry): void {
    const bucket = this.#buckets.get(entry.rate);
    if (bucket === undefined) return;
    bucket.delete(entry);
    if (bucket.size > 0) return;
    this.#buckets.delete(entry.rate);
    this.#rates.splice(this.#position(entry.rate), 1);
  }

  /** The entry that leaves first: the oldest of the lowest rate. */
  worst(): Entry | undefined {
    const rate = this.#rates.at(-1);
    return rate === undefined ? undefined : this.#buckets.get(rate)!.values().next().value;
  }

  lowestRate(): number {
    return this.#rates.at(-1) ?? 0;
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (const rate of this.#rates) yield* this.#buckets.get(rate)!;
  }
}

export class Mempool {
  readonly #limits: MempoolLimits;
  readonly #onDrop: (tx: CheckedTransaction, code: DropCode) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #byWireHash = new Map<string, Entry>();
  readonly #byReplayKey = new Map<string, Entry>();
  readonly #byExpiry = new Map<number, Set<Entry>>();
  readonly #bySender = new Map<string, { total: bigint; readonly entries: Set<Entry> }>();
  readonly #order = new RateOrder();
  readonly #claims = new Set<Entry>();
  #bytes = 0;

  constructor(limits: MempoolLimits, onDrop: (tx: CheckedTransaction, code: DropCode) => void) {
    this.#limits = limits;
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(id: Bytes): CheckedTransaction | undefined {
    return this.#entries.get(keyOf(id))?.tx;
  }

  /** The transaction whose full bytes have this SHA-256. */
  byWireHash(wireHash: Bytes): CheckedTransaction | undefined {
    return this.#byWireHash.get(keyOf(wireHash))?.tx;
  }

  /** What waiting transactions take from an account. */
  pendingOf(account: Bytes): bigint {
    return this.#bySender.get(keyOf(account))?.total ?? 0n;
  }

  /** All transactions, in no promised order. */
  transactions(): CheckedTransaction[] {
    return Array.from(this.#entries.values(), (entry) => entry.tx);
  }

  /** Claims, then the rest by fee: the order in which a block takes them. */
  *candidates(): Generator<CheckedTransaction> {
    for (const entry of this.#claims) yield entry.tx;
    for (const entry of this.#order) yield entry.tx;
  }

  /**
   * Admits a transaction, or throws a `ProtocolError` that says why not. `MEMPOOL_KNOWN` is harmless: the same
   * transaction waits already.
   */
  add(tx: CheckedTransaction, view: MempoolView): void {
    const name = keyOf(tx.id);
    if (this.#entries.has(name))
      throw new ProtocolError('MEMPOOL_KNOWN', 'the transaction is waiting already');
    if (tx.validUntil < view.nextHeight) {
      throw new ProtocolError(
        'TX_EXPIRED',
        `valid until ${tx.validUntil}, the next block is ${view.nextHeight}`,
      );
    }
    if (tx.validUntil > view.nextHeight + view.txLifetime) {
      throw new ProtocolError('TX_TOO_FAR', `validUntil is at most ${view.nextHeight + view.txLifetime} now`);
    }
    const isClaims = tx.kind === KIND_CLAIMS;
    const least = BigInt(tx.bytes.length) * view.baseFee;
    if (!isClaims && tx.fee < least)
      throw new ProtocolError('TX_FEE_LOW', `fee is ${tx.fee} µKRY, at least ${least} is due`);
    if (view.replayed(tx.validUntil, tx.replayKey))
      throw new ProtocolError('TX_REPLAY', 'it, or one that conflicts with it, is in a block');
    const rate = isClaims ? 0 : Number((tx.fee * 1_000n) / BigInt(tx.bytes.length));
    const entry: Entry = { tx, name, rate };
    const replaced = this.#replaced(entry);
    this.#checkBalances(entry, replaced, view);
    if (tx.rich) view.judgeRich(tx);
    this.#makeRoom(entry, replaced);
    if (replaced !== undefined) this.#drop(replaced, 'MEMPOOL_REPLACED');
    this.#insert(entry);
  }

  #replaced(entry: Entry): Entry | undefined {
    const old = this.#byReplayKey.get(keyOf(entry.tx.replayKey));
    if (old === undefined) return undefined;
    const least = (old.tx.fee * (100n + REPLACEMENT_STEP_PERCENT)) / 100n;
    if (entry.tx.fee <= least || entry.rate <= old.rate) {
      throw new ProtocolError(
        'TX_CONFLICT',
        `a transaction with the same salt waits; replacing it takes a fee over ${least} µKRY`,
      );
    }
    return old;
  }

  #checkBalances(entry: Entry, replaced: Entry | undefined, view: MempoolView): void {
    for (const { account, amount } of entry.tx.debits()) {
      let pending = this.#bySender.get(keyOf(account))?.total ?? 0n;
      for (const debit of replaced?.tx.debits() ?? [])
        if (keyOf(debit.account) === keyOf(account)) pending -= debit.amount;
      const balance = view.balance(account);
      if (pending + amount > balance) {
        throw new ProtocolError(
          'TX_OVERSPENT',
          `it takes ${amount} µKRY, ${balance - pending} of ${balance} are free`,
        );
      }
    }
  }

  #full(extra: number, without: number): boolean {
    return (
      this.#entries.size + 1 > this.#limits.maxTransactions ||
      this.#bytes + extra - without > this.#limits.maxBytes
    );
  }

  #makeRoom(entry: Entry, replaced: Entry | undefined): void {
    while (this.#full(entry.tx.bytes.length, replaced?.tx.bytes.length ?? 0)) {
      const worst = this.#order.worst();
      const outbids = worst !== undefined && (entry.tx.kind === KIND_CLAIMS || worst.rate < entry.rate);
      if (!outbids)
        throw new ProtocolError(
          'MEMPOOL_FULL',
          `the pool is full; the lowest fee in it is ${this.#order.lowestRate()} µKRY per 1,000 bytes`,
        );
      if (worst === replaced) return;
      this.#drop(worst, 'MEMPOOL_EVICTED');
    }
  }

  #insert(entry: Entry): void {
    const { tx } = entry;
    this.#entries.set(entry.name, entry);
    this.#byWireHash.set(keyOf(tx.wireHash), entry);
    this.#byReplayKey.set(keyOf(tx.replayKey), entry);
    this.#bytes += tx.bytes.length;
    const expiring = this.#byExpiry.get(tx.validUntil);
    if (expiring === undefined) this.#byExpiry.set(tx.validUntil, new Set([entry]));
    else expiring.add(entry);
    if (tx.kind === KIND_CLAIMS) this.#claims.add(entry);
    else this.#order.add(entry);
    for (const { account, amount } of tx.debits()) {
      const key = keyOf(account);
      const sender = this.#bySender.get(key);
      if (sender === undefined) this.#bySender.set(key, { total: amount, entries: new Set([entry]) });
      else {
        sender.total += amount;
        sender.entries.add(entry);
      }
    }
  }

  #remove(entry: Entry): void {
    const { tx } = entry;
    this.#entries.delete(entry.name);
    this.#byWireHash.delete(keyOf(tx.wireHash));
    this.#byReplayKey.delete(keyOf(tx.replayKey));
    this.#bytes -= tx.bytes.length;
    const expiring = this.#byExpiry.get(tx.validUntil);
    expiring?.delete(entry);
    if (expiring?.size === 0) this.#byExpiry.delete(tx.validUntil);
    this.#claims.delete(entry);
    this.#order.remove(entry);
    for (const { account, amount } of tx.debits()) {
      const key = keyOf(account);
      const sender = this.#bySender.get(key);
      if (sender === undefined) continue;
      sender.total -= amount;
      sender.entries.delete(entry);
      if (sender.entries.size === 0) this.#bySender.delete(key);
    }
  }

  #drop(entry: Entry, code: DropCode): void {
    this.#remove(entry);
    this.#onDrop(entry.tx, code);
  }

  /** Drops one transaction that a block builder found to be refused for good. */
  discard(tx: CheckedTransaction, code: DropCode): void {
    const entry = this.#entries.get(keyOf(tx.id));
    if (entry !== undefined) this.#drop(entry, code);
  }

  /**
   * Takes a finalised block into account: its transactions leave silently, what conflicts with them, what has
   * expired and what its senders can no longer pay leaves with a reason.
   */
  finalised(transactions: readonly CheckedTransaction[], view: MempoolView): void {
    const touched = new Set<string>();
    for (const tx of transactions) {
      const entry = this.#entries.get(keyOf(tx.id));
      if (entry !== undefined) this.#remove(entry);
      const conflicting = this.#byReplayKey.get(keyOf(tx.replayKey));
      if (conflicting !== undefined) this.#drop(conflicting, 'TX_REPLAY');
      if (entry !== undefined) continue;
      for (const { account } of tx.debits()) touched.add(keyOf(account));
    }
    for (const [validUntil, entries] of this.#byExpiry) {
      if (validUntil < view.nextHeight) for (const entry of [...entries]) this.#drop(entry, 'TX_EXPIRED');
    }
    for (const key of touched) this.#settleSender(key, view);
  }

  #settleSender(key: string, view: MempoolView): void {
    const sender = this.#bySender.get(key);
    const first = sender?.entries.values().next().value;
    const account = first?.tx.debits().find((debit) => keyOf(debit.account) === key)?.account;
    if (sender === undefined || account === undefined) return;
    const balance = view.balance(account);
    const byRate = [...sender.entries].sort((a, b) => a.rate - b.rate);
    for (const entry of byRate) {
      if (sender.total <= balance) return;
      this.#drop(entry, 'TX_OVERSPENT');
    }
  }
}
