/**
 * The life of a bounty in the ledger: posted, then claimed or expired, then its record removed. Each function
 * is one rule; those that judge a transaction change nothing, those that act cannot fail.
 */
import type { Bytes } from '../codec/bytes.ts';
import { equal } from '../codec/bytes.ts';
import { invariant, ProtocolError } from '../codec/errors.ts';
import { accountHash, bountyId, bountyTagHash } from '../tx/encode.ts';
import type { BountyOutput, Claim } from '../tx/types.ts';
import { type ClosedBounty, decodeBounty, encodeBounty, MARK, type OpenBounty } from './entries.ts';
import {
  type BountyPlace,
  bountyKey,
  closedKey,
  dueRange,
  expiryKey,
  placeInQueue,
  TYPE_CLOSED,
  TYPE_EXPIRY,
} from './keys.ts';
import { type ChainParameters, queueQuota, unclaimedBurn } from './parameters.ts';
import type { WorkingSet } from './working-set.ts';

function refuse(code: string, message: string): never {
  throw new ProtocolError(code, message);
}

/** Judges a bounty output that is to be in block `height`. Throws `TX_BOUNTY_*`. */
export function checkPosting(output: BountyOutput, height: number, parameters: ChainParameters): void {
  const paidOut = output.amount - unclaimedBurn(output.amount, parameters) - parameters.claimFee;
  if (paidOut < parameters.accountDeposit) {
    refuse('TX_BOUNTY_AMOUNT', 'less burn and claim fee, the bounty would not cover an account deposit');
  }
  if (output.claimUntil - Math.max(output.claimFrom, height) < parameters.leastClaimWindow) {
    refuse('TX_BOUNTY_WINDOW', `a bounty can be claimed for at least ${parameters.leastClaimWindow} blocks`);
  }
  if (output.claimUntil > height + parameters.longestClaimUntil) {
    refuse('TX_BOUNTY_TOO_FAR', `claimUntil is at most ${parameters.longestClaimUntil} blocks ahead`);
  }
}

/** Makes the entry of output `index` of transaction `transaction`. Ids never repeat: transaction ids do not. */
export function postBounty(
  set: WorkingSet,
  output: BountyOutput,
  origin: { readonly transaction: Bytes; readonly index: number; readonly height: number },
  deposit: bigint,
): void {
  const place = { tagHash: bountyTagHash(output.tag), id: bountyId(origin.transaction, origin.index) };
  const { tag, nonce, claimKey, payee, amount, claimFrom, claimUntil, refundTo } = output;
  const terms = { tag, nonce, claimKey, payee, amount, deposit, claimFrom, claimUntil, refundTo };
  const bounty: OpenBounty = { ...terms, status: 'open', postedAt: origin.height };
  set.put(bountyKey(place), encodeBounty(bounty));
  set.put(expiryKey(claimUntil, place), MARK);
}

/** A claim that is open, with all that paying it needs. */
export interface OpenClaim {
  readonly place: BountyPlace;
  readonly bounty: OpenBounty;
  readonly destination: Bytes;
}

/**
 * Judges one claim in block `height`. Throws, what is permanent first: `BOUNTY_UNKNOWN`, `BOUNTY_CLOSED`,
 * `CLAIM_KEY_MISMATCH`, `CLAIM_PAYEE_MISMATCH`, `BOUNTY_EXPIRED`, `BOUNTY_NOT_YET`.
 */
