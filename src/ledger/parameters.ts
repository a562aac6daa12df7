/**
 * The chain's parameters (DESIGN §11), fixed by the genesis file and committed in the account tree. Times are
 * milliseconds, spans are blocks, amounts are µKRY.
 */
import type { Bytes } from '../codec/bytes.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
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

/**
 * Every parameter in the order of its encoding. Their ranges, and what they ask of each other, are judged where
 * a genesis is read (src/chain/genesis.ts); the ledger relies on bountyDeposit ≥ accountDeposit ≥ 1, on
 * closedLifetime ≥ 1, and on amounts far below 2^63.
 */
const FIELDS = [
  ['blockInterval', 'number'],
  ['delta', 'number'],
  ['executionBudget', 'number'],
  ['maxBlockBytes', 'number'],
  ['txLifetime', 'number'],
  ['baseFee', 'amount'],
  ['claimFee', 'amount'],
  ['accountDeposit', 'amount'],
  ['bountyDeposit', 'amount'],
  ['leastBounty', 'amount'],
  ['advertFee', 'amount'],
  ['leastClaimWindow', 'number'],
  ['longestClaimUntil', 'number'],
  ['closedLifetime', 'number'],
  ['unclaimedBurnPpm', 'number'],
  ['advertBurnPpm', 'number'],
] as const satisfies readonly (readonly [keyof ChainParameters, 'number' | 'amount'])[];

export function encodeParameters(parameters: ChainParameters): Bytes {
  const w = new Writer(128).array(FIELDS.length);
  for (const [name] of FIELDS) w.uint(parameters[name]);
  return w.finish();
}

/** Throws `CODEC_*`. */
export function decodeParameters(value: Bytes): ChainParameters {
  const r = new Reader(value);
  r.array(FIELDS.length);
  const fields = FIELDS.map(([name, kind]) => [name, kind === 'amount' ? r.uint64() : r.uint()]);
  r.end();
  return Object.fromEntries(fields) as unknown as ChainParameters;
}

const PPM = 1_000_000n;

/** `ppm` parts per million of `amount`, rounded down. */
export function partsPerMillion(amount: bigint, ppm: number): bigint {
  return (amount * BigInt(ppm)) / PPM;
}

/** What of a bounty is burned when nobody claims it. */
export function unclaimedBurn(amount: bigint, parameters: ChainParameters): bigint {
  return partsPerMillion(amount, parameters.unclaimedBurnPpm);
}

/** Space for transactions other than claims, bytes. */
export function ordinarySpace(maxBlockBytes: number): number {
  return Math.floor((maxBlockBytes * 3) / 4);
}

/**
 * Fewest bytes of a bounty output: array and type 2, tag, nonce, claim key and refund address 34 each, absent
 * payee 1, amount, claimFrom and claimUntil at least 1 each.
 */
export const LEAST_BOUNTY_BYTES = 142;

const MOST_BOUNTIES = 2_048;

/**
 * Most bounties that one block posts, most that begin() of one block lets expire, and most closed records that
 * it removes. One number for all three, so that no queue grows for ever; small, because what has come due is
 * forced on every block, and must fit its execution budget with room to spare.
 */
export function queueQuota(parameters: ChainParameters): number {
  return Math.min(MOST_BOUNTIES, Math.ceil(ordinarySpace(parameters.maxBlockBytes) / LEAST_BOUNTY_BYTES));
}
