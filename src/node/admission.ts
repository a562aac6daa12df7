/**
 * The way of a transaction into the mempool, from the API or from gossip: dropped if it is known, checked in
 * the workers, judged against the finalised state, then passed on. It also remembers what became of
 * transactions that did not make it, so that a user can be told, and those that lately became final, so that
 * their signatures are not verified again.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { decodeAccount } from '../ledger/entries.ts';
import { accountKey } from '../ledger/keys.ts';
import { Mempool, type MempoolLimits, type MempoolView } from '../mempool/pool.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import type { Chain } from './chain.ts';
import type { TransactionVerifier } from './verify-pool.ts';

export type Admission =
  | { readonly status: 'admitted' | 'known'; readonly tx: CheckedTransaction }
  | { readonly status: 'final'; readonly id: Bytes }
  | {
      readonly status: 'refused';
      readonly id: Bytes | undefined;
      readonly error: ProtocolError;
      readonly stateless: boolean;
    };

/** Why a transaction is neither waiting nor final. */
export interface Fate {
  readonly code: string;
  readonly reason: string;
}

const MAX_FATES = 50_000;
const MAX_FINAL = 100_000;

/** Sets `key`; the oldest entries leave a map of more than `most`. */
function setBounded<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.set(key, value);
  if (map.size <= most) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}

export interface AdmissionOptions {
  readonly limits: MempoolLimits;
  readonly verifier: TransactionVerifier;
  readonly chain: () => Chain;
  /** Hears of every outcome, and of what leaves the pool without being in a block. */
  readonly observer?: AdmissionObserver;
}

export interface AdmissionObserver {
  admitted(): void;
  refused(code: string): void;
  dropped(code: string): void;
}

export class Admissions {
  readonly mempool: Mempool;
  readonly #o: AdmissionOptions;
  readonly #fates = new Map<string, Fate>();
  /** Ids of transactions that lately became final, by the SHA-256 of their full bytes. */
  readonly #final = new Map<string, Bytes>();

  constructor(options: AdmissionOptions) {
    this.#o = options;
    this.mempool = new Mempool(options.limits, (tx, why) => {
      options.observer?.dropped(why.code);
      this.#remember(tx.id, why.code, why.message);
    });
  }

  #remember(id: Bytes, code: string, reason: string): void {
    setBounded(this.#fates, keyOf(id), { code, reason }, MAX_FATES);
  }

  /** What became of a transaction that is neither waiting nor final, as far as this node remembers. */
  fate(id: Bytes): Fate | undefined {
    return this.#fates.get(keyOf(id));
  }

  /** Takes note of a finalised block's transactions. */
  finalised(transactions: readonly CheckedTransaction[]): void {
    this.mempool.finalised(transactions, this.view());
    for (const tx of transactions) setBounded(this.#final, keyOf(tx.wireHash), tx.id.slice(), MAX_FINAL);
  }

  /** The chain as the mempool looks at it; made anew after every block. */
  view(): MempoolView {
    const chain = this.#o.chain();
    const { state } = chain;
    const judge = chain.judge();
    return {
      nextHeight: chain.tip.height + 1,
      balance: (account) => {
        const value = state.get(accountKey(account));
        return value === undefined ? 0n : decodeAccount(value);
      },
      judge: (tx) => judge.check(tx).open,
    };
  }

  /** Admits transactions given as full bytes; one result each, in their order. Throws `VERIFY_BUSY`. */
  async admit(transactions: readonly Bytes[]): Promise<Admission[]> {
    const known = transactions.map((bytes) => this.#known(sha256(bytes)));
    const fresh = transactions.filter((_, i) => known[i] === undefined);
    const checked = fresh.length === 0 ? [] : await this.#o.verifier.check(fresh, 'admission');
    const view = this.view();
    let next = 0;
    return known.map((admission) => {
      if (admission !== undefined) return admission;
      const result = checked[next++]!;
      if (result instanceof ProtocolError) {
        this.#o.observer?.refused(result.code);
        return { status: 'refused', id: undefined, error: result, stateless: true };
      }
      return this.#add(result, view);
    });
  }

  #known(wireHash: Bytes): Admission | undefined {
    const tx = this.mempool.byWireHash(wireHash);
    if (tx !== undefined) return { status: 'known', tx };
    const id = this.#final.get(keyOf(wireHash));
    return id === undefined ? undefined : { status: 'final', id };
  }

  #add(tx: CheckedTransaction, view: MempoolView): Admission {
    try {
      const kept = this.mempool.add(tx, view);
      this.#fates.delete(keyOf(tx.id));
      this.#o.observer?.admitted();
      return { status: 'admitted', tx: kept };
    } catch (error) {
      if (isProtocolError(error, 'MEMPOOL_KNOWN')) return { status: 'known', tx };
      if (!(error instanceof ProtocolError)) throw error;
      this.#o.observer?.refused(error.code);
      this.#remember(tx.id, error.code, error.message);
      return { status: 'refused', id: tx.id, error, stateless: false };
    }
  }
}
