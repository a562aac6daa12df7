/**
 * The mempool: transactions that passed their stateless check and wait for a block. What may wait is said by
 * the rules under rules/, one file each; the pool asks them in the order below, cheap ones first, and is the only
 * place that lets a transaction in or out. It promises that a refused transaction has changed nothing, that
 * every rule sees every arrival and departure, and that each departure is told once with the reason. The page
 * docs/mempool.md has the rules with their codes and bounds.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { CheckedTransaction, Movement } from '../tx/check.ts';
import { KIND_CLAIMS } from '../tx/types.ts';
import { CodeCounter } from './codes.ts';
import { BalanceRule } from './rules/balance.ts';
import { ClaimsShareRule } from './rules/claims-share.ts';
import { ExecutorRule, judge } from './rules/executor.ts';
import { ExpiryRule } from './rules/expiry.ts';
import { PayingShareRule } from './rules/paying-share.ts';
import { PendingClaimsRule } from './rules/pending-claims.ts';
import { ReplacementRule } from './rules/replacement.ts';
import { SenderShareRule } from './rules/sender-share.ts';
import type {
  Candidate,
  DropReason,
  Entry,
  FinalBlock,
  MempoolLimits,
  MempoolObserver,
  MempoolView,
  Rule,
} from './types.ts';

const NOTHING_OPEN: DropReason = {
  code: 'BOUNTY_CLOSED',
  message: 'nothing that it was to sweep is open any more',
};

const NO_SWEEPS: Entry['sweeps'] = [];

function entryOf(
  tx: CheckedTransaction,
  names: { readonly name: string; readonly wireKey: string },
  movements: readonly Movement[],
  source: string | undefined,
): Entry {
  const isClaims = tx.kind === KIND_CLAIMS;
  return {
    tx,
    name: names.name,
    wireKey: names.wireKey,
    replayKey: keyOf(tx.replayKey),
    isClaims,
    rate: isClaims ? 0 : Number((tx.fee * 1_000n) / BigInt(tx.bytes.length)),
    debits: movements.map(({ account, amount }) => ({ key: keyOf(account), amount })),
    source,
    sweeps: NO_SWEEPS,
  };
}

/** Sizes, and counts since the start. */
export interface MempoolFigures {
  readonly transactions: number;
  readonly bytes: number;
  /** Of the transactions. */
  readonly claims: number;
  /** Different first addresses of the transactions. */
  readonly senders: number;
  readonly admitted: number;
  /** Those that left because they are in a final block. */
  readonly included: number;
  /** By code. */
  readonly refused: ReadonlyMap<string, number>;
  readonly dropped: ReadonlyMap<string, number>;
}

export class Mempool {
  readonly #observer: MempoolObserver;
  readonly #entries = new Map<string, Entry>();
  readonly #byWireHash = new Map<string, Entry>();
  readonly #senders: SenderShareRule;
  readonly #balances = new BalanceRule();
  readonly #paying: PayingShareRule;
  readonly #claims: ClaimsShareRule;
  readonly #rules: readonly Rule[];
  /** Of the admission under way. */
  readonly #leaving = new Map<Entry, DropReason>();
  readonly #refused = new CodeCounter();
  readonly #dropped = new CodeCounter();
  #admitted = 0;
  #included = 0;
  #bytes = 0;

  constructor(limits: MempoolLimits, observer: MempoolObserver) {
    this.#observer = observer;
    this.#senders = new SenderShareRule(limits);
    this.#paying = new PayingShareRule(limits);
    this.#claims = new ClaimsShareRule(limits);
    this.#rules = [
      new ExpiryRule(),
      new ReplacementRule(),
      this.#senders,
      this.#paying,
      this.#balances,
      new ExecutorRule(),
      new PendingClaimsRule(limits),
      this.#claims,
    ];
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

  /** The same by `keyOf` of that hash. */
  byWireKey(name: string): CheckedTransaction | undefined {
    return this.#byWireHash.get(name)?.tx;
  }

  /** What waiting transactions take from an account. */
  pendingOf(account: Bytes): bigint {
    return this.#balances.pending(keyOf(account));
  }

