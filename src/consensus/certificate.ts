/**
 * Certificates: one subject, a bitmap of signers with more than two thirds of the stake, and their
 * signatures. `decodeCertificate` accepts only what is well formed for its validator set, with quorum, before
 * any signature is looked at; `verifyCertificate` gives the final verdict. An N certificate is made before
 * execution and proves nothing about state; only an F certificate does.
 */
import { type Bytes, concat, equal } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import { type Certificate, NULLIFY, type Subject, type ValidatorSet } from './types.ts';
import { hasQuorum } from './validator-set.ts';
import { readSubject, SIGNATURE_BYTES, subjectEpoch, voteMessage, writeSubject } from './vote.ts';

type CertificateErrorCode =
  | 'CERTIFICATE_EPOCH'
  | 'CERTIFICATE_PARENT'
  | 'CERTIFICATE_SIGNERS'
  | 'CERTIFICATE_SIGNATURES'
  | 'CERTIFICATE_QUORUM'
  | 'CERTIFICATE_SIGNATURE';

function refuse(code: CertificateErrorCode, message: string): never {
  throw new ProtocolError<CertificateErrorCode>(code, message);
}

function bitmapBytes(validatorCount: number): number {
  return (validatorCount + 7) >> 3;
}

/** The signers of a certificate, ascending. */
export function signersOf(certificate: Certificate): number[] {
  const indices: number[] = [];
  certificate.signers.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) indices.push(8 * at + bit);
  });
  return indices;
}

/** Everything but the signatures; returns the signers. Throws a `CertificateErrorCode`. */
function checkShape(certificate: Certificate, set: ValidatorSet): number[] {
  const { subject, signers, signatures } = certificate;
  if (subjectEpoch(subject) !== set.epoch) {
    refuse('CERTIFICATE_EPOCH', `epoch ${subjectEpoch(subject)} where ${set.epoch} was expected`);
  }
  if (subject.kind !== NULLIFY && subject.proposal.parentView >= subject.proposal.view) {
    refuse('CERTIFICATE_PARENT', `view ${subject.proposal.view} on top of ${subject.proposal.parentView}`);
  }
  const count = set.validators.length;
  if (signers.length !== bitmapBytes(count)) {
    refuse('CERTIFICATE_SIGNERS', `a bitmap of ${signers.length} bytes for ${count} validators`);
  }
  const indices = signersOf(certificate);
  if (indices.length > 0 && indices[indices.length - 1]! >= count) {
    refuse('CERTIFICATE_SIGNERS', `a signer beyond the ${count} validators`);
  }
  if (signatures.length !== indices.length) {
    refuse('CERTIFICATE_SIGNATURES', `${signatures.length} signatures of ${indices.length} signers`);
  }
  let stake = 0n;
  for (const index of indices) stake += set.validators[index]!.stake;
  if (!hasQuorum(stake, set.totalStake)) {
    refuse('CERTIFICATE_QUORUM', `signed by ${stake} of ${set.totalStake} stake`);
  }
  return indices;
}

/**
 * Checks shape, quorum and every signature. `known`, when given, returns a signature of a signer over this
 * very subject that was verified before: an equal one is not verified again. Throws a `CertificateErrorCode`.
 */
export function verifyCertificate(
  certificate: Certificate,
  set: ValidatorSet,
  genesisHash: Bytes,
  verifier: SignatureVerifier,
  known?: (signer: number) => Bytes | undefined,
): void {
  const indices = checkShape(certificate, set);
  const message = voteMessage(genesisHash, certificate.subject);
  indices.forEach((signer, at) => {
    const signature = certificate.signatures[at]!;
    const held = known?.(signer);
    if (held !== undefined && equal(held, signature)) return;
    if (!verifier.verify(signature, message, set.validators[signer]!.publicKey)) {
      refuse('CERTIFICATE_SIGNATURE', `the signature of validator ${signer} does not verify`);
    }
  });
}

/** Puts verified signatures of one subject together. They must have quorum: anything else is a bug. */
export function assembleCertificate(
  subject: Subject,
  signaturesBySigner: ReadonlyMap<number, Bytes>,
  set: ValidatorSet,
): Certificate {
  const signers = new Uint8Array(bitmapBytes(set.validators.length));
  const signatures: Bytes[] = [];
  for (let index = 0; index < set.validators.length; index++) {
    const signature = signaturesBySigner.get(index);
    if (signature === undefined) continue;
    signers[index >> 3]! |= 1 << (index & 7);
    signatures.push(signature);
  }
  const certificate: Certificate = { subject, signers, signatures };
  checkShape(certificate, set);
  return certificate;
}

/** `[kind, epoch, view, parentView, payload, signers, signatures]`, for X without parentView and payload. */
export function encodeCertificate(certificate: Certificate): Bytes {
  const { subject, signers, signatures } = certificate;
  const writer = new Writer(192 + signatures.length * SIGNATURE_BYTES);
  writer.array((subject.kind === NULLIFY ? 3 : 5) + 2);
  return writeSubject(writer, subject)
    .bin(signers)
    .bin(concat(...signatures))
    .finish();
}

/** Strict inverse of `encodeCertificate`. Throws codec errors or a `CertificateErrorCode`. */
export function decodeCertificate(bytes: Bytes, set: ValidatorSet): Certificate {
  const count = set.validators.length;
  const reader = new Reader(bytes);
  const subject = readSubject(reader, 2);
  const signers = reader.bin(bitmapBytes(count)).slice();
  const joined = reader.bin(SIGNATURE_BYTES, SIGNATURE_BYTES * count);
  reader.end();
  if (joined.length % SIGNATURE_BYTES !== 0) {
    refuse('CERTIFICATE_SIGNATURES', `${joined.length} bytes are no whole number of signatures`);
  }
  const signatures: Bytes[] = [];
  for (let at = 0; at < joined.length; at += SIGNATURE_BYTES) {
    signatures.push(joined.slice(at, at + SIGNATURE_BYTES));
  }
  const certificate: Certificate = { subject, signers, signatures };
  checkShape(certificate, set);
  return certificate;
}

/** What a header commits to for its parent's certificate. */
export function certificateHash(certificate: Certificate): Bytes {
  return sha256(DOMAIN.certificate, encodeCertificate(certificate));
}
