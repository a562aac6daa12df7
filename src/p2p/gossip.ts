/**
 * Batches of transactions over gossipsub: one topic a chain, unsigned messages named by the hash of their data,
 * and nothing forwarded before the node has accepted it. What is under validation is bounded; what comes on top is
 * dropped, and a peer that goes on sending more than its rate is punished. So this host itself never sends more than a
 * lower rate, however much others want passed on: nobody can make it earn that penalty.
 */
import { type GossipsubMessage, TopicValidatorResult } from '@libp2p/gossipsub';
import { type Bytes, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { TokenBucket } from './bucket.ts';
import type { GossipService } from './host.ts';
import type { NetworkLimits } from './limits.ts';
import type { Offence } from './offences.ts';
import { sleep } from './reading.ts';
import type { BatchVerdict, Verdict } from './types.ts';

const RESULT: Record<Verdict, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
};

/** Peers whose rates are remembered. */
const MAX_RATES = 1_024;

export function transactionTopic(genesisHash: Bytes): string {
  return `/kryder/${toHex(genesisHash.subarray(0, 4))}/transactions/1`;
}

export interface GossipOptions {
  readonly service: GossipService;
  readonly topic: string;
  readonly limits: NetworkLimits;
  readonly now: () => number;
  readonly onTransactions: (batch: Bytes, peer: string) => Promise<BatchVerdict>;
  readonly offend: (peer: string, offence: Offence, detail: string) => void;
  readonly onBug: (error: unknown) => void;
}

/** Of the rates that a peer may have, so much is used at most, and so many seconds of it at once. */
const SENT_SHARE = 3 / 4;
const SENT_BURST = 1;
/** Batches of this node that would have to wait longer are dropped: their transactions are published again. */
const MOST_WAIT_MS = 5_000;

interface Rates {
  readonly count: TokenBucket;
  readonly bytes: TokenBucket;
}

export class TransactionGossip {
  readonly #options: GossipOptions;
  readonly #rates = new Map<string, Rates>();
  readonly #sent: Rates;
  #pending = 0;
  #pendingBytes = 0;
  received = 0;
  receivedBytes = 0;
  published = 0;
  publishedBytes = 0;
  dropped = 0;

  constructor(options: GossipOptions) {
    this.#options = options;
    const { limits, now } = options;
    const rate = (perSecond: number): TokenBucket =>
      new TokenBucket(SENT_SHARE * perSecond, SENT_BURST * perSecond, now);
    this.#sent = { count: rate(limits.gossipPerSecond), bytes: rate(limits.gossipBytesPerSecond) };
  }

  readonly #listener = (event: CustomEvent<GossipsubMessage>): void => {
    const { msg, msgId, propagationSource } = event.detail;
    if (msg.topic !== this.#options.topic) return;
    const { buffer, byteOffset, byteLength } = msg.data;
    // plain bytes, where the decoder may have made a Buffer
    this.#onMessage(new Uint8Array(buffer, byteOffset, byteLength), msgId, propagationSource.toString());
  };

  start(): void {
    this.#options.service.addEventListener('gossipsub:message', this.#listener);
    this.#options.service.subscribe(this.#options.topic);
  }

  stop(): void {
    this.#options.service.removeEventListener('gossipsub:message', this.#listener);
  }

  get pending(): number {
    return this.#pending;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Peers that want batches: those of this host go to all of them. */
  get subscribers(): number {
    return this.#options.service.getSubscribers(this.#options.topic).length;
  }

  /** Peers to which batches of others are forwarded at once. */
  get meshPeers(): number {
    return this.#options.service.mesh.get(this.#options.topic)?.size ?? 0;
  }

  forget(peer: string): void {
    this.#rates.delete(peer);
  }

  /** Sends a batch of this host's own when the rate allows; the number of peers, 0 when there are too many waiting. */
  async publish(batch: Bytes): Promise<number> {
    const { limits, service, topic } = this.#options;
    if (batch.length === 0 || batch.length > limits.gossipBytes) {
      const message = `a batch of ${batch.length} bytes, allowed are 1 to ${limits.gossipBytes}`;
      throw new ProtocolError('BATCH_SIZE', message);
    }
    if (this.#sentWait(0, 0) > MOST_WAIT_MS) {
      this.dropped++;
      return 0;
    }
    const wait = this.#sentWait(1, batch.length);
    if (wait > 0) await sleep(wait);
    const { recipients } = await service.publish(topic, batch);
    this.published++;
    this.publishedBytes += batch.length;
    return recipients.length;
  }

  #onMessage(batch: Bytes, id: string, peer: string): void {
    const { limits, service, offend, onBug, onTransactions } = this.#options;
    this.received++;
    this.receivedBytes += batch.length;
    const report = (verdict: BatchVerdict): void => {
      const busy = verdict === 'busy';
      service.reportMessageValidationResult(id, peer, RESULT[busy ? 'ignore' : verdict]);
      // or a peer from which nothing is taken could keep others from bringing the same by being the first
      if (busy) service.seenCache.entries.delete(id);
    };
    if (!this.#withinRate(peer, batch.length)) {
      this.dropped++;
      report('busy');
      offend(peer, 'GOSSIP_FLOOD', 'more batches than the rate allows');
      return;
    }
    if (batch.length > limits.gossipBytes) {
      report('reject');
      offend(peer, 'TRANSACTIONS_INVALID', `a batch of ${batch.length} bytes`);
      return;
    }
    if (
      this.#pending >= limits.gossipPending ||
      this.#pendingBytes + batch.length > limits.gossipPendingBytes
    ) {
      this.dropped++;
      report('busy');
      return;
    }
    this.#pending++;
    this.#pendingBytes += batch.length;
    onTransactions(batch, peer)
      .catch((error: unknown): BatchVerdict => {
        onBug(error);
        return 'ignore';
      })
      .then((verdict) => {
        this.#pending--;
        this.#pendingBytes -= batch.length;
        report(verdict === 'accept' && !this.#maySend(batch.length) ? 'ignore' : verdict);
        if (verdict === 'reject') offend(peer, 'TRANSACTIONS_INVALID', 'the batch was rejected');
      })
      .catch(onBug);
  }

  /** Whether a batch of others may be passed on now. */
  #maySend(size: number): boolean {
    if (this.#sentWait(0, 0) > 0) {
      this.dropped++;
      return false;
    }
    this.#sentWait(1, size);
    return true;
  }

  #sentWait(batches: number, size: number): number {
    return Math.max(this.#sent.count.take(batches), this.#sent.bytes.take(size));
  }

  #withinRate(peer: string, size: number): boolean {
    const { limits, now } = this.#options;
    let rates = this.#rates.get(peer);
    if (rates === undefined) {
      rates = {
        count: new TokenBucket(limits.gossipPerSecond, 5 * limits.gossipPerSecond, now),
        bytes: new TokenBucket(limits.gossipBytesPerSecond, 2 * limits.gossipBytesPerSecond, now),
      };
      this.#rates.set(peer, rates);
      // a message can still arrive after its peer was forgotten
      for (const oldest of this.#rates.keys()) {
        if (this.#rates.size <= MAX_RATES) break;
        this.#rates.delete(oldest);
      }
    }
    return rates.count.tryTake(1) && rates.bytes.tryTake(size);
  }
}
