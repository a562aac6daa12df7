/**
 * Batches of transactions on their way out and in. Out: what was admitted here is collected for a moment and
 * published in batches; what stays without a block is published again. In: a batch is forwarded only when all
 * of it passed the stateless checks and something in it was new.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { Verdict } from '../p2p/types.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import type { Admissions } from './admission.ts';
import { decodeTransactionList, encodeTransactionList } from './requests.ts';

const BATCH_BYTES = 128 * 1024;
const MAX_BATCH_TRANSACTIONS = 4_096;
const COLLECT_MS = 15;
const REPUBLISH_MS = 5_000;
const MAX_OWN = 20_000;

export interface GossipOptions {
  readonly admissions: Admissions;
  readonly publish: (batch: Bytes) => void;
}

export class TransactionRelay {
  readonly #o: GossipOptions;
  readonly #own = new Map<string, { readonly tx: CheckedTransaction; at: number }>();
  #outgoing: Bytes[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #republish: NodeJS.Timeout;

  constructor(options: GossipOptions) {
    this.#o = options;
    this.#republish = setInterval(() => this.#again(), REPUBLISH_MS);
  }

  /** Queues transactions that this node's own users sent. */
  send(transactions: readonly CheckedTransaction[]): void {
    const now = performance.now();
    for (const tx of transactions) {
      if (this.#own.size < MAX_OWN) this.#own.set(keyOf(tx.id), { tx, at: now });
      this.#queue(tx.bytes);
    }
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

  #again(): void {
    const { mempool } = this.#o.admissions;
    const now = performance.now();
    for (const [key, own] of this.#own) {
      if (mempool.get(own.tx.id) === undefined) this.#own.delete(key);
      else if (now - own.at >= REPUBLISH_MS) {
        own.at = now;
        this.#queue(own.tx.bytes);
      }
    }
  }

  /** A batch from a peer. */
  async receive(batch: Bytes): Promise<Verdict> {
    try {
      const results = await this.#o.admissions.admit(decodeTransactionList(batch, MAX_BATCH_TRANSACTIONS));
      if (results.some((result) => result.status === 'refused' && result.stateless)) return 'reject';
      return results.some((result) => result.status === 'admitted') ? 'accept' : 'ignore';
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.code.startsWith('CODEC_') ? 'reject' : 'ignore';
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#republish);
  }
}
