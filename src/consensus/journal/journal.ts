/**
 * The journal: the memory that a validator must not lose. Records are appended in memory, and `commit` makes
 * everything appended so far durable with one fsync; whoever waits for the commit may let votes and
 * certificates out. Segments: when the active one has grown past its limit, a new one is written that begins
 * with a checkpoint of all that is still needed above the floor; it is synced and renamed into place, the
 * directory is synced, and only then are older segments deleted. So the newest segment alone is always
 * complete, and nothing above the floor is ever dropped. What was once synced and cannot be read any more is an
 * error, never a torn tail (mark.ts). After the first failed write nothing is accepted any
 * more: what is on the disk is unknown, and the process has to end.
 */
import { type Bytes, concat } from '../../codec/bytes.ts';
import { invariant, isProtocolError, ProtocolError } from '../../codec/errors.ts';
import type { ValidatorSet } from '../types.ts';
import type { Disk } from './disk.ts';
import { checkMark, readMark, writeMark } from './mark.ts';
import {
  CHECKPOINT_END,
  decodeRecord,
  frameCheckpointEnd,
  frameRecord,
  type JournalRecord,
  MAX_RECORD_BYTES,
  RECORD_HEADER_BYTES,
  splitRecords,
} from './records.ts';
import {
  BATCH_HEADER_BYTES,
  batchHeader,
  corrupt,
  type JournalErrorCode,
  SALT_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentScan,
  scanSegment,
  segmentHeader,
  segmentName,
} from './segment.ts';
import { type BodyEntry, JournalState } from './state.ts';

export interface JournalOptions {
  readonly disk: Disk;
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  /** Unpredictable bytes, for the salt of a new segment. */
  readonly randomBytes: (length: number) => Bytes;
  /** A segment that has grown past this is replaced. Default 64 MiB. */
  readonly segmentBytes?: number;
}

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;
const SEGMENT_NAME = /^journal-(\d{10})$/;
const TEMPORARY_NAME = /^journal-\d{10}\.tmp$/;

/** A record on its way to the disk. */
interface Pending {
  readonly bytes: Bytes;
  readonly body: BodyEntry | undefined;
}

