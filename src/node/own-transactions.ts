/**
 * The transactions of this node's own users: on disk before the users are told `pending`, and taken up again
 * when the node comes back from whatever ended it. After a start they are admitted like any others, signatures
 * and all, in the order in which they came, and published; the state may be some blocks behind then, or the
 * mempool full, so what is refused is tried again for a while before it is given up.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { FileDisk } from '../storage/journal-disk.ts';
import { Outbox, type OutboxEntry, type OutboxLimits } from '../storage/outbox.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import { decodeTransaction } from '../tx/decode.ts';
import { transactionId } from '../tx/encode.ts';
import type { Admission, Admissions } from './admission.ts';
import type { TransactionRelay } from './gossip.ts';

/** What is kept on disk, and counts of transactions since the start. */
export interface OutboxFigures {
  readonly transactions: number;
  readonly bytes: number;
  /** From before the start, and not in the mempool yet. */
  readonly restoring: number;
  readonly restored: number;
  readonly givenUp: number;
  /** Submissions that could not be written. */
  readonly failures: number;
}

const BATCH = 1_000;
const RETRY_MS = 2_000;
/** A refusal is believed after so many rounds: by then the node has caught up, or can still be asked. */
const MAX_ROUNDS = 30;
/** Refusals that no later state takes back. */
const FOR_GOOD: ReadonlySet<string> = new Set(['TX_EXPIRED', 'TX_REPLAY']);
/** Refusals for want of room: tried again until the transaction expires. */
const FOR_ROOM: ReadonlySet<string> = new Set(['MEMPOOL_FULL', 'MEMPOOL_SENDER_FULL']);

interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface OwnTransactionsOptions {
  readonly directory: string;
  readonly limits: OutboxLimits;
  readonly admissions: Admissions;
  readonly relay: TransactionRelay;
  readonly isFinal: (id: Bytes) => boolean;
  readonly log: Log;
  readonly retryMs?: number;
}

interface Restored {
  readonly id: Bytes;
  readonly entry: OutboxEntry;
  rounds: number;
}

export class OwnTransactions {
  readonly #o: OwnTransactionsOptions;
  readonly #disk: FileDisk;
  readonly #outbox: Outbox;
  /** From before the start, by id: not final, not given up, and not in the mempool yet. */
  readonly #restoring = new Map<string, Restored>();
  readonly #stop = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #restored = 0;
  #givenUp = 0;
  #failures = 0;

  private constructor(options: OwnTransactionsOptions, disk: FileDisk, outbox: Outbox) {
    this.#o = options;
    this.#disk = disk;
    this.#outbox = outbox;
  }

  /** Reads what is on disk; `restore` takes it up. */
  static async open(options: OwnTransactionsOptions): Promise<OwnTransactions> {
    const disk = await FileDisk.open(options.directory, { failPoints: false });
    const outbox = await Outbox.open(disk, options.limits);
    if (outbox.damaged > 0) {
      options.log.warn(
        { bytes: outbox.damaged },
        'a part of the outbox could not be read: what users sent just before the end may have to be sent again',
      );
    }
    const own = new OwnTransactions(options, disk, outbox);
    for (const entry of outbox.transactions()) own.#note(entry);
    return own;
  }

  #note(entry: OutboxEntry): void {
    try {
      const id = transactionId(decodeTransaction(entry.bytes).bodyBytes);
      if (this.#o.isFinal(id) || this.#restoring.has(keyOf(id))) this.#outbox.remove(entry.key);
      else this.#restoring.set(keyOf(id), { id, entry, rounds: 0 });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#outbox.remove(entry.key);
    }
  }

  /** Whether a transaction from before the start is still to be taken up. */
  restoring(id: Bytes): boolean {
    return this.#restoring.has(keyOf(id));
  }

