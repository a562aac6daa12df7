/**
 * What the mempool and its rules share: a waiting transaction with all that the rules look up, what the chain
 * tells them, and the shape of a rule. A rule keeps an index of its own of what waits, judges whoever wants to
 * come in, and says who has to leave; only the pool lets anybody in or out.
 */
import type { Bytes } from '../codec/bytes.ts';
import type { CheckedTransaction, Movement } from '../tx/check.ts';

export interface MempoolLimits {
  /** Of everything that waits: a quarter is for claims, the rest for transactions that pay a fee. */
  readonly maxTransactions: number;
  readonly maxBytes: number;
  /** Of the transactions whose first address is the same. */
  readonly maxTransactionsPerSender: number;
  readonly maxBytesPerSender: number;
  /** Of the claims that wait for one bounty, each to a destination of its own. */
  readonly maxDestinationsPerBounty: number;
}

export const DEFAULT_MEMPOOL_LIMITS: MempoolLimits = {
  maxTransactions: 150_000,
  maxBytes: 96 * 1024 * 1024,
  maxTransactionsPerSender: 16_384,
  maxBytesPerSender: 8 * 1024 * 1024,
  maxDestinationsPerBounty: 4,
};

/** Claims pay no fee a byte, so they have this share of the pool, and the others the rest: none displaces the other. */
export const CLAIMS_SHARE = 0.25;

/** What the pool asks of the chain's newest state. */
export interface MempoolView {
  /** Height of the next block. */
  readonly nextHeight: number;
  /** Balance of an account by its hash; 0n when there is none. */
  balance(account: Bytes): bigint;
  /**
   * Throws the reason why a transaction could not be in the next block, alone in it. For claims, in their order:
   * the `claimUntil` of the bounty where the claim is open, else undefined.
   */
  judge(tx: CheckedTransaction): readonly (number | undefined)[];
}

/** Why a transaction leaves that is not in a block, for the one who sent it. */
export interface DropReason {
  readonly code: string;
  readonly message: string;
}

interface Debit {
  /** Key of the account's hash. */
  readonly key: string;
  readonly amount: bigint;
}

/** An open claim of a waiting transaction. */
export interface Sweep {
  readonly bounty: string;
  /** Bounty and destination. */
  readonly pair: string;
  readonly claimUntil: number;
}

/** A transaction that waits, or wants to. */
export interface Entry {
  readonly tx: CheckedTransaction;
  /** Key of its id. */
  readonly name: string;
  /** Key of the SHA-256 of its full bytes. */
  readonly wireKey: string;
  readonly replayKey: string;
  readonly isClaims: boolean;
  /** Fee per thousand bytes, in µKRY; 0 for claims. */
  readonly rate: number;
  /** What it takes, one entry an account; the first is its sender's. Empty for claims. */
  readonly debits: readonly Debit[];
  /** The peer that brought it; undefined for this node's own users. */
  readonly source: string | undefined;
  /** What it would sweep: the claims that were open when it was last judged. */
  sweeps: readonly Sweep[];
}

/** One admission under way. */
export interface Candidate {
  readonly entry: Entry;
  /** `entry.debits` with the accounts' hashes. */
  readonly movements: readonly Movement[];
  readonly view: MempoolView;
  /** Who leaves if the candidate comes in. Rules add to it. */
  readonly leaving: Map<Entry, DropReason>;
}

/** A final block as the rules see it. */
export interface FinalBlock {
  readonly transactions: readonly CheckedTransaction[];
  /** Those of them that did not wait here. */
  readonly foreign: readonly CheckedTransaction[];
  /** Keys of the accounts that they take from. */
  readonly debited: ReadonlySet<string>;
  readonly view: MempoolView;
  readonly drop: (entry: Entry, why: DropReason) => void;
  /** Judges waiting claims anew: what closed is taken off them, and they leave if the executor refuses the rest. */
  readonly rejudge: (entry: Entry) => void;
}

export interface Rule {
  /** Throws a `ProtocolError` if the candidate breaks the rule. Changes nothing but `leaving`. */
  admit?(candidate: Candidate): void;
  entered?(entry: Entry): void;
  left?(entry: Entry): void;
  /** Called when the block's own transactions have left. */
  finalised?(block: FinalBlock): void;
}

/** Where drops, and what became final, are told. */
export interface MempoolObserver {
  dropped(entry: Entry, why: DropReason): void;
  /** A waiting transaction, or one with the same id, is in a final block. */
  included(entry: Entry): void;
}
