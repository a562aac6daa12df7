/**
 * Keys of the account tree: typed (first byte) and of one fixed length a type, hence prefix-free. Heights in
 * keys are u64, big-endian, so that queues are in order of height.
 *
 *     0x00 ‖ u16 code                                   singleton
 *     0x01 ‖ H(address)                                 account
 *     0x02 ‖ H(tag) ‖ bounty id                         bounty, open or closed
 *     0x03 ‖ u64 claimUntil ‖ H(tag) ‖ bounty id        expiry queue
 *     0x04 ‖ u64 removal height ‖ H(tag) ‖ bounty id    queue of closed records
 */
import { type Bytes, concat, u64 } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { accountHash, bountyTagHash } from '../tx/encode.ts';

const TYPE_SINGLETON = 0;
export const TYPE_ACCOUNT = 1;
export const TYPE_BOUNTY = 2;
export const TYPE_EXPIRY = 3;
export const TYPE_CLOSED = 4;

/** Length of the keys of a type; `undefined` for a type that does not exist. */
export const KEY_LENGTHS: readonly number[] = [3, 33, 65, 73, 73];

function singleton(code: number): Bytes {
  return Uint8Array.of(TYPE_SINGLETON, code >> 8, code & 0xff);
}

export const SINGLETON = {
  parameters: singleton(0),
  supply: singleton(1),
  feePool: singleton(2),
  /** Frontier of this epoch's headers, up to the parent of the block. */
  epochHeaders: singleton(3),
  /** Frontier of all boundary headers; the genesis hash is its first leaf. */
  boundaries: singleton(4),
  validators: singleton(5),
} as const;

/** Where a bounty stands: its tag's subtree and its id, 32 bytes each. */
export interface BountyPlace {
  readonly tagHash: Bytes;
  readonly id: Bytes;
}

/** Key of the account whose `accountHash` is given. */
export function accountKey(hash: Bytes): Bytes {
  const key = new Uint8Array(33);
  key[0] = TYPE_ACCOUNT;
  key.set(hash, 1);
  return key;
}

export function addressKey(address: Bytes): Bytes {
  return accountKey(accountHash(address));
}

export function bountyKey({ tagHash, id }: BountyPlace): Bytes {
  return concat(Uint8Array.of(TYPE_BOUNTY), tagHash, id);
}

function queueKey(type: number, height: number, { tagHash, id }: BountyPlace): Bytes {
  return concat(Uint8Array.of(type), u64(height), tagHash, id);
}

export function expiryKey(claimUntil: number, place: BountyPlace): Bytes {
  return queueKey(TYPE_EXPIRY, claimUntil, place);
}

export function closedKey(removeAt: number, place: BountyPlace): Bytes {
  return queueKey(TYPE_CLOSED, removeAt, place);
}

/** The bounty that a queue's key stands for. */
export function placeInQueue(key: Bytes): BountyPlace {
  return { tagHash: key.subarray(9, 41), id: key.subarray(41, 73) };
}

/** The bounty that a bounty's key stands for. */
export function placeOfBounty(key: Bytes): BountyPlace {
  return { tagHash: key.subarray(1, 33), id: key.subarray(33, 65) };
}

export interface KeyRange {
  readonly from: Bytes;
  /** Exclusive. */
  readonly to: Bytes;
}

/** All keys that begin with `prefix`, whose first byte is below 0xff. */
export function prefixRange(prefix: Bytes): KeyRange {
  const to = prefix.slice();
  let at = to.length - 1;
  while (at > 0 && to[at] === 0xff) to[at--] = 0;
  to[at]!++;
  return { from: prefix, to: to.subarray(0, at + 1) };
}

/** All keys of a type. */
export function typeRange(type: number): KeyRange {
  return prefixRange(Uint8Array.of(type));
}

/** The whole tree. */
export const EVERYTHING: KeyRange = { from: new Uint8Array(0), to: Uint8Array.of(0xff) };

/** All bounties of a tag, open and closed: the range that a proof about a blob covers. */
export function bountiesRange(tag: Bytes): KeyRange {
  return prefixRange(concat(Uint8Array.of(TYPE_BOUNTY), bountyTagHash(tag)));
}

/** Entries of a queue that are due at `height`. */
export function dueRange(type: typeof TYPE_EXPIRY | typeof TYPE_CLOSED, height: number): KeyRange {
  return { from: Uint8Array.of(type), to: concat(Uint8Array.of(type), u64(height + 1)) };
}

/** Type of an entry. Throws `ENTRY_KEY` for what no rule of this version would write. */
export function typeOfKey(key: Bytes): number {
  const type = key[0] ?? -1;
  if (KEY_LENGTHS[type] !== key.length) {
    throw new ProtocolError('ENTRY_KEY', `no entry has a key of type ${type} and ${key.length} bytes`);
  }
  return type;
}
