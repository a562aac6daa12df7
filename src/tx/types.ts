/**
 * Transactions as values. Amounts are bigint µKRY, heights are safe integers, everything else is bytes of a
 * fixed length. The bounds below are part of the protocol (docs/protocol.md §4).
 */
import type { Bytes } from '../codec/bytes.ts';

export const KIND_TRANSFER = 1;
export const KIND_CLAIMS = 2;

export const OUTPUT_PAY = 0;
export const OUTPUT_BOUNTY = 1;
export const OUTPUT_ADVERT = 2;

export const MAX_TRANSACTION_BYTES = 65_536;
export const MAX_INPUTS = 64;
export const MAX_OUTPUTS = 256;
export const MAX_CLAIMS = 100;
export const MAX_COMMENT_BYTES = 1_024;
export const MAX_OFFER_BYTES = 256;
export const SALT_BYTES = 8;
export const TAG_BYTES = 32;
export const NONCE_BYTES = 32;

/** Takes `amount` from `address`, whose signature the transaction needs. */
export interface Spend {
  readonly address: Bytes;
  readonly amount: bigint;
}

interface PayOutput {
  readonly type: typeof OUTPUT_PAY;
  readonly to: Bytes;
  readonly amount: bigint;
}

/** What a challenge pays: claimable exactly while claimFrom ≤ height < claimUntil. */
export interface BountyOutput {
  readonly type: typeof OUTPUT_BOUNTY;
  readonly tag: Bytes;
  readonly nonce: Bytes;
  readonly claimKey: Bytes;
  /** The only allowed destination; absent in open mode. */
  readonly payee: Bytes | undefined;
  readonly amount: bigint;
  readonly claimFrom: number;
  readonly claimUntil: number;
  readonly refundTo: Bytes;
}

/** Says that somebody wants `size` bytes with this tag kept. Costs the genesis parameter `advertFee`. */
interface AdvertOutput {
  readonly type: typeof OUTPUT_ADVERT;
  readonly tag: Bytes;
  readonly size: bigint;
  readonly offer: Bytes;
}

export type Output = PayOutput | BountyOutput | AdvertOutput;

export interface Comment {
  readonly tag: Bytes | undefined;
  readonly nonce: Bytes | undefined;
  readonly memo: Bytes | undefined;
}

export interface TransferBody {
  readonly kind: typeof KIND_TRANSFER;
  /** Last height at which the transaction may be in a block. */
  readonly validUntil: number;
  readonly salt: Bytes;
  readonly inputs: readonly Spend[];
  readonly outputs: readonly Output[];
  readonly fee: bigint;
  readonly comment: Comment | undefined;
}

export interface Claim {
  readonly tag: Bytes;
  readonly bountyId: Bytes;
  readonly claimKey: Bytes;
  readonly destination: Bytes;
}

export interface ClaimsBody {
  readonly kind: typeof KIND_CLAIMS;
  readonly validUntil: number;
  readonly salt: Bytes;
  readonly claims: readonly Claim[];
}

export type TransactionBody = TransferBody | ClaimsBody;

/** A body with one signature an input (transfer) or claim (claims), in their order. */
export interface SignedTransaction {
  readonly body: TransactionBody;
  readonly signatures: readonly Bytes[];
}
