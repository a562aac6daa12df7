/**
 * The way of a transaction into the mempool, from the API or from gossip: dropped if it is known, checked in
 * the workers, judged against the finalised state, then passed on. It also remembers what became of
 * transactions that did not make it, so that a user can be told.
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

export interface AdmissionOptions {
  readonly limits: MempoolLimits;
  readonly verifier: TransactionVerifier;
  readonly chain: () => Chain;
}

export class Admissions {
  readonly mempool: Mempool;
  readonly #o: AdmissionOptions;
  readonly #fates = new Map<string, Fate>();

  constructor(options: AdmissionOptions) {
    this.#o = options;
    this.mempool = new Mempool(options.limits, (tx, why) => this.#remember(tx.id, why.code, why.message));
  }

  #remember(id: Bytes, code: string, reason: string): void {
    if (this.#fates.size >= MAX_FATES) {
      const oldest = this.#fates.keys().next().value;
      if (oldest !== undefined) this.#fates.delete(oldest);
    }
    this.#fates.set(keyOf(id), { code, reason });
  }

  /** What became of a transaction that is neither waiting nor final, as far as this node remembers. */
  fate(id: Bytes): Fate | undefined {
    return this.#fates.get(keyOf(id));
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
    const known = transactions.map((bytes) => this.mempool.byWireHash(sha256(bytes)));
    const fresh = transactions.filter((_, i) => known[i] === undefined);
    const checked = fresh.length === 0 ? [] : await this.#o.verifier.check(fresh, 'admission');
    const view = this.view();
    let next = 0;
    return known.map((tx) => {
      if (tx !== undefined) return { status: 'known', tx };
      const result = checked[next++]!;
      if (result instanceof ProtocolError)
        return { status: 'refused', id: undefined, error: result, stateless: true };
      return this.#add(result, view);
    });
  }

  #add(tx: CheckedTransaction, view: MempoolView): Admission {
    try {
      const kept = this.mempool.add(tx, view);
      this.#fates.delete(keyOf(tx.id));
      return { status: 'admitted', tx: kept };
    } catch (error) {
      if (isProtocolError(error, 'MEMPOOL_KNOWN')) return { status: 'known', tx };
      if (!(error instanceof ProtocolError)) throw error;
      this.#remember(tx.id, error.code, error.message);
      return { status: 'refused', id: tx.id, error, stateless: false };
    }
  }
}
