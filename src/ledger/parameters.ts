/**
 * The chain's parameters (DESIGN §11), fixed by the genesis file and committed in the account tree. Times are
 * milliseconds, spans are blocks, amounts are µKRY.
 */
import type { TransactionParameters } from '../tx/check.ts';

export interface ChainParameters extends TransactionParameters {
  /** Pace of proposals, ms. */
  readonly blockInterval: number;
  /** Assumed bound on a message's delay, ms: timers only. */
  readonly delta: number;
  /** Time allowed for executing a block, ms: timers only. */
  readonly executionBudget: number;
  /** Most bytes that the encoding of a block's body may have. */
  readonly maxBlockBytes: number;
  /** How far ahead `validUntil` may lie, in blocks; also the replay memory's span. */
  readonly txLifetime: number;
  /** µKRY a byte; fixed for now. */
  readonly baseFee: bigint;
  /** Taken out of each claimed bounty. */
  readonly claimFee: bigint;
  /** Least balance of an account that exists. */
  readonly accountDeposit: bigint;
  /** Shortest claim window, blocks; at least `txLifetime`. */
  readonly leastClaimWindow: number;
  /** How far after posting `claimUntil` may lie, blocks. */
  readonly longestClaimUntil: number;
  /** How long a closed bounty's record stays, blocks. */
  readonly closedLifetime: number;
  /** Share of an expired bounty that is burned, parts per million. */
  readonly unclaimedBurnPpm: number;
  /** Share of an advert's price that is burned, parts per million. */
  readonly advertBurnPpm: number;
}
