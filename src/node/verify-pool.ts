/**
 * The pool of verification workers. `check` takes transactions of any number, cuts them into batches of at
 * most 128 and keeps two batches in flight a worker. What a block waits for goes before everything else; what
 * only seeks admission has lanes by where it comes from, which take turns: of seven batches four are this
 * node's own users', two come from validators and one from strangers, and a lane that is empty leaves its turn
 * to the others; within a lane peers take turns (verify-lane.ts). So a flood of gossip delays nobody else for
 * long, and nobody is starved. Each of these lanes is bounded in count and bytes: beyond that, `check` fails with
 * `VERIFY_BUSY`. Blocks that are waited for are bounded by those who ask for them (bodies.ts).
 */
import { Worker } from 'node:worker_threads';
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { CheckContext, TransactionParameters } from '../tx/check.ts';
import { type LaneBounds, type LaneJob, VerifyLane } from './verify-lane.ts';
import {
  type CheckResult,
  checkPacked,
  packTransactions,
  unpackResults,
  unpackTransactions,
} from './verify-protocol.ts';

export type Origin = 'own' | 'validator' | 'stranger';
export type Priority = 'block' | Origin;

export interface TransactionVerifier {
  /** One result a transaction, in their order. `sender`: the peer that brought them. */
  check(transactions: readonly Bytes[], priority: Priority, sender?: string): Promise<CheckResult[]>;
  /** Transactions waiting or in work. */
  readonly pending: number;
  close(): Promise<void>;
}

const BATCH = 128;
const IN_FLIGHT = 2;
const MIB = 1024 * 1024;
/** Waiting or in work, a lane. Each user's request is at most 4 MiB, a batch of a peer 1 MiB. */
const MAX_WAITING: Record<Origin, LaneBounds> = {
  own: { transactions: 100_000, bytes: 64 * MIB },
  validator: { transactions: 50_000, bytes: 32 * MIB },
  stranger: { transactions: 25_000, bytes: 16 * MIB },
};
const TURNS: readonly Origin[] = ['own', 'validator', 'own', 'stranger', 'own', 'validator', 'own'];
const LANES: readonly Priority[] = ['block', 'own', 'validator', 'stranger'];

/** What the pool has done and has to do; transactions, not batches. */
export interface VerifyLoad {
  readonly waiting: Readonly<Record<Priority, number>>;
  readonly inFlight: number;
  readonly done: number;
  /** Refused because too many waited. */
  readonly refused: number;
}

interface Job extends LaneJob {
  readonly lane: Priority;
  readonly buffer: ArrayBuffer;
  readonly resolve: (results: CheckResult[]) => void;
  readonly reject: (error: Error) => void;
  /** When a worker was given it. */
  begunAt: number;
}

interface WorkerLane {
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
  readonly #workers: WorkerLane[] = [];
  readonly #lanes: Readonly<Record<Priority, VerifyLane<Job>>> = {
    block: new VerifyLane(),
    own: new VerifyLane(MAX_WAITING.own),
    validator: new VerifyLane(MAX_WAITING.validator),
    stranger: new VerifyLane(MAX_WAITING.stranger),
  };
  #turn = 0;
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
      const lane: WorkerLane = { worker: new Worker(workerUrl(), { workerData: setup }), jobs: new Map() };
      lane.worker.on(
        'message',
        ({ batch, buffer, results }: { batch: number; buffer: ArrayBuffer; results: ArrayBuffer }) => {
          const job = lane.jobs.get(batch);
          if (job === undefined) return;
          lane.jobs.delete(batch);
          this.#lanes[job.lane].done(job);
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
      this.#workers.push(lane);
    }
  }

  get pending(): number {
    return LANES.reduce((sum, lane) => sum + this.#lanes[lane].held, 0);
  }

  get load(): VerifyLoad {
    const { block, own, validator, stranger } = this.#lanes;
    return {
      waiting: {
        block: block.waiting,
        own: own.waiting,
        validator: validator.waiting,
        stranger: stranger.waiting,
      },
      inFlight: this.#inFlight,
      done: this.#done,
      refused: this.#refused,
    };
  }

  async check(transactions: readonly Bytes[], priority: Priority, sender = ''): Promise<CheckResult[]> {
    if (this.#closed) throw new ProtocolError('VERIFY_CLOSED', 'the node is stopping');
    this.#checkRoom(transactions, priority, sender);
    const parts: Promise<CheckResult[]>[] = [];
    for (let i = 0; i < transactions.length; i += BATCH) {
      const part = transactions.slice(i, i + BATCH);
      parts.push(
        new Promise((resolve, reject) => {
          const buffer = packTransactions(part);
          this.#lanes[priority].push({
            lane: priority,
            sender,
            bytes: buffer.byteLength,
            buffer,
            count: part.length,
            resolve,
            reject,
            begunAt: 0,
          });
        }),
      );
    }
    this.#feed();
    return (await Promise.all(parts)).flat();
  }

  #checkRoom(transactions: readonly Bytes[], lane: Priority, sender: string): void {
    let bytes = 0;
    for (const tx of transactions) bytes += tx.length;
    if (this.#lanes[lane].hasRoom(sender, transactions.length, bytes)) return;
    this.#refused += transactions.length;
    throw new ProtocolError(
      'VERIFY_BUSY',
      'too many transactions wait for verification; try again in a second',
    );
  }

  #next(): Job | undefined {
    const urgent = this.#lanes.block.shift();
    if (urgent !== undefined) return urgent;
    for (let i = 0; i < TURNS.length; i++) {
      const turn = (this.#turn + i) % TURNS.length;
      const job = this.#lanes[TURNS[turn]!].shift();
      if (job === undefined) continue;
      this.#turn = turn + 1;
      return job;
    }
    return undefined;
  }

  #feed(): void {
    for (;;) {
      let lane: WorkerLane | undefined;
      for (const candidate of this.#workers) {
        if (candidate.jobs.size < (lane?.jobs.size ?? IN_FLIGHT)) lane = candidate;
      }
      if (lane === undefined) return;
      const job = this.#next();
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
    const jobs: Job[] = [];
    for (const lane of LANES) {
      for (let job = this.#lanes[lane].shift(); job !== undefined; job = this.#lanes[lane].shift())
        jobs.push(job);
    }
    for (const lane of this.#workers) {
      jobs.push(...lane.jobs.values());
      lane.jobs.clear();
    }
    this.#inFlight = 0;
    for (const job of jobs) {
      this.#lanes[job.lane].done(job);
      job.reject(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectAll(new ProtocolError('VERIFY_CLOSED', 'the node is stopping'));
    await Promise.all(this.#workers.map((lane) => lane.worker.terminate()));
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
