/**
 * A lane of the verification pool: jobs that wait, by who sent them. Senders take turns, so that one who brings much
 * delays another by one job. The lane is bounded in count and bytes; where it is full, each sender may still
 * hold a little, so that those who fill it shut nobody out: with as many senders as there are connections, at most.
 */
export interface LaneJob {
  /** A peer; one name for all own users. */
  readonly sender: string;
  readonly count: number;
  readonly bytes: number;
}

export interface LaneBounds {
  readonly transactions: number;
  readonly bytes: number;
}

/** What a sender may hold in a full lane. */
const RESERVE: LaneBounds = { transactions: 256, bytes: 128 * 1024 };

interface Held {
  transactions: number;
  bytes: number;
}

const fits = (held: Held, transactions: number, bytes: number, most: LaneBounds): boolean =>
  held.transactions + transactions <= most.transactions && held.bytes + bytes <= most.bytes;

export class VerifyLane<J extends LaneJob> {
  readonly #most: LaneBounds | undefined;
  /** By sender, the one whose turn it is first. */
  readonly #queues = new Map<string, J[]>();
  readonly #heldBy = new Map<string, Held>();
  readonly #held: Held = { transactions: 0, bytes: 0 };
  #waiting = 0;

  /** Without bounds, whoever fills the lane bounds it. */
  constructor(most?: LaneBounds) {
    this.#most = most;
  }

  /** Transactions that wait or are in work. */
  get held(): number {
    return this.#held.transactions;
  }

  /** Transactions that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  hasRoom(sender: string, transactions: number, bytes: number): boolean {
    if (this.#most === undefined || fits(this.#held, transactions, bytes, this.#most)) return true;
    const own = this.#heldBy.get(sender) ?? { transactions: 0, bytes: 0 };
    return fits(own, transactions, bytes, RESERVE);
  }

  #hold(sender: string, transactions: number, bytes: number): void {
    this.#held.transactions += transactions;
    this.#held.bytes += bytes;
    const own = this.#heldBy.get(sender) ?? { transactions: 0, bytes: 0 };
    own.transactions += transactions;
    own.bytes += bytes;
    if (own.transactions > 0) this.#heldBy.set(sender, own);
    else this.#heldBy.delete(sender);
  }

  push(job: J): void {
    this.#hold(job.sender, job.count, job.bytes);
    this.#waiting += job.count;
    const queue = this.#queues.get(job.sender);
    if (queue === undefined) this.#queues.set(job.sender, [job]);
    else queue.push(job);
  }

  /** The next job; it counts as held until `done`. */
  shift(): J | undefined {
    for (const [sender, queue] of this.#queues) {
      const job = queue.shift();
      this.#queues.delete(sender);
      if (queue.length > 0) this.#queues.set(sender, queue);
      if (job === undefined) continue;
      this.#waiting -= job.count;
      return job;
    }
    return undefined;
  }

  done({ sender, count, bytes }: J): void {
    this.#hold(sender, -count, -bytes);
  }
}
