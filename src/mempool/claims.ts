/**
 * The claims that wait, apart from all others since they pay no fee of their own: first in, first out, within
 * bounds of their own, and indexed by the bounties that they would sweep. A claims transaction is taken only if
 * it sweeps a bounty that no waiting one sweeps, so there are never more of them than open bounties.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import { KIND_TRANSFER } from '../tx/types.ts';

/** Ids of the bounties that a claims transaction names, in its order. */
export function claimedBounties(tx: CheckedTransaction): Bytes[] {
  const { body } = tx.decode();
  return body.kind === KIND_TRANSFER ? [] : body.claims.map(({ bountyId }) => bountyId);
}

export class WaitingClaims {
  readonly #maxTransactions: number;
  readonly #maxBytes: number;
  readonly #waiting = new Map<string, CheckedTransaction>();
  readonly #byBounty = new Map<string, string>();
  #bytes = 0;

  constructor(maxTransactions: number, maxBytes: number) {
    this.#maxTransactions = maxTransactions;
    this.#maxBytes = maxBytes;
  }

  /** Throws `CLAIM_PENDING` or `MEMPOOL_FULL`. `open` says which of the claims are open. */
  check(tx: CheckedTransaction, open: readonly boolean[]): void {
    const news = claimedBounties(tx).some((id, i) => open[i] === true && !this.#byBounty.has(keyOf(id)));
    if (!news)
      throw new ProtocolError('CLAIM_PENDING', 'a claim on every one of these bounties waits already');
    if (this.#waiting.size >= this.#maxTransactions || this.#bytes + tx.bytes.length > this.#maxBytes) {
      throw new ProtocolError('MEMPOOL_FULL', 'too many claims wait; send it again after the next block');
    }
  }

  add(name: string, tx: CheckedTransaction, open: readonly boolean[]): void {
    this.#waiting.set(name, tx);
    this.#bytes += tx.bytes.length;
    claimedBounties(tx).forEach((id, i) => {
      const key = keyOf(id);
      if (open[i] === true && !this.#byBounty.has(key)) this.#byBounty.set(key, name);
    });
  }

  remove(name: string): void {
    const tx = this.#waiting.get(name);
    if (tx === undefined) return;
    this.#waiting.delete(name);
    this.#bytes -= tx.bytes.length;
    for (const id of claimedBounties(tx)) {
      if (this.#byBounty.get(keyOf(id)) === name) this.#byBounty.delete(keyOf(id));
    }
  }

  /** Names of the waiting transactions that would sweep one of the bounties that `tx` names. */
  rivals(tx: CheckedTransaction): Set<string> {
    const names = new Set<string>();
    for (const id of claimedBounties(tx)) {
      const name = this.#byBounty.get(keyOf(id));
      if (name !== undefined) names.add(name);
    }
    return names;
  }

  [Symbol.iterator](): Iterator<CheckedTransaction> {
    return this.#waiting.values();
  }
}
