/**
 * Bytes to transactions, strictly: what this accepts re-encodes to the same bytes (a property test holds it
 * to that), and every bound of docs/protocol.md §4 that needs no state and no parameter is checked on the
 * way. Byte strings of the result are views of the input.
 */
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import {
  type Claim,
  type Comment,
  KIND_CLAIMS,
  KIND_TRANSFER,
  MAX_CLAIMS,
  MAX_COMMENT_BYTES,
  MAX_INPUTS,
  MAX_OFFER_BYTES,
  MAX_OUTPUTS,
  MAX_TRANSACTION_BYTES,
  NONCE_BYTES,
  OUTPUT_ADVERT,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type Output,
  SALT_BYTES,
  type SignedTransaction,
  type Spend,
  TAG_BYTES,
  type TransactionBody,
} from './types.ts';

const KEY_BYTES = 32;
/** Sizes of blobs are safe integers everywhere. */
const MAX_BLOB_BYTES = BigInt(Number.MAX_SAFE_INTEGER);
const SIGNATURE_BYTES = 64;

function expectCount(count: number, fields: number, what: string): void {
  if (count !== fields)
    throw new ProtocolError('TX_SHAPE', `${what} has ${count} fields, expected ${fields}`);
}

function readOutput(r: Reader): Output {
  const count = r.array(3, 9);
  const type = r.uint(OUTPUT_ADVERT);
  switch (type) {
    case OUTPUT_PAY:
      expectCount(count, 3, 'pay output');
      return { type, to: r.bin(KEY_BYTES), amount: r.uint64() };
    case OUTPUT_BOUNTY:
      expectCount(count, 9, 'bounty output');
      return {
        type,
        tag: r.bin(TAG_BYTES),
        nonce: r.bin(NONCE_BYTES),
        claimKey: r.bin(KEY_BYTES),
        payee: r.optionalBin(KEY_BYTES),
        amount: r.uint64(),
        claimFrom: r.uint(),
        claimUntil: r.uint(),
        refundTo: r.bin(KEY_BYTES),
      };
    default:
      expectCount(count, 4, 'advert output');
      return {
        type: OUTPUT_ADVERT,
        tag: r.bin(TAG_BYTES),
        size: r.uint64(MAX_BLOB_BYTES),
        offer: r.bin(0, MAX_OFFER_BYTES),
      };
  }
}

function readComment(r: Reader): Comment | undefined {
  if (r.nil()) return undefined;
  const start = r.offset;
  r.array(3);
  const comment: Comment = {
    tag: r.optionalBin(TAG_BYTES),
    nonce: r.optionalBin(NONCE_BYTES),
    memo: r.optionalBin(1, MAX_COMMENT_BYTES),
  };
  if (comment.tag === undefined && comment.nonce === undefined && comment.memo === undefined) {
    throw new ProtocolError('TX_COMMENT', 'a comment without content is left out');
  }
  if (r.offset - start > MAX_COMMENT_BYTES) {
    throw new ProtocolError(
      'TX_COMMENT',
      `comment of ${r.offset - start} bytes, at most ${MAX_COMMENT_BYTES}`,
    );
  }
  return comment;
}

function readBody(r: Reader): TransactionBody {
  const count = r.array(4, 7);
  const kind = r.uint();
  if (kind === KIND_TRANSFER) {
    expectCount(count, 7, 'transfer');
    const validUntil = r.uint();
    const salt = r.bin(SALT_BYTES);
    const inputs: Spend[] = [];
    for (let n = r.array(1, MAX_INPUTS); n > 0; n--) {
      r.array(2);
      inputs.push({ address: r.bin(KEY_BYTES), amount: r.uint64() });
    }
    const outputs: Output[] = [];
    for (let n = r.array(0, MAX_OUTPUTS); n > 0; n--) outputs.push(readOutput(r));
    const fee = r.uint64();
    return { kind, validUntil, salt, inputs, outputs, fee, comment: readComment(r) };
  }
  if (kind === KIND_CLAIMS) {
    expectCount(count, 4, 'claims');
    const validUntil = r.uint();
    const salt = r.bin(SALT_BYTES);
    const claims: Claim[] = [];
    for (let n = r.array(1, MAX_CLAIMS); n > 0; n--) {
      r.array(4);
      claims.push({
        tag: r.bin(TAG_BYTES),
        bountyId: r.bin(32),
        claimKey: r.bin(KEY_BYTES),
        destination: r.bin(KEY_BYTES),
      });
    }
    return { kind, validUntil, salt, claims };
  }
  throw new ProtocolError('TX_KIND', `transaction kind ${kind} is not known to this version`);
}

/** Decodes a body that is not signed yet. Throws what `decodeTransaction` throws. */
export function decodeBody(bytes: Bytes): TransactionBody {
  if (bytes.length > MAX_TRANSACTION_BYTES) {
    throw new ProtocolError('TX_SIZE', `${bytes.length} bytes, at most ${MAX_TRANSACTION_BYTES}`);
  }
  const r = new Reader(bytes);
  const body = readBody(r);
  r.end();
  return body;
}

export interface DecodedTransaction extends SignedTransaction {
  /** The part of the input that is the body: the id's preimage after its tag. */
  readonly bodyBytes: Bytes;
}

/** Decodes full transaction bytes. Throws `TX_SIZE`, `TX_SHAPE`, `TX_KIND`, `TX_COMMENT` or a codec error. */
export function decodeTransaction(bytes: Bytes): DecodedTransaction {
  if (bytes.length > MAX_TRANSACTION_BYTES) {
    throw new ProtocolError('TX_SIZE', `${bytes.length} bytes, at most ${MAX_TRANSACTION_BYTES}`);
  }
  const r = new Reader(bytes);
  r.array(2);
  const start = r.offset;
  const body = readBody(r);
  const bodyBytes = bytes.subarray(start, r.offset);
  const signers = body.kind === KIND_TRANSFER ? body.inputs.length : body.claims.length;
  const signatures: Bytes[] = [];
  for (let n = r.array(signers); n > 0; n--) signatures.push(r.bin(SIGNATURE_BYTES));
  r.end();
  return { body, signatures, bodyBytes };
}
