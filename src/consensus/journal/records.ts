/**
 * What the journal remembers, and how a record lies on disk: u8 type ‖ u32 length ‖ u32 CRC of type and
 * content ‖ content, big-endian, the content in canonical MessagePack. Records are read back strictly: one that
 * does not decode is corruption, never skipped.
 */
import { type Bytes, keyOf, readU32, writeU32 } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import { Reader } from '../../codec/reader.ts';
import { Writer } from '../../codec/writer.ts';
import { decodeCertificate, encodeCertificate } from '../certificate.ts';
import type { Certificate, ValidatorSet, Vote } from '../types.ts';
import { decodeVote, encodeVote, MAX_VIEW, PAYLOAD_BYTES } from '../vote.ts';
import { crc32 } from './crc32.ts';

/** An own vote, any kind. */
interface VoteRecord {
  readonly type: 'vote';
  readonly vote: Vote;
}

/** A certificate that was verified or assembled here. */
interface CertificateRecord {
  readonly type: 'certificate';
  readonly certificate: Certificate;
}

/** The outcome of certifying the block that was notarized in `view`. */
interface VerdictRecord {
  readonly type: 'verdict';
  readonly view: number;
  readonly payload: Bytes;
  readonly ok: boolean;
}

/** A block's bytes, opaque here, under its hash; `view` is the latest view in which it was proposed. */
interface BodyRecord {
  readonly type: 'body';
  readonly view: number;
  readonly payload: Bytes;
  readonly body: Bytes;
}

/** The application's database holds everything up to this view. */
interface FloorRecord {
  readonly type: 'floor';
  readonly view: number;
}

/**
 * What is known from outside this journal about a consensus key: it may have signed up to `view` elsewhere. A
 * retired key signs nothing here. Each time the key moves to another journal, the serial grows.
 */
export interface HistoryRecord {
  readonly type: 'history';
  /** 32 bytes. */
  readonly publicKey: Bytes;
  readonly serial: number;
  readonly view: number;
  readonly retired: boolean;
}

export type JournalRecord =
  | VoteRecord
  | CertificateRecord
  | VerdictRecord
  | BodyRecord
  | FloorRecord
  | HistoryRecord;

const TYPE_CODES = { vote: 1, certificate: 2, verdict: 3, body: 4, floor: 5, history: 7 } as const;
/** Ends the checkpoint that every segment begins with. */
export const CHECKPOINT_END = 6;

const PUBLIC_KEY_BYTES = 32;
/** A key moves less often than this. */
export const MAX_SERIAL = 0xffff_ffff;

export const RECORD_HEADER_BYTES = 9;
/** No record is longer; a body of 8 MiB and its wrapping fit twice. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

function content(record: JournalRecord): Bytes {
  switch (record.type) {
    case 'vote':
      return encodeVote(record.vote);
    case 'certificate':
      return encodeCertificate(record.certificate);
    case 'verdict':
      return new Writer(64)
        .array(3)
        .uint(record.view)
        .bin(record.payload)
        .uint(record.ok ? 1 : 0)
        .finish();
    case 'body':
      return new Writer(record.body.length + 64)
        .array(3)
        .uint(record.view)
        .bin(record.payload)
        .bin(record.body)
        .finish();
    case 'floor':
      return new Writer(16).array(1).uint(record.view).finish();
    case 'history':
      return new Writer(64)
        .array(4)
        .bin(record.publicKey)
        .uint(record.serial)
        .uint(record.view)
        .uint(record.retired ? 1 : 0)
        .finish();
  }
}

/** The CRC of each type's byte, from which that of a record goes on. */
const TYPE_CRCS = Array.from({ length: 256 }, (_, type) => crc32(Uint8Array.of(type)));

function frame(type: number, bytes: Bytes): Bytes {
  const out = new Uint8Array(RECORD_HEADER_BYTES + bytes.length);
  out[0] = type;
  writeU32(out, 1, bytes.length);
  writeU32(out, 5, crc32(bytes, TYPE_CRCS[type]));
  out.set(bytes, RECORD_HEADER_BYTES);
  return out;
}

/** Throws a RangeError for a body that is too long: the caller bounds blocks long before. */
export function frameRecord(record: JournalRecord): Bytes {
  const bytes = content(record);
  if (bytes.length > MAX_RECORD_BYTES) throw new RangeError(`a journal record of ${bytes.length} bytes`);
  return frame(TYPE_CODES[record.type], bytes);
}

export function frameCheckpointEnd(): Bytes {
  return frame(CHECKPOINT_END, new Uint8Array(0));
}

/** Reads the content of a record whose CRC matched. Throws codec errors. */
export function decodeRecord(
  type: number,
  bytes: Bytes,
  set: ValidatorSet,
): JournalRecord | typeof CHECKPOINT_END {
  if (type === TYPE_CODES.vote) return { type: 'vote', vote: decodeVote(bytes, set.validators.length) };
  if (type === TYPE_CODES.certificate) {
    return { type: 'certificate', certificate: decodeCertificate(bytes, set) };
  }
  const reader = new Reader(bytes);
  let record: JournalRecord | typeof CHECKPOINT_END;
  if (type === TYPE_CODES.verdict) {
    reader.array(3);
    const view = reader.uint(MAX_VIEW);
    const payload = reader.bin(PAYLOAD_BYTES).slice();
    record = { type: 'verdict', view, payload, ok: reader.uint(1) === 1 };
  } else if (type === TYPE_CODES.body) {
    reader.array(3);
    const view = reader.uint(MAX_VIEW);
    const payload = reader.bin(PAYLOAD_BYTES).slice();
    record = { type: 'body', view, payload, body: reader.bin(0, MAX_RECORD_BYTES) };
  } else if (type === TYPE_CODES.floor) {
    reader.array(1);
    record = { type: 'floor', view: reader.uint(MAX_VIEW) };
  } else if (type === TYPE_CODES.history) {
    reader.array(4);
    const publicKey = reader.bin(PUBLIC_KEY_BYTES).slice();
    const serial = reader.uint(MAX_SERIAL);
    const view = reader.uint(MAX_VIEW);
    record = { type: 'history', publicKey, serial, view, retired: reader.uint(1) === 1 };
  } else if (type === CHECKPOINT_END) {
    record = CHECKPOINT_END;
  } else {
    throw new ProtocolError('CODEC_TYPE', `${type} is not a type of journal record`);
  }
  reader.end();
  return record;
}

/**
 * Splits the payload of a batch into its records, in order, each with its offset. Returns undefined where a
 * length or CRC does not fit, which is what a torn write looks like.
 */
export function splitRecords(payload: Bytes): { type: number; offset: number; content: Bytes }[] | undefined {
  const out: { type: number; offset: number; content: Bytes }[] = [];
  for (let at = 0; at < payload.length; ) {
    if (payload.length - at < RECORD_HEADER_BYTES) return undefined;
    const length = readU32(payload, at + 1);
    const start = at + RECORD_HEADER_BYTES;
    if (length > MAX_RECORD_BYTES || length > payload.length - start) return undefined;
    const bytes = payload.subarray(start, start + length);
    if (crc32(bytes, TYPE_CRCS[payload[at]!]) !== readU32(payload, at + 5)) return undefined;
    out.push({ type: payload[at]!, offset: at, content: bytes });
    at = start + length;
  }
  return out;
}

export function bodyKey(payload: Bytes): string {
  return keyOf(payload);
}