export function checkClaim(set: WorkingSet, claim: Claim, height: number): OpenClaim {
  const place = { tagHash: bountyTagHash(claim.tag), id: claim.bountyId };
  const value = set.get(bountyKey(place));
  if (value === undefined) return refuse('BOUNTY_UNKNOWN', 'there is no such bounty for this tag');
  const bounty = decodeBounty(value);
  if (bounty.status !== 'open') return refuse('BOUNTY_CLOSED', `the bounty is ${bounty.status} already`);
  if (!equal(claim.claimKey, bounty.claimKey)) {
    refuse('CLAIM_KEY_MISMATCH', 'the claim key is not the one that the intact data give');
  }
  if (bounty.payee !== undefined && !equal(claim.destination, bounty.payee)) {
    refuse('CLAIM_PAYEE_MISMATCH', 'the bounty pays to its payee alone');
  }
  if (height >= bounty.claimUntil) refuse('BOUNTY_EXPIRED', `claims end before height ${bounty.claimUntil}`);
  if (height < bounty.claimFrom) refuse('BOUNTY_NOT_YET', `claims begin at height ${bounty.claimFrom}`);
  return { place, bounty, destination: claim.destination };
}

function close(
  set: WorkingSet,
  place: BountyPlace,
  bounty: OpenBounty,
  closed: ClosedBounty,
  lifetime: number,
): void {
  set.put(bountyKey(place), encodeBounty(closed));
  set.remove(expiryKey(bounty.claimUntil, place));
  set.put(closedKey(closed.closedAt + lifetime, place), MARK);
}

/** Pays an open claim. */
export function payClaim(
  set: WorkingSet,
  claim: OpenClaim,
  by: { readonly transaction: Bytes; readonly height: number },
  parameters: ChainParameters,
): void {
  const { place, bounty, destination } = claim;
  set.accounts.credit(accountHash(destination), bounty.amount - parameters.claimFee);
  set.fees += parameters.claimFee;
  const closed: ClosedBounty = {
    ...bounty,
    status: 'claimed',
    closedAt: by.height,
    destination,
    transaction: by.transaction,
  };
  close(set, place, bounty, closed, parameters.closedLifetime);
}

/** A bounty that went without being claimed. */
export interface Expiry {
  readonly id: Bytes;
  readonly tag: Bytes;
  readonly amount: bigint;
  readonly burned: bigint;
  readonly refundTo: Bytes;
}

/** Lets bounties expire whose time is over at `height`: as many as the quota allows, the longest due first. */
export function expireBounties(set: WorkingSet, height: number, parameters: ChainParameters): Expiry[] {
  const { from, to } = dueRange(TYPE_EXPIRY, height);
  return set.parent.keys(from, to, queueQuota(parameters)).map((key) => {
    const place = placeInQueue(key);
    const value = set.get(bountyKey(place));
    invariant(value !== undefined, 'the expiry queue names a bounty that does not exist');
    const bounty = decodeBounty(value);
    invariant(bounty.status === 'open', 'the expiry queue names a closed bounty');
    const { tag, amount, refundTo } = bounty;
    const burned = unclaimedBurn(amount, parameters);
    set.burned += burned;
    set.accounts.credit(accountHash(refundTo), amount - burned);
    const closed: ClosedBounty = { ...bounty, status: 'expired', closedAt: height, burned };
    close(set, place, bounty, closed, parameters.closedLifetime);
    return { id: place.id, tag, amount, burned, refundTo };
  });
}

/** A closed record at its end. */
export interface Removal {
  readonly id: Bytes;
  readonly tag: Bytes;
  /** What went back to `refundTo`. */
  readonly deposit: bigint;
  readonly refundTo: Bytes;
}

/** Removes closed records whose time is over at `height`, within the quota, and returns their deposits. */
export function removeClosed(set: WorkingSet, height: number, parameters: ChainParameters): Removal[] {
  const { from, to } = dueRange(TYPE_CLOSED, height);
  return set.parent.keys(from, to, queueQuota(parameters)).map((key) => {
    const place = placeInQueue(key);
    const value = set.get(bountyKey(place));
    invariant(value !== undefined, 'the queue of closed records names one that does not exist');
    const { status, tag, deposit, refundTo } = decodeBounty(value);
    invariant(status !== 'open', 'the queue of closed records names an open bounty');
    set.accounts.credit(accountHash(refundTo), deposit);
    set.remove(bountyKey(place));
    set.remove(key);
    return { id: place.id, tag, deposit, refundTo };
  });
}
