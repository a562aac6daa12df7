/**
 * Votes: what is signed, how a vote travels, and when two of them are the same. A vote that was decoded here
 * is well formed; its signature is checked by `verifyVote`, after the caller has found that it needs it.
 * Encodings and preimages are normative in docs/protocol.md.
 */
import { type Bytes, equal, keyOf, writeU64 } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import {
  FINALIZE,
  NOTARIZE,
  NULLIFY,
  type Proposal,
  type Subject,
  type ValidatorSet,
  type Vote,
  type VoteKind,
} from './types.ts';

/** Views run from 1 to this; 0 is the genesis block. Far enough below 2^53 that `view + 1` is always safe. */
export const MAX_VIEW = 2 ** 52;
export const PAYLOAD_BYTES = 32;
export const SIGNATURE_BYTES = 64;

export function subjectView(subject: Subject): number {
  return subject.kind === NULLIFY ? subject.view : subject.proposal.view;
}

export function subjectEpoch(subject: Subject): number {
  return subject.kind === NULLIFY ? subject.epoch : subject.proposal.epoch;
}

export function sameProposal(a: Proposal, b: Proposal): boolean {
  return (
    a.epoch === b.epoch && a.view === b.view && a.parentView === b.parentView && equal(a.payload, b.payload)
  );
}

export function sameSubject(a: Subject, b: Subject): boolean {
  if (a.kind === NULLIFY) return b.kind === NULLIFY && a.epoch === b.epoch && a.view === b.view;
  return a.kind === b.kind && sameProposal(a.proposal, b.proposal);
}

/** Tells the subjects of one kind and view apart; for keys of maps within a view. */
export function subjectKey(subject: Subject): string {
  return subject.kind === NULLIFY ? '' : `${subject.proposal.parentView}/${keyOf(subject.proposal.payload)}`;
}

/** The bytes that a vote signs: tag ‖ genesis hash ‖ u64 epoch ‖ u8 kind ‖ subject. */
export function voteMessage(genesisHash: Bytes, subject: Subject): Bytes {
  const tag = DOMAIN.vote;
  const head = tag.length + genesisHash.length;
  const out = new Uint8Array(head + (subject.kind === NULLIFY ? 17 : 25 + subject.proposal.payload.length));
  out.set(tag);
  out.set(genesisHash, tag.length);
  writeU64(out, head, subjectEpoch(subject));
  out[head + 8] = subject.kind;
  writeU64(out, head + 9, subjectView(subject));
  if (subject.kind !== NULLIFY) {
    writeU64(out, head + 17, subject.proposal.parentView);
    out.set(subject.proposal.payload, head + 25);
  }
  return out;
}

/** Writes `kind, epoch, view[, parentView, payload]`, the fields that votes and certificates begin with. */
export function writeSubject(writer: Writer, subject: Subject): Writer {
  writer.uint(subject.kind).uint(subjectEpoch(subject)).uint(subjectView(subject));
  if (subject.kind !== NULLIFY) writer.uint(subject.proposal.parentView).bin(subject.proposal.payload);
  return writer;
}

/** Reads the array header and subject of an object with `extra` further fields. Throws codec errors. */
export function readSubject(reader: Reader, extra: number): Subject {
  const count = reader.array(3 + extra, 5 + extra);
  const kind = reader.uint(FINALIZE);
  if (kind < NOTARIZE) throw new ProtocolError('CODEC_BOUNDS', `${kind} is not a kind of vote`);
  const epoch = reader.uint();
  const view = reader.uint(MAX_VIEW);
  if (view < 1) throw new ProtocolError('CODEC_BOUNDS', 'views begin at 1');
  if (count !== (kind === NULLIFY ? 3 : 5) + extra) {
    throw new ProtocolError('CODEC_BOUNDS', `${count} fields do not fit kind ${kind}`);
  }
  if (kind === NULLIFY) return { kind, epoch, view };
  const parentView = reader.uint(MAX_VIEW);
  const payload = reader.bin(PAYLOAD_BYTES).slice();
  return { kind: kind as typeof NOTARIZE | typeof FINALIZE, proposal: { epoch, view, parentView, payload } };
}

/** `[kind, epoch, view, parentView, payload, signer, signature]`, or for a nullify vote without the two in the middle. */
export function encodeVote(vote: Vote): Bytes {
  const writer = new Writer(160).array((vote.subject.kind === NULLIFY ? 3 : 5) + 2);
  return writeSubject(writer, vote.subject).uint(vote.signer).bin(vote.signature).finish();
}

/** Strict inverse of `encodeVote` for a set of `validatorCount`. Throws codec errors; checks no signature. */
export function decodeVote(bytes: Bytes, validatorCount: number): Vote {
  const reader = new Reader(bytes);
  const subject = readSubject(reader, 2);
  const signer = reader.uint(validatorCount - 1);
  const signature = reader.bin(SIGNATURE_BYTES).slice();
  reader.end();
  return { subject, signer, signature };
}

/** Whether the signature is the signer's, under the set's keys. */
export function verifyVote(
  vote: Vote,
  set: ValidatorSet,
  genesisHash: Bytes,
  verifier: SignatureVerifier,
): boolean {
  const validator = set.validators[vote.signer];
  if (validator === undefined || subjectEpoch(vote.subject) !== set.epoch) return false;
  return verifier.verify(vote.signature, voteMessage(genesisHash, vote.subject), validator.publicKey);
}

const KIND_NAMES: Readonly<Record<VoteKind, 'N' | 'X' | 'F'>> = {
  [NOTARIZE]: 'N',
  [NULLIFY]: 'X',
  [FINALIZE]: 'F',
};

/** "N", "X" or "F", for logs and metrics. */
export function kindName(kind: VoteKind): 'N' | 'X' | 'F' {
  return KIND_NAMES[kind];
}
