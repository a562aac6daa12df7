/**
 * The pool of verification workers. `check` takes transactions of any number, cuts them into batches of at
 * most 128, keeps two batches in flight a worker, and serves what a block waits for before what only seeks
 * admission. The queue is bounded in transactions and bytes: beyond it, `check` with low priority fails with
 * `VERIFY_BUSY`; blocks that are waited for are bounded by those who ask for them (bodies.ts).
 */
import { Worker } from 'node:worker_threads';
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { CheckContext, TransactionParameters } from '../tx/check.ts';
import {
  type CheckResult,
  checkPacked,
  packTransactions,
  unpackResults,
  unpackTransactions,
} from './verify-protocol.ts';

export type Priority = 'block' | 'admission';

export interface TransactionVerifier {
  /** One result a transaction, in their order. */
  check(transactions: readonly Bytes[], priority: Priority): Promise<CheckResult[]>;
  /** Transactions waiting or in work. */
  readonly pending: number;
  close(): Promise<void>;
}

const BATCH = 128;
const IN_FLIGHT = 2;
const MAX_WAITING = 200_000;
const MAX_WAITING_BYTES = 128 * 1024 * 1024;

/** What the pool has done and has to do; transactions, not batches. */
export interface VerifyLoad {
  readonly waiting: Readonly<Record<Priority, number>>;
  readonly inFlight: number;
  readonly done: number;
  /** Refused because too many waited. */
  readonly refused: number;
}

interface Job {
  readonly buffer: ArrayBuffer;
  readonly count: number;
  /** Length of the buffer, which is gone once a worker has it. */
  readonly bytes: number;
  readonly resolve: (results: CheckResult[]) => void;
  readonly reject: (error: Error) => void;
  /** When a worker was given it. */
  begunAt: number;
}

interface Lane {
  readonly worker: Worker;
  readonly jobs: Map<number, Job>;
}

export interface PoolOptions {
  readonly workers: number;
  readonly genesisHash: Bytes;
  readonly parameters: TransactionParameters;
  /** Name of the signature backend; the best available when absent. */
  readonly backend?: string | undefined;
  /** A worker died: nothing can be verified any more. */
  readonly onFatal: (error: Error) => void;
  /** A worker has answered, so many seconds after it was given a batch. */
  readonly onBatch?: (seconds: number) => void;
}

/** The compiled worker, also when this module runs from its source. */
function workerUrl(): URL {
  const here = import.meta.url;
  return here.endsWith('.ts')
    ? new URL('../../dist/src/node/verify-worker.js', here)
    : new URL('./verify-worker.js', here);
}

