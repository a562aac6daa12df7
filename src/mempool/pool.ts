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
import { WaitingClaims } from './claims.ts';

export interface MempoolLimits {
  readonly maxTransactions: number;
  readonly maxBytes: number;
}

export const DEFAULT_MEMPOOL_LIMITS: MempoolLimits = { maxTransactions: 150_000, maxBytes: 96 * 1024 * 1024 };

/** What the pool asks of the chain's newest state. */
export interface MempoolView {
  /** Height of the next block. */
  readonly nextHeight: number;
  /** Balance of an account by its hash; 0n when there is none. */
  balance(account: Bytes): bigint;
  /**
   * Throws the reason why a transaction could not be in the next block, alone in it. For claims: which of them
   * are open.
   */
  judge(tx: CheckedTransaction): readonly boolean[];
}

/** Why a transaction leaves that is not in a block, for the one who sent it. */
export interface DropReason {
  readonly code: string;
  readonly message: string;
}

const GONE = {
  evicted: {
    code: 'MEMPOOL_EVICTED',
    message: 'it gave way to transactions that pay more; send it again with a higher fee',
  },
  replaced: { code: 'MEMPOOL_REPLACED', message: 'its sender replaced it by one with a higher fee' },
  expired: { code: 'TX_EXPIRED', message: 'its validUntil has passed without it being in a block' },
  overspent: { code: 'TX_OVERSPENT', message: 'other transactions have used what it spends' },
  replayed: { code: 'TX_REPLAY', message: 'a transaction with the same salt is final' },
} as const satisfies Record<string, DropReason>;