  /** All transactions, in no promised order. */
  transactions(): CheckedTransaction[] {
    return Array.from(this.#entries.values(), (entry) => entry.tx);
  }

  /** The order in which a block takes them: claims by urgency, then the rest by fee. */
  *candidates(): Generator<CheckedTransaction> {
    for (const entry of this.#claims) yield entry.tx;
    for (const entry of this.#paying) yield entry.tx;
  }

  /**
   * Admits a transaction and returns it as it is kept, or throws a `ProtocolError` that says why not.
   * `MEMPOOL_KNOWN` is harmless: the same transaction waits already. `source` is told back when it is dropped.
   */
  add(
    tx: CheckedTransaction,
    view: MempoolView,
    source?: string,
    wireKey = keyOf(tx.wireHash),
  ): CheckedTransaction {
    const name = keyOf(tx.id);
    if (this.#entries.has(name))
      throw new ProtocolError('MEMPOOL_KNOWN', 'the transaction is waiting already');
    const movements = tx.debits();
    const entry = entryOf(tx.owned(), { name, wireKey }, movements, source);
    const leaving = this.#leaving;
    leaving.clear();
    const candidate: Candidate = { entry, movements, view, leaving };
    try {
      for (const rule of this.#rules) rule.admit?.(candidate);
    } catch (error) {
      if (error instanceof ProtocolError) this.#refused.add(error.code);
      throw error;
    }
    for (const [other, why] of leaving) this.#drop(other, why);
    this.#insert(entry);
    this.#admitted += 1;
    return entry.tx;
  }

  #insert(entry: Entry): void {
    this.#entries.set(entry.name, entry);
    this.#byWireHash.set(entry.wireKey, entry);
    this.#bytes += entry.tx.bytes.length;
    for (const rule of this.#rules) rule.entered?.(entry);
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.name);
    this.#byWireHash.delete(entry.wireKey);
    this.#bytes -= entry.tx.bytes.length;
    for (const rule of this.#rules) rule.left?.(entry);
  }

  #drop(entry: Entry, why: DropReason): void {
    if (this.#entries.get(entry.name) !== entry) return;
    this.#remove(entry);
    this.#dropped.add(why.code);
    this.#observer.dropped(entry, why);
  }

  /** Drops one transaction that a block builder found to be refused for good. */
  discard(tx: CheckedTransaction, why: DropReason): void {
    const entry = this.#entries.get(keyOf(tx.id));
    if (entry !== undefined) this.#drop(entry, why);
  }

  /**
   * Takes a finalised block into account: its transactions leave, and so does, with a reason, what it leaves
   * no place for.
   */
  finalised(transactions: readonly CheckedTransaction[], view: MempoolView): void {
    const foreign: CheckedTransaction[] = [];
    const debited = new Set<string>();
    for (const tx of transactions) {
      const entry = this.#entries.get(keyOf(tx.id));
      if (entry === undefined) {
        foreign.push(tx);
        for (const { account } of tx.debits()) debited.add(keyOf(account));
        continue;
      }
      for (const { key } of entry.debits) debited.add(key);
      this.#remove(entry);
      this.#included += 1;
      this.#observer.included(entry);
    }
    const block: FinalBlock = {
      transactions,
      foreign,
      debited,
      view,
      drop: (entry, why) => this.#drop(entry, why),
      rejudge: (entry) => this.#rejudge(entry, view),
    };
    for (const rule of this.#rules) rule.finalised?.(block);
  }

  #rejudge(entry: Entry, view: MempoolView): void {
    if (this.#entries.get(entry.name) !== entry) return;
    let open: ReadonlySet<string>;
    try {
      open = new Set(judge(entry, view).map(({ pair }) => pair));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#drop(entry, error);
      return;
    }
    // Claims that opened meanwhile are not added: another transaction may wait for them.
    const sweeps = entry.sweeps.filter(({ pair }) => open.has(pair));
    if (sweeps.length === 0) {
      this.#drop(entry, NOTHING_OPEN);
      return;
    }
    for (const rule of this.#rules) rule.left?.(entry);
    entry.sweeps = sweeps;
    for (const rule of this.#rules) rule.entered?.(entry);
  }

  get figures(): MempoolFigures {
    return {
      transactions: this.#entries.size,
      bytes: this.#bytes,
      claims: this.#claims.count,
      senders: this.#senders.senders,
      admitted: this.#admitted,
      included: this.#included,
      refused: this.#refused.counts,
      dropped: this.#dropped.counts,
    };
  }
}
