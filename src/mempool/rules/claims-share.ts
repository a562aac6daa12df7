/**
 * Claims have a quarter of the pool, in count and bytes, and are ordered by the earliest `claimUntil` among
 * the bounties that they would sweep: a block takes the most urgent first, and when their share is full the
 * latest give way to a more urgent one (`MEMPOOL_EVICTED`); else the newcomer is refused: `MEMPOOL_FULL`.
 */
import { ProtocolError } from '../../codec/errors.ts';
import { RankOrder } from '../order.ts';
import {
  type Candidate,
  CLAIMS_SHARE,
  type DropReason,
  type Entry,
  type FinalBlock,
  type MempoolLimits,
  type Rule,
} from '../types.ts';

const EVICTED: DropReason = {
  code: 'MEMPOOL_EVICTED',
  message: 'it gave way to claims on bounties that end sooner; send it again after the next block',
};

function deadline({ sweeps }: Entry): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { claimUntil } of sweeps) earliest = Math.min(earliest, claimUntil);
  return earliest;
}

export class ClaimsShareRule implements Rule {
  readonly #maxTransactions: number;
  readonly #maxBytes: number;
  readonly #order = new RankOrder(deadline);
  #count = 0;
  #bytes = 0;

  constructor(limits: MempoolLimits) {
    this.#maxTransactions = Math.ceil(limits.maxTransactions * CLAIMS_SHARE);
    this.#maxBytes = Math.ceil(limits.maxBytes * CLAIMS_SHARE);
  }

  get count(): number {
    return this.#count;
  }

  /** The most urgent first. */
  [Symbol.iterator](): Iterator<Entry> {
    return this.#order[Symbol.iterator]();
  }

  admit({ entry, leaving }: Candidate): void {
    if (!entry.isClaims) return;
    let count = this.#count + 1;
    let bytes = this.#bytes + entry.tx.bytes.length;
    const fits = (): boolean => count <= this.#maxTransactions && bytes <= this.#maxBytes;
    if (fits()) return;
    const until = deadline(entry);
    const evicted: Entry[] = [];
    for (const latest of this.#order.worstFirst()) {
      if (fits() || deadline(latest) <= until) break;
      evicted.push(latest);
      count -= 1;
      bytes -= latest.tx.bytes.length;
    }
    if (!fits()) {
      throw new ProtocolError('MEMPOOL_FULL', 'too many claims wait; send it again after the next block');
    }
    for (const latest of evicted) leaving.set(latest, EVICTED);
  }

  entered(entry: Entry): void {
    if (!entry.isClaims) return;
    this.#order.add(entry);
    this.#count += 1;
    this.#bytes += entry.tx.bytes.length;
  }

  left(entry: Entry): void {
    if (!entry.isClaims) return;
    this.#order.remove(entry);
    this.#count -= 1;
    this.#bytes -= entry.tx.bytes.length;
  }

  /** Claims on bounties whose time is over are judged anew. */
  finalised({ view, rejudge }: FinalBlock): void {
    for (const entry of [...this.#order.upTo(view.nextHeight)]) rejudge(entry);
  }
}