  /** Takes up what was on disk, in the background. */
  restore(): void {
    if (this.#restoring.size === 0) return;
    this.#o.log.info({ transactions: this.#restoring.size }, 'taking up what users sent before the start');
    this.#work = this.#restoreAll().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#o.log.error({ err: error }, 'taking up failed');
    });
  }

  async #restoreAll(): Promise<void> {
    const { retryMs = RETRY_MS } = this.#o;
    const { signal } = this.#stop;
    while (this.#restoring.size > 0) {
      const waiting = [...this.#restoring.values()];
      for (let i = 0; i < waiting.length; i += BATCH) {
        if (signal.aborted) return;
        await this.#take(waiting.slice(i, i + BATCH));
      }
      if (this.#restoring.size > 0) await delay(retryMs, undefined, { signal });
    }
    this.#o.log.info({ restored: this.#restored, givenUp: this.#givenUp }, 'taken up');
  }

  async #take(batch: readonly Restored[]): Promise<void> {
    const { admissions, relay } = this.#o;
    let results: readonly Admission[];
    try {
      results = await admissions.admit(
        batch.map(({ entry }) => entry.bytes),
        'own',
      );
    } catch (error) {
      if (error instanceof ProtocolError) return;
      throw error;
    }
    const publish: CheckedTransaction[] = [];
    results.forEach((result, i) => {
      const { id, entry, rounds } = batch[i]!;
      batch[i]!.rounds = rounds + 1;
      if (result.status === 'refused' && !this.#o.isFinal(id)) {
        const { code } = result.error;
        const later = !result.stateless && !FOR_GOOD.has(code) && (FOR_ROOM.has(code) || rounds < MAX_ROUNDS);
        if (later) return;
        this.#givenUp += 1;
      }
      this.#restoring.delete(keyOf(id));
      if (result.status === 'admitted') this.#restored += 1;
      if (result.status !== 'admitted' && result.status !== 'known') {
        this.#outbox.remove(entry.key);
        return;
      }
      const key = keyOf(result.tx.wireHash);
      // What has left meanwhile would be published for ever.
      if (admissions.mempool.byWireKey(key) !== undefined && !relay.holds(key)) publish.push(result.tx);
    });
    relay.send(publish);
  }

  /**
   * Admits what a user sends, writes it to disk and publishes it: one result each, in their order, when all of
   * that is done; users take turns by `client`. Throws `VERIFY_BUSY`, `OUTBOX_FULL` or `OUTBOX_FAILED`; the same call
   * can then be made again.
   */
  async submit(transactions: readonly Bytes[], client = ''): Promise<Admission[]> {
    const { admissions, relay } = this.#o;
    const results = await admissions.admit(transactions, 'own', client);
    const waiting = new Map<string, OutboxEntry & { readonly tx: CheckedTransaction }>();
    for (const result of results) {
      if (result.status !== 'admitted' && result.status !== 'known') continue;
      const { tx } = result;
      const key = keyOf(tx.wireHash);
      waiting.set(key, { key, bytes: tx.bytes, tx });
    }
    try {
      await this.#outbox.add([...waiting.values()]);
    } catch (error) {
      this.#failures += 1;
      if (error instanceof ProtocolError) throw error;
      this.#o.log.error({ err: error }, 'what a user sent could not be written to disk');
      throw new ProtocolError(
        'OUTBOX_FAILED',
        'the node could not write the transactions to its disk; send them again, or to another node',
      );
    }
    const publish: CheckedTransaction[] = [];
    for (const { key, tx } of waiting.values()) {
      // What left while it was written has nobody to remove it later.
      if (admissions.mempool.byWireKey(key) === undefined) this.#outbox.remove(key);
      // What was known may have come from a peer, or be what an earlier call could not write: then nobody was sent it.
      else if (!relay.holds(key)) publish.push(tx);
    }
    relay.send(publish);
    return results;
  }

  /** A transaction, by the key of its wire hash, has left the mempool: it is in a final block, or was dropped. */
  left(wireKey: string): void {
    this.#outbox.remove(wireKey);
    this.#o.relay.left(wireKey);
  }

  get figures(): OutboxFigures {
    return {
      transactions: this.#outbox.size,
      bytes: this.#outbox.bytes,
      restoring: this.#restoring.size,
      restored: this.#restored,
      givenUp: this.#givenUp,
      failures: this.#failures,
    };
  }

  /** Ends the restoring and resolves when everything is on disk. What still waits is there at the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    await this.#outbox.close();
    await this.#disk.close();
  }
}
