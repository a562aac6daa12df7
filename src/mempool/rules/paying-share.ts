/**
 * Transactions that pay a fee have three quarters of the pool, in count and bytes. When they are full, those
 * that pay least by the byte give way to one that pays more (`MEMPOOL_EVICTED`); else the newcomer is refused:
 * `MEMPOOL_FULL`. A block takes them by fee a byte, within a fee by arrival.
 */
import { ProtocolError } from '../../codec/errors.ts';
import { RankOrder } from '../order.ts';
import {
  type Candidate,
  CLAIMS_SHARE,
  type DropReason,
  type Entry,
  type MempoolLimits,
  type Rule,
} from '../types.ts';

const EVICTED: DropReason = {
  code: 'MEMPOOL_EVICTED',
  message: 'it gave way to transactions that pay more; send it again with a higher fee',
};

export class PayingShareRule implements Rule {
  readonly #maxTransactions: number;
  readonly #maxBytes: number;
  readonly #order = new RankOrder((entry) => -entry.rate);
  #count = 0;
  #bytes = 0;

  constructor(limits: MempoolLimits) {
    this.#maxTransactions = limits.maxTransactions - Math.ceil(limits.maxTransactions * CLAIMS_SHARE);
    this.#maxBytes = limits.maxBytes - Math.ceil(limits.maxBytes * CLAIMS_SHARE);
  }

  /** Best fee first. */
  [Symbol.iterator](): Iterator<Entry> {
    return this.#order[Symbol.iterator]();
  }

  /** Decides first who has to leave, and lets nobody leave where that is not enough. */
  admit({ entry, leaving }: Candidate): void {
    if (entry.isClaims) return;
    let count = this.#count + 1;
    let bytes = this.#bytes + entry.tx.bytes.length;
    for (const other of leaving.keys()) {
      count -= 1;
      bytes -= other.tx.bytes.length;
    }
    const fits = (): boolean => count <= this.#maxTransactions && bytes <= this.#maxBytes;
    if (fits()) return;
    const evicted: Entry[] = [];
    for (const worst of this.#order.worstFirst()) {
      if (fits() || worst.rate >= entry.rate) break;
      if (leaving.has(worst)) continue;
      evicted.push(worst);
      count -= 1;
      bytes -= worst.tx.bytes.length;
    }
    if (!fits()) {
      throw new ProtocolError(
        'MEMPOOL_FULL',
        `the pool is full; the lowest fee in it is ${-(this.#order.worst ?? 0)} µKRY per 1,000 bytes`,
      );
    }
    for (const worst of evicted) leaving.set(worst, EVICTED);
  }

  entered(entry: Entry): void {
    if (entry.isClaims) return;
    this.#order.add(entry);
    this.#count += 1;
    this.#bytes += entry.tx.bytes.length;
  }

  left(entry: Entry): void {
    if (entry.isClaims) return;
    this.#order.remove(entry);
    this.#count -= 1;
    this.#bytes -= entry.tx.bytes.length;
  }
}