export class VerifyPool implements TransactionVerifier {
  readonly #lanes: Lane[] = [];
  readonly #waiting: Record<Priority, Job[]> = { block: [], admission: [] };
  #pending = 0;
  #pendingBytes = 0;
  #inFlight = 0;
  #done = 0;
  #refused = 0;
  #nextBatch = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    const { genesisHash, parameters, backend } = options;
    const setup = {
      genesisHash,
      backend,
      parameters: {
        bountyDeposit: parameters.bountyDeposit,
        leastBounty: parameters.leastBounty,
        advertFee: parameters.advertFee,
      },
    };
    for (let i = 0; i < options.workers; i++) {
      const lane: Lane = { worker: new Worker(workerUrl(), { workerData: setup }), jobs: new Map() };
      lane.worker.on(
        'message',
        ({ batch, buffer, results }: { batch: number; buffer: ArrayBuffer; results: ArrayBuffer }) => {
          const job = lane.jobs.get(batch);
          if (job === undefined) return;
          lane.jobs.delete(batch);
          this.#pending -= job.count;
          this.#pendingBytes -= job.bytes;
          this.#inFlight -= job.count;
          this.#done += job.count;
          options.onBatch?.((performance.now() - job.begunAt) / 1_000);
          this.#feed();
          job.resolve(unpackResults(unpackTransactions(buffer), results));
        },
      );
      lane.worker.on('error', (error) => this.#die(error, options.onFatal));
      lane.worker.on('exit', (code) => {
        if (!this.#closed)
          this.#die(new Error(`verification worker ended with status ${code}`), options.onFatal);
      });
      this.#lanes.push(lane);
    }
  }

  get pending(): number {
    return this.#pending;
  }

  get load(): VerifyLoad {
    const count = (jobs: readonly Job[]): number => jobs.reduce((sum, job) => sum + job.count, 0);
    return {
      waiting: { block: count(this.#waiting.block), admission: count(this.#waiting.admission) },
      inFlight: this.#inFlight,
      done: this.#done,
      refused: this.#refused,
    };
  }

  async check(transactions: readonly Bytes[], priority: Priority): Promise<CheckResult[]> {
    if (this.#closed) throw new ProtocolError('VERIFY_CLOSED', 'the node is stopping');
    const bytes = transactions.reduce((sum, tx) => sum + tx.length, 0);
    const full =
      this.#pending + transactions.length > MAX_WAITING || this.#pendingBytes + bytes > MAX_WAITING_BYTES;
    if (priority === 'admission' && full) {
      this.#refused += transactions.length;
      throw new ProtocolError(
        'VERIFY_BUSY',
        'too many transactions wait for verification; try again in a second',
      );
    }
    const parts: Promise<CheckResult[]>[] = [];
    for (let i = 0; i < transactions.length; i += BATCH) {
      const part = transactions.slice(i, i + BATCH);
      parts.push(
        new Promise((resolve, reject) => {
          const buffer = packTransactions(part);
          const job: Job = {
            buffer,
            count: part.length,
            bytes: buffer.byteLength,
            resolve,
            reject,
            begunAt: 0,
          };
          this.#pending += job.count;
          this.#pendingBytes += job.bytes;
          this.#waiting[priority].push(job);
        }),
      );
    }
    this.#feed();
    return (await Promise.all(parts)).flat();
  }

  #feed(): void {
    for (;;) {
      let lane: Lane | undefined;
      for (const candidate of this.#lanes) {
        if (candidate.jobs.size < (lane?.jobs.size ?? IN_FLIGHT)) lane = candidate;
      }
      if (lane === undefined) return;
      const job = this.#waiting.block.shift() ?? this.#waiting.admission.shift();
      if (job === undefined) return;
      const batch = this.#nextBatch++;
      job.begunAt = performance.now();
      this.#inFlight += job.count;
      lane.jobs.set(batch, job);
      lane.worker.postMessage({ batch, buffer: job.buffer }, [job.buffer]);
    }
  }

  #die(error: Error, onFatal: (error: Error) => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rejectAll(error);
    onFatal(error);
  }

  #rejectAll(error: Error): void {
    const jobs = [...this.#waiting.block.splice(0), ...this.#waiting.admission.splice(0)];
    for (const lane of this.#lanes) {
      jobs.push(...lane.jobs.values());
      lane.jobs.clear();
    }
    this.#pending = 0;
    this.#pendingBytes = 0;
    this.#inFlight = 0;
    for (const job of jobs) job.reject(error);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectAll(new ProtocolError('VERIFY_CLOSED', 'the node is stopping'));
    await Promise.all(this.#lanes.map((lane) => lane.worker.terminate()));
  }
}

/** The same checks in the calling thread: for tools and tests. */
export class InlineVerifier implements TransactionVerifier {
  readonly pending = 0;
  readonly #context: CheckContext;

  constructor(context: CheckContext) {
    this.#context = context;
  }

  async check(transactions: readonly Bytes[]): Promise<CheckResult[]> {
    const buffer = packTransactions(transactions);
    return unpackResults(unpackTransactions(buffer), checkPacked(buffer, this.#context));
  }

  async close(): Promise<void> {}
}
