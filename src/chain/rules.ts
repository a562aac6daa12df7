/**
 * The rules of a block that need neither execution nor its transactions: its header against the proposal, its
 * parent and the validator set, and the notarization of its parent in the body. Each refusal is permanent;
 * what may differ from node to node (a clock, a bad copy) is judged elsewhere. docs/protocol.md §6.
 */
import { type Bytes, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { decodeCertificate, verifyCertificate } from '../consensus/certificate.ts';
import { leaderOf } from '../consensus/leader.ts';
import { NOTARIZE, type Proposal, type ValidatorSet } from '../consensus/types.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import { certificateMatches } from './block.ts';
import { checkReservedFields, type Header } from './header.ts';

/** What a block's rules ask of its parent; for the genesis: its hash, height 0, view 0, the genesis time. */
export interface ParentLink {
  readonly hash: Bytes;
  readonly height: number;
  readonly view: number;
  readonly time: number;
}

/** How far ahead of a validator's clock a block's time may lie, ms. */
export const MAX_CLOCK_LEAD_MS = 500;

/** Latest time of a block, ms since 1970: where calendars end (ECMA-262), and far below 2^53. */
const LATEST_TIME = 8_640_000_000_000_000;

function refuse(code: string, message: string): never {
  throw new ProtocolError(code, message);
}

/** The proposal that a header belongs to; `hash` is the header's. */
export function proposalOf(header: Header, hash: Bytes): Proposal {
  return { epoch: header.epoch, view: header.view, parentView: header.parentView, payload: hash };
}

/** Throws a `BLOCK_*` or `HEADER_*` error unless the header is a lawful child of `parent`. */
export function checkHeader(
  header: Header,
  parent: ParentLink,
  set: ValidatorSet,
  validatorsHash: Bytes,
): void {
  checkReservedFields(header);
  if (header.epoch !== set.epoch) refuse('BLOCK_EPOCH', `epoch ${header.epoch}, expected ${set.epoch}`);
  if (!equal(header.parent, parent.hash)) refuse('BLOCK_PARENT', 'the parent is another block');
  if (header.height !== parent.height + 1)
    refuse('BLOCK_HEIGHT', `height ${header.height} on ${parent.height}`);
  if (header.parentView !== parent.view || header.view <= parent.view) {
    refuse(
      'BLOCK_VIEW',
      `view ${header.view} on view ${header.parentView}, the parent is of view ${parent.view}`,
    );
  }
  const leader = set.validators[leaderOf(set, header.view)]!;
  if (!equal(header.proposer, leader.publicKey))
    refuse('BLOCK_LEADER', 'the proposer does not lead this view');
  if (header.time <= parent.time || header.time > LATEST_TIME) {
    refuse('BLOCK_TIME', `its time is not after its parent’s, or after ${LATEST_TIME}`);
  }
  if (!equal(header.validatorsHash, validatorsHash)) refuse('BLOCK_VALIDATORS', 'another validator set');
}

/** Throws unless the header is exactly what `proposal` votes on. */
export function checkProposal(header: Header, hash: Bytes, proposal: Proposal): void {
  if (
    !equal(hash, proposal.payload) ||
    header.epoch !== proposal.epoch ||
    header.view !== proposal.view ||
    header.parentView !== proposal.parentView
  ) {
    refuse('BLOCK_PROPOSAL', 'the header is not the one that was proposed');
  }
}

/**
 * Checks the parent's notarization in a body. Bytes that the header does not commit to are a bad copy
 * (`BLOCK_COPY`: missing, not invalid); a committed certificate that does not prove the parent is
 * `BLOCK_PARENT_CERTIFICATE`.
 */
export function checkParentCertificate(
  header: Header,
  certificate: Bytes | undefined,
  set: ValidatorSet,
  genesisHash: Bytes,
  verifier: SignatureVerifier,
): void {
  if (!certificateMatches(header, certificate))
    refuse('BLOCK_COPY', 'the certificate is not the one of the header');
  if (header.height === 1) {
    if (certificate !== undefined || header.parentView !== 0) {
      refuse('BLOCK_PARENT_CERTIFICATE', 'the first block has no parent certificate');
    }
    return;
  }
  try {
    if (certificate === undefined) throw new ProtocolError('BLOCK_PARENT_CERTIFICATE', 'there is none');
    const decoded = decodeCertificate(certificate, set);
    const { subject } = decoded;
    if (
      subject.kind !== NOTARIZE ||
      subject.proposal.epoch !== header.epoch ||
      subject.proposal.view !== header.parentView ||
      !equal(subject.proposal.payload, header.parent)
    ) {
      refuse('BLOCK_PARENT_CERTIFICATE', 'it is of another block');
    }
    verifyCertificate(decoded, set, genesisHash, verifier);
  } catch (error) {
    if (error instanceof ProtocolError) refuse('BLOCK_PARENT_CERTIFICATE', error.message);
    throw error;
  }
}
