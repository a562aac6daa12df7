/**
 * Answers to requests on the bulk lane. Every answer is measured before it is allocated, and never larger than the
 * asker takes; what is read and encoded is charged to the asker, and requests for which the database reads whole
 * blocks have a rate of their own. A request that cannot be read is refused with a codec error or
 * `REQUEST_INVALID`, which costs the asker; every other refusal is free.
 */
import { decodeBlock, MAX_CERTIFICATE_BYTES } from '../chain/block.ts';
import { headerHash, MAX_HEADER_BYTES } from '../chain/header.ts';
import { type Bytes, EMPTY_BYTES, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import { NULLIFY } from '../consensus/types.ts';
import { TokenBucket } from '../p2p/bucket.ts';
import { DatabaseDamage, ownData } from '../storage/damage.ts';
import type { LaneParts } from './lane-parts.ts';
import {
  decodeCertificateRequest,
  decodeRangeRequest,
  decodeTransactionsRequest,
  encodeRangeAnswer,
  encodeTransactionList,
  MAX_ANSWER_BYTES,
  MAX_RANGE_BLOCKS,
  MAX_RANGE_HEADERS,
  METHOD,
  RANGE_OVERHEAD_BYTES,
  transactionListBytes,
} from './requests.ts';

/** Requests of one peer a second, and in a burst, that read whole blocks. */
const BLOCK_READS_PER_SECOND = 32;
/** Bytes that are read from the database before other work gets a turn. */
const TURN_BYTES = 4 * 1024 * 1024;
/** A signature and its place in a certificate. */
const SIGNER_BYTES = 68;

export interface Request {
  readonly method: number;
  readonly payload: Bytes;
  readonly peer: string;
  /** Bytes that the answer may have. */
  readonly most: number;
  readonly charge: (bytes: number) => void;
}

export class Answers {
  readonly #reads = new Map<string, TokenBucket>();
  readonly #now: () => number;

  /** `now` in milliseconds, for rates. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Throws a `ProtocolError`: `NOT_FOUND`, `BUSY`, `RESPONSE_TOO_LARGE`, `METHOD_UNKNOWN`, or for a bad request. */
  async answer(p: LaneParts, request: Request): Promise<Bytes> {
    switch (request.method) {
      case METHOD.block:
        return this.#block(p, request);
      case METHOD.transactions:
        return this.#transactions(p, request);
      case METHOD.range:
        return this.#range(p, request);
      case METHOD.certificate:
        return certificate(p, request);
      default:
        throw new ProtocolError('METHOD_UNKNOWN', `there is no method ${request.method}`);
    }
  }

  /** The peer is gone. */
  forget(peer: string): void {
    this.#reads.delete(peer);
  }

  #block(p: LaneParts, request: Request): Bytes {
    const { payload: hash, most, charge } = request;
    if (hash.length !== 32) throw new ProtocolError('REQUEST_INVALID', 'a block hash has 32 bytes');
    this.#paceReads(request);
    const open = openBlock(p, hash);
    if (open === undefined) return fitting(storedBlock(p, hash, charge), most);
    charge(open.bytes.length);
    return fitting(open.bytes, most);
  }

  #transactions(p: LaneParts, request: Request): Bytes {
    const { payload, most, charge } = request;
    const { hash, indexes } = decodeTransactionsRequest(payload, p.maxBlockBytes);
    const open = openBlock(p, hash);
    if (open === undefined) this.#paceReads(request);
    const all = (open ?? decodeStored(storedBlock(p, hash, charge), p.maxBlockBytes)).transactions;
    // The indexes ascend: no transaction is there twice, and the last index says whether there are all.
    const last = indexes[indexes.length - 1]!;
    if (last >= all.length) throw new ProtocolError('NOT_FOUND', `the block has no transaction ${last}`);
    const wanted = indexes.map((index) => all[index]!);
    const size = transactionListBytes(wanted);
    if (size > most) throw tooLarge(size, most);
    charge(size);
    return encodeTransactionList(wanted);
  }

  async #range(p: LaneParts, request: Request): Promise<Bytes> {
    const { payload, most, charge } = request;
    const { from, maxBytes } = decodeRangeRequest(payload);
    this.#paceReads(request);
    const blocks: Bytes[] = [];
    const budget = Math.min(maxBytes, MAX_ANSWER_BYTES >> 1, most - RANGE_OVERHEAD_BYTES);
    let size = 0;
    for (let height = from; blocks.length < MAX_RANGE_BLOCKS; height++) {
      if (blocks.length > 0 && size >= budget) break;
      const bytes = p.database.block(height);
      if (bytes === undefined) break;
      charge(bytes.length);
      const grown = size + bytes.length + 5;
      if (blocks.length > 0 && grown > budget) break;
      if (grown > most) throw tooLarge(grown, most);
      blocks.push(bytes);
      size = grown;
    }
    if (blocks.length === 0) throw new ProtocolError('NOT_FOUND', `this node has no block ${from}`);
    const last = from + blocks.length - 1;
    const certified = await p.database.firstFinality(last, last + MAX_RANGE_HEADERS);
    const finality = certified === undefined ? undefined : p.database.finality(certified);
    if (certified === undefined || finality === undefined) {
      throw new ProtocolError('NOT_FOUND', `this node has no finality certificate near block ${last}`);
    }
    size += finality.length + 64;
    const headers: Bytes[] = [];
    let turn = 0;
    for (let height = last + 1; height <= certified; height++) {
      if (size > most) break;
      const bytes = p.database.block(height);
      if (bytes === undefined) throw new ProtocolError('NOT_FOUND', `this node has no block ${height}`);
      charge(bytes.length);
      const header = headerOf(bytes);
      headers.push(header);
      size += header.length + 5;
      turn += bytes.length;
      if (turn < TURN_BYTES) continue;
      turn = 0;
      await new Promise(setImmediate);
    }
    if (size > most) throw tooLarge(size, most);
    return encodeRangeAnswer({ blocks, headers, finality });
  }

  #paceReads({ peer }: Request): void {
    let bucket = this.#reads.get(peer);
    if (bucket === undefined) {
      bucket = new TokenBucket(BLOCK_READS_PER_SECOND, BLOCK_READS_PER_SECOND, this.#now);
      this.#reads.set(peer, bucket);
    }
    if (!bucket.tryTake(1)) throw new ProtocolError('BUSY', 'too many requests for blocks');
  }
}