interface Waiter {
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Journal {
  readonly state = new JournalState();
  /** Bytes of a torn tail that were cut off when the journal was opened. */
  readonly tornBytes: number;
  readonly #disk: Disk;
  readonly #options: JournalOptions;
  readonly #segmentBytes: number;
  #segment = '';
  #index = 0;
  #salt: Bytes = new Uint8Array(0);
  #sequence = 0;
  #size = 0;
  #rotateAt = 0;
  #pending: Pending[] = [];
  #appended = 0;
  #durable = 0;
  #waiters: Waiter[] = [];
  #running = false;
  #failure: unknown;
  #fsyncs = 0;

  private constructor(options: JournalOptions, tornBytes: number) {
    this.#options = options;
    this.#disk = options.disk;
    this.#segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    this.tornBytes = tornBytes;
  }

  /** True if the disk's directory holds a journal. */
  static async exists(disk: Disk): Promise<boolean> {
    return (await disk.list()).some((name) => SEGMENT_NAME.test(name));
  }

  /**
   * Opens the journal in the disk's directory, or begins one. A torn tail, of which nothing was synced, is cut
   * off; what is left is synced. Throws `JOURNAL_CORRUPT` or `JOURNAL_FOREIGN`, with file and offset, and what
   * the disk throws.
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const { disk, set, genesisHash } = options;
    const names = await disk.list();
    const segments = names.filter((name) => SEGMENT_NAME.test(name)).sort();
    const newest = segments.pop();
    const mark = await readMark(disk, names);
    const stale = [...segments, ...names.filter((name) => TEMPORARY_NAME.test(name))];
    if (newest === undefined) {
      checkMark(mark, undefined);
      for (const name of stale) await disk.remove(name);
      const journal = new Journal(options, 0);
      await journal.#startSegment();
      return journal;
    }
    const replayed: { record: JournalRecord; offset: number; length: number }[] = [];
    let checkpointed = false;
    const scan: SegmentScan = await scanSegment(disk, newest, genesisHash, ({ records }) => {
      for (const { type, offset, content } of records) {
        let record: ReturnType<typeof decodeRecord>;
        try {
          record = decodeRecord(type, content, set);
        } catch (error) {
          if (isProtocolError(error)) corrupt(newest, offset, error.message);
          throw error;
        }
        if (record === CHECKPOINT_END) checkpointed = true;
        else if (record.type === 'body') {
          const length = RECORD_HEADER_BYTES + content.length;
          replayed.push({ record: { ...record, body: new Uint8Array(0) }, offset, length });
        } else replayed.push({ record, offset, length: 0 });
      }
    });
    const index = Number(SEGMENT_NAME.exec(newest)![1]);
    checkMark(mark, { index, scan });
    if (!checkpointed) corrupt(newest, scan.end, 'its checkpoint is not complete');
    const journal = new Journal(options, scan.size - scan.end);
    for (const { record, offset, length } of replayed) {
      if (!journal.state.apply(record) || record.type !== 'body') continue;
      const entry = journal.state.bodyOf(record.payload);
      if (entry !== undefined) {
        entry.location = { segment: newest, offset, length };
        entry.pending = undefined;
      }
    }
    if (scan.end < scan.size) await disk.truncate(newest, scan.end);
    // What a killed process wrote may be in the machine's memory alone, and from here on it counts as durable.
    await disk.sync(newest);
    await disk.syncDirectory();
    await writeMark(disk, { index, salt: scan.salt, end: scan.end });
    for (const name of stale) await disk.remove(name);
    journal.#segment = newest;
    journal.#index = index;
    journal.#salt = scan.salt;
    journal.#sequence = scan.nextSequence;
    journal.#size = scan.end;
    journal.#rotateAt = journal.#segmentBytes;
    return journal;
  }

  /** Bytes in the active segment, and fsyncs so far. */
  get metrics(): { readonly segmentBytes: number; readonly fsyncs: number } {
    return { segmentBytes: this.#size, fsyncs: this.#fsyncs };
  }

  /** Takes a record into the state at once and onto the disk with the next commit. */
  append(record: JournalRecord): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.state.apply(record)) return;
    const body = record.type === 'body' ? this.state.bodyOf(record.payload) : undefined;
    this.#pending.push({ bytes: frameRecord(record), body });
    this.#appended++;
  }

