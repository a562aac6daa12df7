/**
 * The vocabulary of weighted Simplex (eprint 2023/463): proposals, votes, certificates, the validator set.
 * Views, epochs and heights are safe integers; stakes are bigint. See docs/consensus.md.
 */
import type { Bytes } from '../codec/bytes.ts';

export interface Validator {
  /** Ed25519 consensus key, 32 bytes. */
  readonly publicKey: Bytes;
  readonly stake: bigint;
}

/** The validators of one epoch, in their fixed order: a signer is named by its index here. */
export interface ValidatorSet {
  readonly epoch: number;
  /** 32 bytes from which the leaders of the epoch are drawn. */
  readonly seed: Bytes;
  readonly validators: readonly Validator[];
  readonly totalStake: bigint;
}

/** What is voted on: the block with hash `payload`, in `view`, on top of the block certified in `parentView`. */
export interface Proposal {
  readonly epoch: number;
  readonly view: number;
  readonly parentView: number;
  /** Block hash, 32 bytes. */
  readonly payload: Bytes;
}

export const NOTARIZE = 1;
export const NULLIFY = 2;
export const FINALIZE = 3;
export type VoteKind = typeof NOTARIZE | typeof NULLIFY | typeof FINALIZE;

/** The thing signed: a proposal for N and F, a bare view for X. */
export type Subject =
  | { readonly kind: typeof NOTARIZE | typeof FINALIZE; readonly proposal: Proposal }
  | { readonly kind: typeof NULLIFY; readonly epoch: number; readonly view: number };

export interface Vote {
  readonly subject: Subject;
  /** Index in the validator set. */
  readonly signer: number;
  readonly signature: Bytes;
}

export interface Certificate {
  readonly subject: Subject;
  /** Bit i (byte i >> 3, mask 1 << (i & 7)) says that validator i signed; exactly ceil(n / 8) bytes. */
  readonly signers: Bytes;
  /** One 64-byte signature a set bit, in ascending order of index. */
  readonly signatures: readonly Bytes[];
}