function tooLarge(size: number, most: number): ProtocolError {
  return new ProtocolError('RESPONSE_TOO_LARGE', `${size} bytes, wanted are at most ${most}`);
}

function fitting(bytes: Bytes, most: number): Bytes {
  if (bytes.length > most) throw tooLarge(bytes.length, most);
  return bytes;
}

/** A block that is in memory. */
function openBlock(p: LaneParts, hash: Bytes) {
  return p.bodies.get(hash)?.block ?? p.chain.executed(hash)?.block;
}

function storedBlock(p: LaneParts, hash: Bytes, charge: (bytes: number) => void): Bytes {
  const height = p.database.heightOf(hash);
  const bytes = height === undefined ? undefined : p.database.block(height);
  if (bytes === undefined) throw new ProtocolError('NOT_FOUND', 'this node does not have the block');
  charge(bytes.length);
  if (!equal(headerHash(headerOf(bytes)), hash))
    throw new DatabaseDamage('a block is not where its row says');
  return bytes;
}

const decodeStored = (bytes: Bytes, maxBlockBytes: number) =>
  ownData('a block', () => decodeBlock(bytes, maxBlockBytes));

/** The header at the front of an encoded block, without a look at the rest. */
function headerOf(bytes: Bytes): Bytes {
  return ownData('a header', () => {
    const r = new Reader(bytes);
    r.array(3);
    return r.bin(1, MAX_HEADER_BYTES);
  });
}

/** The certificate itself goes out on its own lane, where it is judged like any other. */
function certificate(p: LaneParts, { payload, peer, charge }: Request): Bytes {
  const { kind, view } = decodeCertificateRequest(payload);
  if (kind !== 1 && kind !== 2 && kind !== 3)
    throw new ProtocolError('REQUEST_INVALID', `no certificate is of kind ${kind}`);
  charge(Math.min(MAX_CERTIFICATE_BYTES, SIGNER_BYTES * (p.set.validators.length + 4)));
  const stored = kind === NULLIFY ? p.database.nullification(view) : undefined;
  if (stored !== undefined) p.network.sendCertificate(peer, stored);
  else p.replica.onCertificateRequest({ kind, view }, peer);
  return EMPTY_BYTES;
}
