/**
 * Batches of transactions on their way out and in. Out: what was admitted here is collected for a moment and
 * published in batches; what stays without a block is published again, less and less often. In: a batch is
 * forwarded as it is when nearly all of it was taken in; when much of it was refused, only what was taken in
 * is passed on, in batches of this node's own, so that nobody is charged for what others sent. So are small batches
 * when there are very many, so that the rate at which this node sends does not follow from what others do.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { TokenBucket } from '../p2p/bucket.ts';
import type { BatchVerdict, Verdict } from '../p2p/types.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import type { Admission, Admissions } from './admission.ts';
import { decodeTransactionList, encodeTransactionList } from './requests.ts';

const BATCH_BYTES = 128 * 1024;
const MAX_BATCH_TRANSACTIONS = 4_096;
const COLLECT_MS = 15;
/** Of a batch that is forwarded as it is, so much may have been refused by the state. */
const MOST_REFUSED = 0.1;
/** Batches of others that are forwarded as they are a second; twice that at once. */
const FORWARDED_PER_SECOND = 50;

const TICK_MS = 1_000;
/** Between one publication and the next; the last one repeats. */
const REPUBLISH_MS = [5_000, 10_000, 20_000, 40_000, 60_000] as const;
/** Published again in one tick; the rest waits for the next one. */
const MAX_AGAIN = 2_000;
const MAX_OWN = 150_000;
/** Networks drop a batch that they have seen within two minutes: so many forms of one take longer than that. */
const FORMS = 8;

/** Transactions: own ones that are published until they are final, and counts since the start. */
export interface RelayFigures {
  readonly own: number;
  readonly republished: number;
  /** Those of peers that were passed on without the rest of their batch. */
  readonly rebatched: number;
}

export interface GossipOptions {
  readonly admissions: Admissions;
  readonly publish: (batch: Bytes) => void;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
}

interface Own {
  readonly key: string;
  readonly tx: CheckedTransaction;
  times: number;
  /** When to publish it again. */
  due: number;
}

const level = ({ times }: Own): number => Math.min(times, REPUBLISH_MS.length - 1);

export class TransactionRelay {
  readonly #o: GossipOptions;
  readonly #now: () => number;
  /** By how often they were published again, then by wire hash; each in the order in which they are due. */
  readonly #levels: readonly Map<string, Own>[] = REPUBLISH_MS.map(() => new Map());
  #outgoing: Bytes[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #republish: NodeJS.Timeout;
  #republished = 0;
  #rebatched = 0;
  readonly #forwards: TokenBucket;

  constructor(options: GossipOptions) {
    this.#o = options;
    this.#now = options.now ?? (() => performance.now());
    this.#forwards = new TokenBucket(FORWARDED_PER_SECOND, 2 * FORWARDED_PER_SECOND, this.#now);
    this.#republish = setInterval(() => this.again(), TICK_MS);
  }

  /** Queues transactions that this node's own users sent. */
  send(transactions: readonly CheckedTransaction[]): void {
    const due = this.#now() + REPUBLISH_MS[0];
    for (const tx of transactions) {
      const key = keyOf(tx.wireHash);
      if (this.#size < MAX_OWN && !this.holds(key)) {
        this.#levels[0]!.set(key, { key, tx, times: 0, due });
      }
      this.#queue(tx.bytes);
    }
  }

  /** Whether a transaction is published again until it leaves. */
  holds(wireKey: string): boolean {
    return this.#levels.some((waiting) => waiting.has(wireKey));
  }

  #queue(bytes: Bytes): void {
    this.#outgoing.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= BATCH_BYTES || this.#outgoing.length >= MAX_BATCH_TRANSACTIONS) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), COLLECT_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#outgoing.length === 0) return;
    const batch = encodeTransactionList(this.#outgoing);
    this.#outgoing = [];
    this.#bytes = 0;
    this.#o.publish(batch);
  }

  /** A transaction waits no longer: there is no use in publishing it. */
  left(wireKey: string): void {
    for (const waiting of this.#levels) if (waiting.delete(wireKey)) return;
  }

  get #size(): number {
    return this.#levels.reduce((sum, waiting) => sum + waiting.size, 0);
  }

  /** Publishes again what is due. */
  again(): void {
    const now = this.#now();
    const due: Own[] = [];
    for (const waiting of this.#levels) {
      for (const own of waiting.values()) {
        if (own.due > now || due.length >= MAX_AGAIN) break;
        due.push(own);
      }
    }
    let batch: Bytes[] = [];
    let bytes = 0;
    let form = 0;
    for (const [i, own] of due.entries()) {
      this.#levels[level(own)]!.delete(own.key);
      own.times += 1;
      own.due = now + REPUBLISH_MS[level(own)]!;
      this.#levels[level(own)]!.set(own.key, own);
      batch.push(own.tx.bytes);
      bytes += own.tx.bytes.length;
      form = Math.max(form, own.times % FORMS);
      if (bytes < BATCH_BYTES && i < due.length - 1) continue;
      // A transaction that stands in it twice does no harm, and makes it another batch than the last time.
      for (let n = 0; n < form; n++) batch.push(batch[0]!);
      this.#o.publish(encodeTransactionList(batch));
      batch = [];
      bytes = 0;
      form = 0;
    }
    this.#republished += due.length;
  }

  /** A batch that a peer passed on. */
  async receive(batch: Bytes, peer: string, validator: boolean): Promise<BatchVerdict> {
    try {
      const list = decodeTransactionList(batch, MAX_BATCH_TRANSACTIONS);
      return this.#judge(await this.#o.admissions.admit(list, { peer, validator }));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (error.code.startsWith('CODEC_')) return 'reject';
      // found out at little cost; copies of what did not fit into a full lane would all cost as much again
      return error.code === 'PEER_BUDGET' ? 'busy' : 'ignore';
    }
  }

  #judge(results: readonly Admission[]): Verdict {
    let refused = 0;
    const admitted: CheckedTransaction[] = [];
    let invalid = false;
    for (const result of results) {
      if (result.status === 'admitted') admitted.push(result.tx);
      else if (result.status === 'refused') {
        refused += 1;
        invalid ||= result.stateless;
      }
    }
    if (!invalid && refused <= MOST_REFUSED * results.length) {
      if (admitted.length === 0) return 'ignore';
      if (this.#forwards.tryTake(1)) return 'accept';
    }
    for (const tx of admitted) this.#queue(tx.bytes);
    this.#rebatched += admitted.length;
    return invalid ? 'reject' : 'ignore';
  }

  get figures(): RelayFigures {
    return { own: this.#size, republished: this.#republished, rebatched: this.#rebatched };
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#republish);
  }
}
