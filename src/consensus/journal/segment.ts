/**
 * One file of the journal. A segment begins with a header (8 bytes of magic ‖ genesis hash ‖ 8 bytes of random
 * salt ‖ u32 CRC of these) and is a sequence of batches: salt ‖ u32 sequence ‖ u32 length ‖ u32 CRC of these,
 * then `length` bytes of records. One batch is one fsync, and the next is not written before it is done. So
 * the first batch that cannot be read is either the last write, torn by a crash and cut off, or, if a batch
 * with a later sequence stands behind it or the mark (mark.ts) says that it was synced, corruption, which is an
 * error that names the place. The salt, which nobody else knows, keeps a body's bytes from posing as a batch.
 */
import { type Bytes, concat, equal, readU32, utf8, writeU32 } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import { crc32 } from './crc32.ts';
import type { Disk } from './disk.ts';
import { MAX_RECORD_BYTES, RECORD_HEADER_BYTES, splitRecords } from './records.ts';

const MAGIC = utf8('KRYJRNL1');
export const SALT_BYTES = 8;
export const SEGMENT_HEADER_BYTES = MAGIC.length + 32 + SALT_BYTES + 4;
export const BATCH_HEADER_BYTES = SALT_BYTES + 12;
/** A batch is closed once it is longer than a record may be, so this bounds every read. */
const MAX_BATCH_BYTES = 2 * (MAX_RECORD_BYTES + RECORD_HEADER_BYTES);
const READ_BYTES = 1024 * 1024;

export function segmentName(index: number): string {
  return `journal-${index.toString().padStart(10, '0')}`;
}

export type JournalErrorCode = 'JOURNAL_CORRUPT' | 'JOURNAL_FOREIGN' | 'JOURNAL_CLOSED';

export function corrupt(segment: string, offset: number, why: string): never {
  throw new ProtocolError<JournalErrorCode>(
    'JOURNAL_CORRUPT',
    `${segment} is corrupt at offset ${offset}: ${why}`,
    { segment, offset },
  );
}

export function withCrc(bytes: Bytes): Bytes {
  const out = new Uint8Array(bytes.length + 4);
  out.set(bytes);
  writeU32(out, bytes.length, crc32(bytes));
  return out;
}

export function crcMatches(bytes: Bytes): boolean {
  const at = bytes.length - 4;
  return crc32(bytes.subarray(0, at)) === readU32(bytes, at);
}

export function segmentHeader(genesisHash: Bytes, salt: Bytes): Bytes {
  return withCrc(concat(MAGIC, genesisHash, salt));
}

export function batchHeader(salt: Bytes, sequence: number, length: number): Bytes {
  const numbers = new Uint8Array(8);
  writeU32(numbers, 0, sequence);
  writeU32(numbers, 4, length);
  return withCrc(concat(salt, numbers));
}

/** Sequential reads through a window, so that small batches do not cost a system call each. */
class Window {
  readonly #disk: Disk;
  readonly #name: string;
  readonly size: number;
  #start = 0;
  #bytes: Bytes = new Uint8Array(0);

  constructor(disk: Disk, name: string, size: number) {
    this.#disk = disk;
    this.#name = name;
    this.size = size;
  }

  /** `length` bytes at `offset`, or fewer where the file ends. */
  async at(offset: number, length: number): Promise<Bytes> {
    const end = Math.min(offset + length, this.size);
    if (offset < this.#start || end > this.#start + this.#bytes.length) {
      this.#bytes = await this.#disk.read(this.#name, offset, Math.max(READ_BYTES, end - offset));
      this.#start = offset;
    }
    return this.#bytes.subarray(offset - this.#start, end - this.#start);
  }
}

export interface ReadBatch {
  readonly offset: number;
  readonly records: readonly { readonly type: number; readonly offset: number; readonly content: Bytes }[];
}

export interface SegmentScan {
  readonly salt: Bytes;
  readonly nextSequence: number;
  /** Bytes up to here are good; what follows is a torn tail. */
  readonly end: number;
  readonly size: number;
}

/**
 * Reads a segment from its beginning and gives each good batch to `onBatch`; offsets are those of the file.
 * Throws `JOURNAL_CORRUPT` (naming file and offset) or `JOURNAL_FOREIGN` (another chain's journal).
 */
export async function scanSegment(
  disk: Disk,
  name: string,
  genesisHash: Bytes,
  onBatch: (batch: ReadBatch) => void,
): Promise<SegmentScan> {
  const window = new Window(disk, name, await disk.size(name));
  const header = await window.at(0, SEGMENT_HEADER_BYTES);
  if (header.length < SEGMENT_HEADER_BYTES || !crcMatches(header) || !equal(header.subarray(0, 8), MAGIC)) {
    corrupt(name, 0, 'the header cannot be read');
  }
  if (!equal(header.subarray(8, 40), genesisHash)) {
    throw new ProtocolError<JournalErrorCode>('JOURNAL_FOREIGN', `${name} belongs to another chain`);
  }
  const salt = header.slice(40, 40 + SALT_BYTES);
  let offset = SEGMENT_HEADER_BYTES;
  let sequence = 0;
  while (offset < window.size) {
    const batch = await readBatch(window, offset, salt, sequence);
    if (batch === undefined) {
      const later = await findLaterBatch(window, offset + 1, salt, sequence);
      if (later !== undefined) corrupt(name, offset, `a later batch stands at offset ${later}`);
      break;
    }
    onBatch({ offset, records: batch.records });
    offset = batch.end;
    sequence++;
  }
  return { salt, nextSequence: sequence, end: offset, size: window.size };
}

async function readBatch(
  window: Window,
  offset: number,
  salt: Bytes,
  sequence: number,
): Promise<{ records: ReadBatch['records']; end: number } | undefined> {
  const header = parseBatchHeader(await window.at(offset, BATCH_HEADER_BYTES), salt);
  const start = offset + BATCH_HEADER_BYTES;
  if (header === undefined || header.sequence !== sequence || header.length > MAX_BATCH_BYTES)
    return undefined;
  if (header.length > window.size - start) return undefined;
  const split = splitRecords(await window.at(start, header.length));
  return (
    split && {
      records: split.map((record) => ({ ...record, offset: start + record.offset })),
      end: start + header.length,
    }
  );
}

function parseBatchHeader(bytes: Bytes, salt: Bytes): { sequence: number; length: number } | undefined {
  if (
    bytes.length < BATCH_HEADER_BYTES ||
    !equal(bytes.subarray(0, SALT_BYTES), salt) ||
    !crcMatches(bytes)
  ) {
    return undefined;
  }
  return { sequence: readU32(bytes, SALT_BYTES), length: readU32(bytes, SALT_BYTES + 4) };
}

/** Offset of the first readable batch header after `from` whose sequence is later than `sequence`. */
async function findLaterBatch(
  window: Window,
  from: number,
  salt: Bytes,
  sequence: number,
): Promise<number | undefined> {
  for (let at = from; at + BATCH_HEADER_BYTES <= window.size; ) {
    const bytes = await window.at(at, READ_BYTES);
    for (let i = bytes.indexOf(salt[0]!); i >= 0; i = bytes.indexOf(salt[0]!, i + 1)) {
      const header = parseBatchHeader(bytes.subarray(i, i + BATCH_HEADER_BYTES), salt);
      if (header !== undefined && header.sequence > sequence) return at + i;
    }
    at += Math.max(1, bytes.length - BATCH_HEADER_BYTES + 1);
  }
  return undefined;
}
