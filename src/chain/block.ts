/**
 * Blocks as bytes: `[header, parentCertificate | nil, [transaction, …]]`, each part a byte string, so that a
 * block is split into offsets without looking into its transactions. A block whose parts do not match its
 * header's hashes is a bad copy: *missing*, never *invalid*.
 */
import { type Bytes, equal } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256, ZERO_HASH } from '../codec/hash.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import { MAX_TRANSACTION_BYTES } from '../tx/types.ts';
import { decodeHeader, encodeHeader, type Header, headerHash, MAX_HEADER_BYTES } from './header.ts';

/** Bound on an encoded certificate: 1,024 validators, 66 bytes each, and change. */
export const MAX_CERTIFICATE_BYTES = 70_000;
/** Smallest full transaction: bounds the count of a block before anything is allocated. */
export const LEAST_TRANSACTION_BYTES = 100;

/** A block split into its parts; nothing about its content has been judged. */
export interface Block {
  readonly header: Header;
  readonly headerBytes: Bytes;
  /** Block hash. */
  readonly hash: Bytes;
  readonly parentCertificate: Bytes | undefined;
  readonly transactions: readonly Bytes[];
  /** The whole encoding. */
  readonly bytes: Bytes;
}

/** Bytes that a list of transactions takes in a block: what `maxBlockBytes` bounds. */
export function transactionBytes(transactions: readonly Bytes[]): number {
  let total = 0;
  for (const tx of transactions) total += tx.length;
  return total;
}

/** Upper bound on a block's encoding for a chain with the given `maxBlockBytes`. */
export function maxEncodedBlock(maxBlockBytes: number): number {
  return (
    maxBlockBytes + 5 * Math.ceil(maxBlockBytes / LEAST_TRANSACTION_BYTES) + MAX_CERTIFICATE_BYTES + 2_048
  );
}

export function makeBlock(
  header: Header,
  parentCertificate: Bytes | undefined,
  transactions: readonly Bytes[],
): Block {
  const headerBytes = encodeHeader(header);
  return joinBlock(headerBytes, parentCertificate, transactions);
}

/** A block from a header's bytes and its other parts. */
export function joinBlock(
  headerBytes: Bytes,
  parentCertificate: Bytes | undefined,
  transactions: readonly Bytes[],
): Block {
  const size = headerBytes.length + (parentCertificate?.length ?? 0) + transactionBytes(transactions);
  const w = new Writer(size + 5 * transactions.length + 32);
  w.array(3).bin(headerBytes).optionalBin(parentCertificate).array(transactions.length);
  for (const tx of transactions) w.bin(tx);
  const header = decodeHeader(headerBytes);
  return {
    header,
    headerBytes,
    hash: headerHash(headerBytes),
    parentCertificate,
    transactions,
    bytes: w.finish(),
  };
}

/** Splits an encoded block. Throws a codec error or `BLOCK_TOO_LARGE`. */
export function decodeBlock(bytes: Bytes, maxBlockBytes: number): Block {
  if (bytes.length > maxEncodedBlock(maxBlockBytes)) {
    throw new ProtocolError(
      'BLOCK_TOO_LARGE',
      `${bytes.length} bytes, at most ${maxEncodedBlock(maxBlockBytes)}`,
    );
  }
  const r = new Reader(bytes);
  r.array(3);
  const headerBytes = r.bin(1, MAX_HEADER_BYTES);
  const parentCertificate = r.optionalBin(1, MAX_CERTIFICATE_BYTES);
  const count = r.array(0, Math.ceil(maxBlockBytes / LEAST_TRANSACTION_BYTES));
  const transactions: Bytes[] = [];
  for (let i = 0; i < count; i++) transactions.push(r.bin(LEAST_TRANSACTION_BYTES, MAX_TRANSACTION_BYTES));
  r.end();
  if (transactionBytes(transactions) > maxBlockBytes) {
    throw new ProtocolError('BLOCK_TOO_LARGE', `transactions pass ${maxBlockBytes} bytes`);
  }
  const header = decodeHeader(headerBytes);
  return { header, headerBytes, hash: headerHash(headerBytes), parentCertificate, transactions, bytes };
}

/** The header's commitment to a parent certificate: zero for none. */
export function parentCertificateHash(certificate: Bytes | undefined): Bytes {
  return certificate === undefined ? ZERO_HASH : sha256(DOMAIN.certificate, certificate);
}

/** True when the certificate bytes are the ones that the header commits to. */
export function certificateMatches(header: Header, certificate: Bytes | undefined): boolean {
  return equal(parentCertificateHash(certificate), header.parentCertificateHash);
}
