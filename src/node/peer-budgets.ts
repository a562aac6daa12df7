/**
 * What peers may cost in verification: a budget each of transactions and bytes a second. A batch is paid for
 * before it is verified; what turns out to be wasted (refused by the state, or lost later to a conflict) is
 * paid for once more. A peer whose budget is empty has its batches ignored until it is refilled, a second or
 * two later at most; that is no offence, since an honest peer may pass on what conflicts. Budgets outlive the
 * connection, so that reconnecting refills nothing.
 */
interface PeerRate {
  readonly transactionsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface PeerBudgetLimits {
  readonly validators: PeerRate;
  readonly strangers: PeerRate;
}

/** A budget holds what comes in within so many seconds, and its debt is no larger. */
const DEPTH_SECONDS = 2;
const MAX_PEERS = 1_024;

interface Budget {
  rate: PeerRate;
  transactions: number;
  bytes: number;
  at: number;
}

export class PeerBudgets {
  readonly #limits: PeerBudgetLimits;
  readonly #now: () => number;
  readonly #budgets = new Map<string, Budget>();

  /** `now` in milliseconds, never going back. */
  constructor(limits: PeerBudgetLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  #budget(peer: string, validator: boolean): Budget {
    const rate = validator ? this.#limits.validators : this.#limits.strangers;
    const now = this.#now();
    let budget = this.#budgets.get(peer);
    if (budget === undefined) {
      const { transactionsPerSecond, bytesPerSecond } = rate;
      budget = { rate, transactions: transactionsPerSecond, bytes: bytesPerSecond, at: now };
    } else {
      const gained = Math.max(0, now - budget.at) / 1_000;
      const { transactionsPerSecond, bytesPerSecond } = rate;
      budget.rate = rate;
      budget.at = now;
      budget.transactions = Math.min(
        DEPTH_SECONDS * transactionsPerSecond,
        budget.transactions + gained * transactionsPerSecond,
      );
      budget.bytes = Math.min(DEPTH_SECONDS * bytesPerSecond, budget.bytes + gained * bytesPerSecond);
      this.#budgets.delete(peer);
    }
    this.#budgets.set(peer, budget);
    if (this.#budgets.size > MAX_PEERS) {
      const oldest = this.#budgets.keys().next().value;
      if (oldest !== undefined) this.#budgets.delete(oldest);
    }
    return budget;
  }

  /** Whether the peer has anything left. */
  solvent(peer: string, validator: boolean): boolean {
    const { transactions, bytes } = this.#budget(peer, validator);
    return transactions > 0 && bytes > 0;
  }

  /** Takes the price of a batch, if need be on credit: one batch is bounded. */
  spend(peer: string, validator: boolean, transactions: number, bytes: number): void {
    const budget = this.#budget(peer, validator);
    budget.transactions -= transactions;
    budget.bytes -= bytes;
    const { rate } = budget;
    budget.transactions = Math.max(budget.transactions, -DEPTH_SECONDS * rate.transactionsPerSecond);
    budget.bytes = Math.max(budget.bytes, -DEPTH_SECONDS * rate.bytesPerSecond);
  }

  /** Takes the price of one verification that came to nothing; peers that were forgotten are let off. */
  charge(peer: string): void {
    const budget = this.#budgets.get(peer);
    if (budget === undefined) return;
    const most = -DEPTH_SECONDS * budget.rate.transactionsPerSecond;
    budget.transactions = Math.max(budget.transactions - 1, most);
  }

  get size(): number {
    return this.#budgets.size;
  }
}