/** Claims pay no fee a byte, so they have this share of the pool, and the others the rest: none displaces the other. */
const CLAIMS_SHARE = 0.25;

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

  /** In the order in which they leave: the lowest rate first, within it the oldest. */
  *worstFirst(): Generator<Entry> {
    for (let i = this.#rates.length - 1; i >= 0; i--) yield* this.#buckets.get(this.#rates[i]!)!;
  }

  lowestRate(): number {
    return this.#rates.at(-1) ?? 0;
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (const rate of this.#rates) yield* this.#buckets.get(rate)!;
  }
}

export class Mempool {
  /** For transactions other than claims. */
  readonly #limits: MempoolLimits;
  readonly #onDrop: (tx: CheckedTransaction, why: DropReason) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #byWireHash = new Map<string, Entry>();
  readonly #byReplayKey = new Map<string, Entry>();
  readonly #byExpiry = new Map<number, Set<Entry>>();
  readonly #bySender = new Map<string, { total: bigint; readonly entries: Set<Entry> }>();
  readonly #order = new RateOrder();
  readonly #claims: WaitingClaims;
  #bytes = 0;
  /** Of `#bytes`, those of transactions other than claims. */
  #ordinaryBytes = 0;
  #ordinary = 0;

  constructor(limits: MempoolLimits, onDrop: (tx: CheckedTransaction, why: DropReason) => void) {
    this.#onDrop = onDrop;
    const claims = Math.ceil(limits.maxTransactions * CLAIMS_SHARE);
    const claimsBytes = Math.ceil(limits.maxBytes * CLAIMS_SHARE);
    this.#claims = new WaitingClaims(claims, claimsBytes);
    this.#limits = {
      maxTransactions: limits.maxTransactions - claims,
      maxBytes: limits.maxBytes - claimsBytes,
    };
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
    yield* this.#claims;
    for (const entry of this.#order) yield entry.tx;
  }

  /**
   * Admits a transaction and returns it as it is kept, or throws a `ProtocolError` that says why not.
   * `MEMPOOL_KNOWN` is harmless: the same transaction waits already.
   */
  add(tx: CheckedTransaction, view: MempoolView): CheckedTransaction {
    const name = keyOf(tx.id);
    if (this.#entries.has(name))
      throw new ProtocolError('MEMPOOL_KNOWN', 'the transaction is waiting already');
    const isClaims = tx.kind === KIND_CLAIMS;
    const rate = isClaims ? 0 : Number((tx.fee * 1_000n) / BigInt(tx.bytes.length));
    const entry: Entry = { tx: tx.owned(), name, rate };
    const replaced = this.#replaced(entry);
    this.#checkBalances(entry, replaced, view);
    const open = view.judge(tx);
    if (isClaims) this.#claims.check(tx, open);
    else this.#makeRoom(entry, replaced);
    if (replaced !== undefined) this.#drop(replaced, GONE.replaced);
    this.#insert(entry);
    if (isClaims) this.#claims.add(name, entry.tx, open);
    else this.#order.add(entry);
    return entry.tx;
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

  /** Decides first who has to leave for `entry`, and lets nobody leave where that is not enough. */
  #makeRoom(entry: Entry, replaced: Entry | undefined): void {
    const { maxTransactions, maxBytes } = this.#limits;
    let count = this.#ordinary + 1 - (replaced === undefined ? 0 : 1);
    let bytes = this.#ordinaryBytes + entry.tx.bytes.length - (replaced?.tx.bytes.length ?? 0);
    const leaving: Entry[] = [];
    for (const worst of this.#order.worstFirst()) {
      if ((count <= maxTransactions && bytes <= maxBytes) || worst.rate >= entry.rate) break;
      if (worst === replaced) continue;
      leaving.push(worst);
      count -= 1;
      bytes -= worst.tx.bytes.length;
    }
    if (count > maxTransactions || bytes > maxBytes) {
      throw new ProtocolError(
        'MEMPOOL_FULL',
        `the pool is full; the lowest fee in it is ${this.#order.lowestRate()} µKRY per 1,000 bytes`,
      );
    }
    for (const worst of leaving) this.#drop(worst, GONE.evicted);
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
    if (tx.kind !== KIND_CLAIMS) {
      this.#ordinary += 1;
      this.#ordinaryBytes += tx.bytes.length;
    }
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
    if (tx.kind === KIND_CLAIMS) this.#claims.remove(entry.name);
    else {
      this.#order.remove(entry);
      this.#ordinary -= 1;
      this.#ordinaryBytes -= tx.bytes.length;
    }
    for (const { account, amount } of tx.debits()) {
      const key = keyOf(account);
      const sender = this.#bySender.get(key);
      if (sender === undefined) continue;
      sender.total -= amount;
      sender.entries.delete(entry);
      if (sender.entries.size === 0) this.#bySender.delete(key);
    }
  }

  #drop(entry: Entry, why: DropReason): void {
    this.#remove(entry);
    this.#onDrop(entry.tx, why);
  }

  /** Drops one transaction that a block builder found to be refused for good. */
  discard(tx: CheckedTransaction, why: DropReason): void {
    const entry = this.#entries.get(keyOf(tx.id));
    if (entry !== undefined) this.#drop(entry, why);
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
      if (conflicting !== undefined) this.#drop(conflicting, GONE.replayed);
      if (tx.kind === KIND_CLAIMS) this.#settleClaims(tx, view);
      if (entry !== undefined) continue;
      for (const { account } of tx.debits()) touched.add(keyOf(account));
    }
    for (const [validUntil, entries] of this.#byExpiry) {
      if (validUntil < view.nextHeight) for (const entry of [...entries]) this.#drop(entry, GONE.expired);
    }
    for (const key of touched) this.#settleSender(key, view);
  }

  /** Drops waiting claims on the bounties of a final one, as far as nothing is left for them. */
  #settleClaims(final: CheckedTransaction, view: MempoolView): void {
    for (const name of this.#claims.rivals(final)) {
      const entry = this.#entries.get(name);
      if (entry === undefined) continue;
      try {
        view.judge(entry.tx);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#drop(entry, error);
      }
    }
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
      this.#drop(entry, GONE.overspent);
    }
  }
}
