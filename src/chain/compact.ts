/**
 * Compact proposals: the leader's vote, the header, the parent's certificate and an 8-byte short id a
 * transaction. The short id is the start of SHA-256(block hash ‖ SHA-256(full bytes)): salted by the block, so
 * that nobody can prepare collisions, and of the very form that `hashPairs` computes by the layer. It is a
 * hint for finding transactions in a mempool and commits to nothing; the transaction root does.
 */
import { type Bytes, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { hashPairs } from '../codec/hash.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import { LEAST_TRANSACTION_BYTES, MAX_CERTIFICATE_BYTES } from './block.ts';
import { MAX_HEADER_BYTES } from './header.ts';

export const SHORT_ID_BYTES = 8;
const MAX_VOTE_BYTES = 512;

export interface CompactProposal {
  /** The leader's encoded N vote. */
  readonly vote: Bytes;
  readonly headerBytes: Bytes;
  readonly parentCertificate: Bytes | undefined;
  /** `SHORT_ID_BYTES` a transaction, in block order. */
  readonly shortIds: Bytes;
}

/** Short ids of transactions given by the SHA-256 of their full bytes, back to back. */
export function shortIds(blockHash: Bytes, wireHashes: readonly Bytes[]): Bytes {
  const pairs = new Uint8Array(64 * wireHashes.length);
  const hashes = new Uint8Array(32 * wireHashes.length);
  for (let i = 0; i < wireHashes.length; i++) {
    pairs.set(blockHash, 64 * i);
    pairs.set(wireHashes[i]!, 64 * i + 32);
  }
  if (wireHashes.length > 0) hashPairs(pairs, hashes);
  const out = new Uint8Array(SHORT_ID_BYTES * wireHashes.length);
  for (let i = 0; i < wireHashes.length; i++) {
    out.set(hashes.subarray(32 * i, 32 * i + SHORT_ID_BYTES), SHORT_ID_BYTES * i);
  }
  return out;
}

export function encodeCompactProposal(p: CompactProposal): Bytes {
  return new Writer(p.shortIds.length + 2_048)
    .array(4)
    .bin(p.vote)
    .bin(p.headerBytes)
    .optionalBin(p.parentCertificate)
    .bin(p.shortIds)
    .finish();
}

/** Strict and bounded. Throws a codec error or `PROPOSAL_SHAPE`. */
export function decodeCompactProposal(bytes: Bytes, maxBlockBytes: number): CompactProposal {
  const r = new Reader(bytes);
  r.array(4);
  const vote = r.bin(1, MAX_VOTE_BYTES);
  const headerBytes = r.bin(1, MAX_HEADER_BYTES);
  const parentCertificate = r.optionalBin(1, MAX_CERTIFICATE_BYTES);
  const ids = r.bin(0, SHORT_ID_BYTES * Math.ceil(maxBlockBytes / LEAST_TRANSACTION_BYTES));
  r.end();
  if (ids.length % SHORT_ID_BYTES !== 0) throw new ProtocolError('PROPOSAL_SHAPE', 'short ids are not whole');
  return { vote, headerBytes, parentCertificate, shortIds: ids };
}

/** Six bytes of a short id as a number: the key of the lookup, compared in full afterwards. */
function lookupKey(bytes: Bytes, at: number): number {
  return (
    ((bytes[at]! * 256 + bytes[at + 1]!) * 256 + bytes[at + 2]!) * 0x1000000 +
    (bytes[at + 3]! * 65_536 + bytes[at + 4]! * 256 + bytes[at + 5]!)
  );
}

/**
 * Finds the transactions of a proposal among `pool`. The result has one element a short id; undefined where
 * none, or more than one, has that short id.
 */
export function matchShortIds<T extends { readonly wireHash: Bytes }>(
  blockHash: Bytes,
  wanted: Bytes,
  pool: readonly T[],
): (T | undefined)[] {
  const ids = shortIds(
    blockHash,
    pool.map((tx) => tx.wireHash),
  );
  const index = new Map<number, number>();
  const AMBIGUOUS = -1;
  for (let i = 0; i < pool.length; i++) {
    const key = lookupKey(ids, SHORT_ID_BYTES * i);
    index.set(key, index.has(key) ? AMBIGUOUS : i);
  }
  const out: (T | undefined)[] = [];
  for (let at = 0; at < wanted.length; at += SHORT_ID_BYTES) {
    const i = index.get(lookupKey(wanted, at));
    const hit =
      i !== undefined &&
      i !== AMBIGUOUS &&
      equal(
        ids.subarray(SHORT_ID_BYTES * i, SHORT_ID_BYTES * (i + 1)),
        wanted.subarray(at, at + SHORT_ID_BYTES),
      );
    out.push(hit ? pool[i] : undefined);
  }
  return out;
}
