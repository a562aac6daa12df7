/**
 * The requests that nodes answer each other on the bulk lane, in canonical MessagePack: strict and bounded in
 * both directions. docs/protocol.md §8 lists them. Nothing in an answer is believed: blocks are hashed,
 * certificates verified, links followed.
 */

import { LEAST_TRANSACTION_BYTES, MAX_CERTIFICATE_BYTES, maxEncodedBlock } from '../chain/block.ts';
import { MAX_HEADER_BYTES } from '../chain/header.ts';
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import { MAX_TRANSACTION_BYTES } from '../tx/types.ts';

export const METHOD = {
  /** `hash` → block bytes. */
  block: 1,
  /** `[hash, strictly ascending u32 indexes]` → `[transaction, …]`. */
  transactions: 2,
  /** `[fromHeight, maxBytes]` → `[[block, …], [header, …], F certificate]`. */
  range: 3,
  /** `[kind, view]` → nothing; the certificate comes on the vote lane. */
  certificate: 4,
} as const;

/** Bound on a bulk answer, which the network layer enforces. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Headers between the last block of a range and the one with an F certificate. */
export const MAX_RANGE_HEADERS = 256;
export const MAX_RANGE_BLOCKS = 512;

export interface TransactionsRequest {
  readonly hash: Bytes;
  readonly indexes: readonly number[];
}

export function encodeTransactionsRequest({ hash, indexes }: TransactionsRequest): Bytes {
  const packed = new Uint8Array(4 * indexes.length);
  const view = new DataView(packed.buffer);
  indexes.forEach((index, i) => {
    view.setUint32(4 * i, index);
  });
  return new Writer(packed.length + 64).array(2).bin(hash).bin(packed).finish();
}

/** Throws codec errors, and `REQUEST_INVALID` for indexes that do not ascend: each transaction is asked for once. */
export function decodeTransactionsRequest(bytes: Bytes, maxBlockBytes: number): TransactionsRequest {
  const r = new Reader(bytes);
  r.array(2);
  const hash = r.bin(32);
  const packed = r.bin(4, 4 * Math.ceil(maxBlockBytes / LEAST_TRANSACTION_BYTES));
  r.end();
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length % 4 !== 0) throw new ProtocolError('REQUEST_INVALID', 'an index has 4 bytes');
  const indexes: number[] = [];
  let last = -1;
  for (let at = 0; at < packed.length; at += 4) {
    const index = view.getUint32(at);
    if (index <= last) throw new ProtocolError('REQUEST_INVALID', `index ${index} follows ${last}`);
    indexes.push(index);
    last = index;
  }
  return { hash, indexes };
}

/** Upper bound on what `encodeTransactionList` makes of a list. */
export function transactionListBytes(transactions: readonly Bytes[]): number {
  let size = 5;
  for (const tx of transactions) size += tx.length + 5;
  return size;
}

export function encodeTransactionList(transactions: readonly Bytes[]): Bytes {
  const w = new Writer(transactionListBytes(transactions)).array(transactions.length);
  for (const tx of transactions) w.bin(tx);
  return w.finish();
}

/** A list of full transactions: API submissions, gossip batches, answers. Views of the input. */
export function decodeTransactionList(bytes: Bytes, maxCount: number): Bytes[] {
  const r = new Reader(bytes);
  const out: Bytes[] = [];
  for (let n = r.array(0, maxCount); n > 0; n--) out.push(r.bin(1, MAX_TRANSACTION_BYTES));
  r.end();
  return out;
}

export interface RangeRequest {
  readonly from: number;
  readonly maxBytes: number;
}

export function encodeRangeRequest({ from, maxBytes }: RangeRequest): Bytes {
  return new Writer(32).array(2).uint(from).uint(maxBytes).finish();
}

export function decodeRangeRequest(bytes: Bytes): RangeRequest {
  const r = new Reader(bytes);
  r.array(2);
  const request = { from: r.uint(), maxBytes: r.uint() };
  r.end();
  return request;
}

/** Consecutive blocks, the headers after them, and the F certificate of the last of all these. */
export interface RangeAnswer {
  readonly blocks: readonly Bytes[];
  readonly headers: readonly Bytes[];
  readonly finality: Bytes;
}

/** Bytes of a range answer beside its blocks and headers: certificate, array headers. */
export const RANGE_OVERHEAD_BYTES = MAX_CERTIFICATE_BYTES + 64;

export function encodeRangeAnswer({ blocks, headers, finality }: RangeAnswer): Bytes {
  let size = finality.length + 64;
  for (const block of blocks) size += block.length + 5;
  for (const header of headers) size += header.length + 5;
  const w = new Writer(size).array(3).array(blocks.length);
  for (const block of blocks) w.bin(block);
  w.array(headers.length);
  for (const header of headers) w.bin(header);
  return w.bin(finality).finish();
}

export function decodeRangeAnswer(bytes: Bytes, maxBlockBytes: number): RangeAnswer {
  const r = new Reader(bytes);
  r.array(3);
  const blocks: Bytes[] = [];
  for (let n = r.array(1, MAX_RANGE_BLOCKS); n > 0; n--)
    blocks.push(r.bin(1, maxEncodedBlock(maxBlockBytes)));
  const headers: Bytes[] = [];
  for (let n = r.array(0, MAX_RANGE_HEADERS); n > 0; n--) headers.push(r.bin(1, MAX_HEADER_BYTES));
  const finality = r.bin(1, MAX_CERTIFICATE_BYTES);
  r.end();
  return { blocks, headers, finality };
}

export interface CertificateRequest {
  readonly kind: number;
  readonly view: number;
}

export function encodeCertificateRequest({ kind, view }: CertificateRequest): Bytes {
  return new Writer(16).array(2).uint(kind).uint(view).finish();
}

export function decodeCertificateRequest(bytes: Bytes): CertificateRequest {
  const r = new Reader(bytes);
  r.array(2);
  const request = { kind: r.uint(3), view: r.uint() };
  r.end();
  return request;
}