  /** Resolves when everything appended before the call is durable; rejects for ever after a failed write. */
  commit(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const upTo = this.#appended;
    if (upTo === this.#durable) return Promise.resolve();
    const promise = new Promise<void>((resolve, reject) => this.#waiters.push({ upTo, resolve, reject }));
    if (!this.#running) {
      this.#running = true;
      void Promise.resolve().then(() => this.#run());
    }
    return promise;
  }

  /** The bytes of a body above the floor, or undefined. */
  async readBody(payload: Bytes): Promise<Bytes | undefined> {
    const entry = this.state.bodyOf(payload);
    if (entry === undefined) return undefined;
    if (entry.pending !== undefined) return entry.pending;
    const framed = await this.#readFramed(entry);
    const split = splitRecords(framed);
    if (split?.length !== 1)
      corrupt(entry.location!.segment, entry.location!.offset, 'a body cannot be read');
    const record = decodeRecord(split[0]!.type, split[0]!.content, this.#options.set);
    invariant(record !== CHECKPOINT_END && record.type === 'body', 'a body lies where the state says');
    return record.body;
  }

  async #readFramed(entry: BodyEntry): Promise<Bytes> {
    // A rotation between the lookup and the read deletes the old segment: the entry then has a new location.
    for (;;) {
      const location = entry.location;
      invariant(location !== undefined, 'a body that is not pending has a location');
      try {
        return await this.#disk.read(location.segment, location.offset, location.length);
      } catch (error) {
        if (entry.location === location) throw error;
      }
    }
  }

  async #run(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        if (this.#size >= this.#rotateAt) await this.#startSegment();
        const pending = this.#pending;
        this.#pending = [];
        for (let from = 0; from < pending.length; ) from = await this.#writeBatch(pending, from);
        this.#durable += pending.length;
        const done = this.#waiters.filter(({ upTo }) => upTo <= this.#durable);
        this.#waiters = this.#waiters.filter(({ upTo }) => upTo > this.#durable);
        for (const { resolve } of done) resolve();
      }
      this.#running = false;
    } catch (error) {
      this.#failure = error ?? new Error('the journal failed');
      const waiters = this.#waiters;
      this.#waiters = [];
      for (const { reject } of waiters) reject(this.#failure);
    }
  }

  /** Writes and syncs one batch that begins with `pending[from]`; returns the index after its last record. */
  async #writeBatch(pending: readonly Pending[], from: number): Promise<number> {
    let length = 0;
    let to = from;
    while (to < pending.length && (to === from || length + pending[to]!.bytes.length <= MAX_RECORD_BYTES)) {
      length += pending[to++]!.bytes.length;
    }
    const header = batchHeader(this.#salt, this.#sequence, length);
    const records = pending.slice(from, to);
    await this.#disk.append(this.#segment, concat(header, ...records.map(({ bytes }) => bytes)));
    await this.#disk.sync(this.#segment);
    const end = this.#size + BATCH_HEADER_BYTES + length;
    await writeMark(this.#disk, { index: this.#index, salt: this.#salt, end });
    this.#fsyncs++;
    let offset = this.#size + BATCH_HEADER_BYTES;
    for (const { bytes, body } of records) {
      if (body !== undefined) {
        body.location = { segment: this.#segment, offset, length: bytes.length };
        body.pending = undefined;
      }
      offset += bytes.length;
    }
    this.#size = offset;
    this.#sequence++;
    return to;
  }

  /** Begins a segment with a checkpoint of the state and makes it the active one. */
  async #startSegment(): Promise<void> {
    const index = this.#index + 1;
    const name = segmentName(index);
    const temporary = `${name}.tmp`;
    const salt = this.#options.randomBytes(SALT_BYTES);
    if (salt.length !== SALT_BYTES) throw new RangeError('randomBytes gave another length');
    await this.#disk.append(temporary, segmentHeader(this.#options.genesisHash, salt));
    let size = SEGMENT_HEADER_BYTES;
    let sequence = 0;
    let parts: Bytes[] = [];
    let length = 0;
    const flush = async (): Promise<void> => {
      await this.#disk.append(temporary, concat(batchHeader(salt, sequence++, length), ...parts));
      size += BATCH_HEADER_BYTES + length;
      parts = [];
      length = 0;
    };
    const add = async (bytes: Bytes): Promise<number> => {
      if (length > 0 && length + bytes.length > MAX_RECORD_BYTES) await flush();
      const offset = size + BATCH_HEADER_BYTES + length;
      parts.push(bytes);
      length += bytes.length;
      return offset;
    };
    for (const record of [...this.state.records()]) await add(frameRecord(record));
    const moved: { entry: BodyEntry; offset: number; length: number }[] = [];
    for (const entry of this.state.bodies()) {
      if (entry.location === undefined) continue;
      const framed = await this.#readFramed(entry);
      if (splitRecords(framed)?.length !== 1) {
        corrupt(entry.location.segment, entry.location.offset, 'a body cannot be read');
      }
      moved.push({ entry, offset: await add(framed), length: framed.length });
    }
    await add(frameCheckpointEnd());
    await flush();
    await this.#disk.sync(temporary);
    await this.#disk.rename(temporary, name);
    await this.#disk.syncDirectory();
    await writeMark(this.#disk, { index, salt, end: size });
    this.#fsyncs += 2;
    const previous = this.#segment;
    for (const { entry, offset, length } of moved) entry.location = { segment: name, offset, length };
    this.#segment = name;
    this.#index = index;
    this.#salt = salt;
    this.#sequence = sequence;
    this.#size = size;
    this.#rotateAt = Math.max(this.#segmentBytes, 2 * size);
    if (previous !== '') await this.#disk.remove(previous);
  }

  /** Waits for the writes that are under way. Nothing may be appended afterwards. */
  async close(): Promise<void> {
    if (this.#failure === undefined) {
      await this.commit();
      this.#failure = new ProtocolError<JournalErrorCode>('JOURNAL_CLOSED', 'the journal is closed');
    }
  }
}
