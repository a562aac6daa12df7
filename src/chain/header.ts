/**
 * Block headers: seventeen fields in canonical MessagePack, whose tagged hash is the block's hash and the
 * payload that consensus votes on. docs/protocol.md §6 says each field. The VRF fields and
 * `nextValidatorsHash` are zero in version 1, where the validator set is fixed.
 */
import { type Bytes, isZero } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';

export const PROTOCOL_VERSION = 1;
export const MAX_HEADER_BYTES = 1_024;
const VRF_OUTPUT_BYTES = 64;
const VRF_PROOF_BYTES = 80;
const FIELDS = 17;

export interface Header {
  readonly version: number;
  /** Hash of the parent block; the genesis hash at height 1. */
  readonly parent: Bytes;
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  readonly parentView: number;
  /** Consensus key of the leader of `view`. */
  readonly proposer: Bytes;
  /** Milliseconds since 1970; greater than the parent's. */
  readonly time: number;
  readonly vrfOutput: Bytes;
  readonly vrfProof: Bytes;
  readonly transactionRoot: Bytes;
  /** Hash of the parent's notarization in the body; zero at height 1. */
  readonly parentCertificateHash: Bytes;
  /** Root of the account tree after this block. */
  readonly stateRoot: Bytes;
  readonly validatorsHash: Bytes;
  readonly nextValidatorsHash: Bytes;
  /** Root over the hashes of this epoch's headers before this one. */
  readonly epochHeadersRoot: Bytes;
  /** MMR root over all earlier boundary headers; the genesis hash is its first leaf. */
  readonly mmrRoot: Bytes;
}

export const NO_VRF_OUTPUT: Bytes = new Uint8Array(VRF_OUTPUT_BYTES);
export const NO_VRF_PROOF: Bytes = new Uint8Array(VRF_PROOF_BYTES);

export function encodeHeader(h: Header): Bytes {
  return new Writer(700)
    .array(FIELDS)
    .uint(h.version)
    .bin(h.parent)
    .uint(h.height)
    .uint(h.epoch)
    .uint(h.view)
    .uint(h.parentView)
    .bin(h.proposer)
    .uint(h.time)
    .bin(h.vrfOutput)
    .bin(h.vrfProof)
    .bin(h.transactionRoot)
    .bin(h.parentCertificateHash)
    .bin(h.stateRoot)
    .bin(h.validatorsHash)
    .bin(h.nextValidatorsHash)
    .bin(h.epochHeadersRoot)
    .bin(h.mmrRoot)
    .finish();
}

/** Decodes a header strictly. Throws a codec error, or `HEADER_VERSION` for a version that is not known. */
export function decodeHeader(bytes: Bytes): Header {
  const r = new Reader(bytes);
  r.array(FIELDS);
  const version = r.uint();
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      'HEADER_VERSION',
      `block of protocol version ${version}, this node knows ${PROTOCOL_VERSION}`,
    );
  }
  const header: Header = {
    version,
    parent: r.bin(32),
    height: r.uint(),
    epoch: r.uint(),
    view: r.uint(),
    parentView: r.uint(),
    proposer: r.bin(32),
    time: r.uint(),
    vrfOutput: r.bin(VRF_OUTPUT_BYTES),
    vrfProof: r.bin(VRF_PROOF_BYTES),
    transactionRoot: r.bin(32),
    parentCertificateHash: r.bin(32),
    stateRoot: r.bin(32),
    validatorsHash: r.bin(32),
    nextValidatorsHash: r.bin(32),
    epochHeadersRoot: r.bin(32),
    mmrRoot: r.bin(32),
  };
  r.end();
  return header;
}

export function headerHash(headerBytes: Bytes): Bytes {
  return sha256(DOMAIN.header, headerBytes);
}

/** Throws `HEADER_RESERVED` unless the fields that version 1 does not use are zero. */
export function checkReservedFields(h: Header): void {
  if (h.epoch !== 0 || !isZero(h.vrfOutput) || !isZero(h.vrfProof) || !isZero(h.nextValidatorsHash)) {
    throw new ProtocolError(
      'HEADER_RESERVED',
      'epoch, VRF fields and next validator set are zero in version 1',
    );
  }
}
