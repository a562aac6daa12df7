/**
 * Values of the account tree's entries, as values and as bytes (canonical MessagePack, docs/protocol.md §7).
 * The readers are strict and bounded, because clients use them on what others sent: they throw `CODEC_*` or
 * `ENTRY_*`. Chain parameters and frontiers have files of their own.
 */
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';

const HASH = 32;
/** Most validators of one set. */
const MAX_VALIDATORS = 1_024;

/** Value of entries whose key says everything. */
export const MARK: Bytes = Uint8Array.of(0x90);

export interface Supply {
  readonly genesis: bigint;
  readonly minted: bigint;
  readonly burned: bigint;
}

export interface BondedValidator {
  /** Ed25519 consensus key. */
  readonly publicKey: Bytes;
  /** Bonded coins; they count in the supply. */
  readonly stake: bigint;
}

/** What was posted; it stays readable while the bounty or its closed record does. */
interface BountyTerms {
  readonly tag: Bytes;
  readonly nonce: Bytes;
  readonly claimKey: Bytes;
  readonly payee: Bytes | undefined;
  readonly amount: bigint;
  /** Held by the entry until its removal, when it goes to `refundTo`. */
  readonly deposit: bigint;
  readonly claimFrom: number;
  readonly claimUntil: number;
  readonly refundTo: Bytes;
  /** Height of the block that holds the posting transaction. */
  readonly postedAt: number;
}

export interface OpenBounty extends BountyTerms {
  readonly status: 'open';
}

interface ClaimedBounty extends BountyTerms {
  readonly status: 'claimed';
  readonly closedAt: number;
  readonly destination: Bytes;
  /** Id of the claims transaction. */
  readonly transaction: Bytes;
}

interface ExpiredBounty extends BountyTerms {
  readonly status: 'expired';
  readonly closedAt: number;
  /** Part of the amount that was burned; the rest went to `refundTo`. */
  readonly burned: bigint;
}

export type ClosedBounty = ClaimedBounty | ExpiredBounty;
export type Bounty = OpenBounty | ClosedBounty;

const OPEN = 0;
const CLAIMED = 1;
const EXPIRED = 2;

export function encodeAccount(balance: bigint): Bytes {
  return new Writer(10).array(1).uint(balance).finish();
}

/** Balance of an account. */
export function decodeAccount(value: Bytes): bigint {
  const r = new Reader(value);
  r.array(1);
  const balance = r.uint64();
  r.end();
  return balance;
}

export function encodeAmount(amount: bigint): Bytes {
  return new Writer(9).uint(amount).finish();
}

export function decodeAmount(value: Bytes): bigint {
  const r = new Reader(value);
  const amount = r.uint64();
  r.end();
  return amount;
}

export function encodeSupply(supply: Supply): Bytes {
  return new Writer(28).array(3).uint(supply.genesis).uint(supply.minted).uint(supply.burned).finish();
}

export function decodeSupply(value: Bytes): Supply {
  const r = new Reader(value);
  r.array(3);
  const supply = { genesis: r.uint64(), minted: r.uint64(), burned: r.uint64() };
  r.end();
  return supply;
}

export function encodeValidators(validators: readonly BondedValidator[]): Bytes {
  const w = new Writer(64 * validators.length + 3).array(validators.length);
  for (const { publicKey, stake } of validators) w.array(2).bin(publicKey).uint(stake);
  return w.finish();
}

export function decodeValidators(value: Bytes): BondedValidator[] {
  const r = new Reader(value);
  const validators: BondedValidator[] = [];
  for (let n = r.array(0, MAX_VALIDATORS); n > 0; n--) {
    r.array(2);
    validators.push({ publicKey: r.bin(HASH), stake: r.uint64() });
  }
  r.end();
  return validators;
}

/** Fields of a bounty in each state; the terms are the ten behind the state. */
const FIELDS = [11, 14, 13];

export function encodeBounty(bounty: Bounty): Bytes {
  const state = bounty.status === 'open' ? OPEN : bounty.status === 'claimed' ? CLAIMED : EXPIRED;
  const w = new Writer(384).array(FIELDS[state]!).uint(state);
  w.bin(bounty.tag).bin(bounty.nonce).bin(bounty.claimKey).optionalBin(bounty.payee);
  w.uint(bounty.amount).uint(bounty.deposit).uint(bounty.claimFrom).uint(bounty.claimUntil);
  w.bin(bounty.refundTo).uint(bounty.postedAt);
  if (bounty.status === 'claimed') w.uint(bounty.closedAt).bin(bounty.destination).bin(bounty.transaction);
  else if (bounty.status === 'expired') w.uint(bounty.closedAt).uint(bounty.burned);
  return w.finish();
}

/** Byte strings of the result are views of `value`. */
export function decodeBounty(value: Bytes): Bounty {
  const r = new Reader(value);
  const count = r.array(11, 14);
  const state = r.uint(EXPIRED);
  if (count !== FIELDS[state]) {
    throw new ProtocolError('ENTRY_SHAPE', `a bounty in state ${state} does not have ${count} fields`);
  }
  const terms: BountyTerms = {
    tag: r.bin(HASH),
    nonce: r.bin(HASH),
    claimKey: r.bin(HASH),
    payee: r.optionalBin(HASH),
    amount: r.uint64(),
    deposit: r.uint64(),
    claimFrom: r.uint(),
    claimUntil: r.uint(),
    refundTo: r.bin(HASH),
    postedAt: r.uint(),
  };
  let bounty: Bounty;
  if (state === OPEN) bounty = { ...terms, status: 'open' };
  else if (state === CLAIMED) {
    const closedAt = r.uint();
    bounty = { ...terms, status: 'claimed', closedAt, destination: r.bin(HASH), transaction: r.bin(HASH) };
  } else bounty = { ...terms, status: 'expired', closedAt: r.uint(), burned: r.uint64() };
  r.end();
  return bounty;
}
