/**
 * What this node's own users sent and what still waits for a block, on disk, so that it survives the process.
 * It promises: what `add` has resolved for is read again by the next `open`, also after SIGKILL or a power cut,
 * until `remove`; a torn or rotten record costs what stands behind it in its file, and nothing else. The files
 * (`00000001.own` and so on) hold records of `u32 length ‖ u32 CRC-32 ‖ (u32 length ‖ transaction)…`; a file goes when none
 * of its transactions waits, and one that only a few keep alive is copied together. What has left stands on disk beside
 * what waits until its file goes, and is read again with it: the caller knows what is over.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { crc32 } from '../consensus/journal/crc32.ts';
import type { Disk } from '../consensus/journal/disk.ts';
import { MAX_TRANSACTION_BYTES } from '../tx/types.ts';
import { failPoint } from './fail-points.ts';

const NAME = /^\d{8}\.own$/;
const HEADER = 8;
const LENGTH = 4;
const MAX_RECORD_BYTES = 32 * 1024 * 1024;
const SCRATCH_BYTES = 512 * 1024;
const FILE_BYTES = 8 * 1024 * 1024;
/** A file that is this small is not worth a new one when all that is in it has left. */
const LEAST_FILE_BYTES = 64 * 1024;
/** More files than this beyond what the living need are copied together, and so is more than they hold of the dead. */
const SPARE_FILES = 4;

export interface OutboxLimits {
  /** Of what waits. */
  readonly maxTransactions: number;
  readonly maxBytes: number;
  /** Size at which a new file is begun. */
  readonly fileBytes?: number;
}

interface Kept extends OutboxEntry {
  file: OutboxFile;
}

interface OutboxFile {
  readonly name: string;
  bytes: number;
  /** Transactions in it that wait. */
  living: number;
}

/** A transaction as it is kept. */
export interface OutboxEntry {
  readonly bytes: Bytes;
  /** `keyOf` the SHA-256 of the bytes. */
  readonly key: string;
}

interface Write {
  readonly transactions: readonly OutboxEntry[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A record in a buffer that the next one is written to, too, unless it is large. */
class RecordWriter {
  #buffer = new Uint8Array(SCRATCH_BYTES);

  write(transactions: readonly OutboxEntry[]): Bytes {
    let size = HEADER;
    for (const { bytes } of transactions) size += LENGTH + bytes.length;
    const out = size <= SCRATCH_BYTES ? this.#buffer.subarray(0, size) : new Uint8Array(size);
    const view = new DataView(out.buffer, out.byteOffset, size);
    let at = HEADER;
    for (const { bytes } of transactions) {
      view.setUint32(at, bytes.length);
      out.set(bytes, at + LENGTH);
      at += LENGTH + bytes.length;
    }
    view.setUint32(0, size - HEADER);
    view.setUint32(4, crc32(out.subarray(HEADER)));
    return out;
  }
}

/** The transactions of a record; undefined when it is none. Views of the input. */
function decodeRecord(payload: Bytes): Bytes[] | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const out: Bytes[] = [];
  for (let at = 0; at < payload.length; ) {
    const length = at + LENGTH <= payload.length ? view.getUint32(at) : 0;
    if (length === 0 || length > MAX_TRANSACTION_BYTES || at + LENGTH + length > payload.length)
      return undefined;
    out.push(payload.subarray(at + LENGTH, at + LENGTH + length));
    at += LENGTH + length;
  }
  return out;
}

export class Outbox {
  readonly #disk: Disk;
  readonly #limits: OutboxLimits;
  readonly #kept = new Map<string, Kept>();
  readonly #files = new Map<string, OutboxFile>();
  readonly #records = new RecordWriter();
  readonly #fileBytes: number;
  #current: OutboxFile | undefined;
  #number = 0;
  #bytes = 0;
  #queue: Write[] = [];
  #queued = 0;
  #queuedBytes = 0;
  #writing: Promise<void> | undefined;
  #closed = false;
  /** Bytes of records that could not be read when it was opened. */
  damaged = 0;

  private constructor(disk: Disk, limits: OutboxLimits) {
    this.#disk = disk;
    this.#limits = limits;
    this.#fileBytes = limits.fileBytes ?? FILE_BYTES;
  }

  /**
   * Reads what is there, the dead among it too: only the caller can tell them. So there may be more than the limits
   * allow; then nothing is added until enough was removed. More than an outbox of these limits ever holds on disk is
   * left out, the youngest first.
   */
  static async open(disk: Disk, limits: OutboxLimits): Promise<Outbox> {
    const outbox = new Outbox(disk, limits);
    const names = (await disk.list()).filter((name) => NAME.test(name)).sort();
    for (const name of names) {
      await outbox.#read(name);
      // A killed process may have left it in the machine's memory alone, and who sends it again is told that it is kept.
      await disk.sync(name);
    }
    if (names.length > 0) await disk.syncDirectory();
    outbox.#number = Number(names.at(-1)?.slice(0, 8) ?? '0');
    await outbox.#sweep();
    return outbox;
  }

  async #read(name: string): Promise<void> {
    const size = await this.#disk.size(name);
    const file: OutboxFile = { name, bytes: size, living: 0 };
    this.#files.set(name, file);
    let at = 0;
    while (at + HEADER <= size) {
      const head = await this.#disk.read(name, at, HEADER);
      if (head.length < HEADER) break;
      const view = new DataView(head.buffer, head.byteOffset, HEADER);
      const length = view.getUint32(0);
      if (length === 0 || length > MAX_RECORD_BYTES || at + HEADER + length > size) break;
      const payload = await this.#disk.read(name, at + HEADER, length);
      if (payload.length !== length || crc32(payload) !== view.getUint32(4)) break;
      const transactions = decodeRecord(payload);
      if (transactions === undefined) break;
      for (const tx of transactions) this.#found(tx.slice(), file);
      at += HEADER + length;
    }
    this.damaged += size - at;
  }

  #found(bytes: Bytes, file: OutboxFile): void {
    const key = keyOf(sha256(bytes));
    const most = 2 * this.#limits.maxBytes + (SPARE_FILES + 1) * this.#fileBytes;
    if (this.#kept.has(key) || this.#bytes + bytes.length > most) return;
    this.#move({ bytes, key }, file);
  }

  #fits(count: number, bytes: number): boolean {
    const { maxTransactions, maxBytes } = this.#limits;
    return this.#kept.size + count <= maxTransactions && this.#bytes + bytes <= maxBytes;
  }

  /** Transactions that wait. */
  get size(): number {
    return this.#kept.size;
  }

  /** Bytes of what waits. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What waits, in the order in which it was added. */
  transactions(): OutboxEntry[] {
    return [...this.#kept.values()];
  }

  /**
   * Keeps transactions; resolves when they are on disk. Those that are kept already cost nothing. Calls that come
   * while another one is written share one write. Throws `OUTBOX_FULL`, or what the disk fails with: then
   * nothing of the call is kept.
   */
  async add(transactions: readonly OutboxEntry[]): Promise<void> {
    const fresh = transactions.filter(({ key }) => !this.#kept.has(key));
    if (fresh.length === 0) return;
    let bytes = 0;
    for (const tx of fresh) bytes += tx.bytes.length;
    if (this.#closed || !this.#fits(this.#queued + fresh.length, this.#queuedBytes + bytes)) {
      throw new ProtocolError(
        'OUTBOX_FULL',
        'this node keeps as many transactions of its users as it can; try again in a second',
      );
    }
    this.#queued += fresh.length;
    this.#queuedBytes += bytes;
    const written = new Promise<void>((resolve, reject) => {
      this.#queue.push({ transactions: fresh, resolve, reject });
    });
    this.#work();
    try {
      await written;
    } finally {
      this.#queued -= fresh.length;
      this.#queuedBytes -= bytes;
    }
  }

  #work(): void {
    this.#writing ??= this.#write();
  }

  /** Never throws, and never ends before its first `await`. */
  async #write(): Promise<void> {
    do {
      const writes = this.#queue;
      this.#queue = [];
      if (writes.length > 0) await this.#writeAll(writes);
      // A file that stays is swept another time: nobody waits for it.
      await this.#sweep().catch(() => {
        this.#current = undefined;
      });
    } while (this.#queue.length > 0);
    // In the same breath as the last look at the queue: who comes between the two would wait for ever.
    this.#writing = undefined;
  }

  async #writeAll(writes: readonly Write[]): Promise<void> {
    try {
      const transactions = writes.flatMap((write) => write.transactions);
      const file = await this.#append(transactions);
      for (const tx of transactions) this.#move(tx, file);
      for (const { resolve } of writes) resolve();
    } catch (error) {
      // Nobody knows how much of the record is there: the next one goes to another file.
      this.#current = undefined;
      for (const { reject } of writes) reject(error);
    }
  }

  /** Writes and syncs a record; it is the caller's to say what of it lives in the file. */
  async #append(transactions: readonly OutboxEntry[]): Promise<OutboxFile> {
    const fresh = this.#current === undefined;
    const file = this.#current ?? this.#open();
    failPoint('outbox.before-append');
    for (const part of parts(transactions)) {
      const record = this.#records.write(part);
      await this.#disk.append(file.name, record);
      file.bytes += record.length;
    }
    await this.#disk.sync(file.name);
    if (fresh) await this.#disk.syncDirectory();
    failPoint('outbox.after-sync');
    if (file.bytes >= this.#fileBytes) this.#current = undefined;
    return file;
  }

  #open(): OutboxFile {
    this.#number += 1;
    const file = { name: `${String(this.#number).padStart(8, '0')}.own`, bytes: 0, living: 0 };
    this.#files.set(file.name, file);
    this.#current = file;
    return file;
  }

  #move(entry: OutboxEntry, file: OutboxFile): void {
    const { key } = entry;
    const kept = this.#kept.get(key);
    if (kept === undefined) {
      this.#kept.set(key, { key, bytes: entry.bytes, file });
      this.#bytes += entry.bytes.length;
    } else {
      kept.file.living -= 1;
      kept.file = file;
    }
    file.living += 1;
  }

  /** Forgets a transaction by its key. On disk it goes when its file does. */
  remove(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes.length;
    kept.file.living -= 1;
    if (kept.file.living > 0 || this.#closed) return;
    this.#work();
  }

  /** Removes files without anything that waits; copies the oldest where too many are kept by a few. */
  async #sweep(): Promise<void> {
    await this.#removeEmpty();
    const needed = Math.ceil(this.#bytes / this.#fileBytes) + SPARE_FILES;
    while (this.#files.size > needed || this.#deadBytes > SPARE_FILES * this.#fileBytes) {
      const oldest = this.#files.values().next().value;
      if (oldest === undefined || oldest === this.#current) return;
      const living = [...this.#kept.values()].filter(({ file }) => file === oldest);
      if (living.length > 0) {
        const file = await this.#append(living);
        for (const entry of living) if (this.#kept.has(entry.key)) this.#move(entry, file);
      }
      await this.#removeEmpty();
    }
  }

  get #deadBytes(): number {
    let all = 0;
    for (const { bytes } of this.#files.values()) all += bytes;
    return all - this.#bytes;
  }

  async #removeEmpty(): Promise<void> {
    for (const file of [...this.#files.values()]) {
      if (file.living > 0) continue;
      if (file === this.#current) {
        if (file.bytes < LEAST_FILE_BYTES) continue;
        this.#current = undefined;
      }
      failPoint('outbox.before-remove');
      this.#files.delete(file.name);
      await this.#disk.remove(file.name);
    }
  }

  /** Resolves when what was under way is on disk. What is added from now on is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
  }
}

/** Cut so that no record passes its bounds. */
function* parts(transactions: readonly OutboxEntry[]): Generator<readonly OutboxEntry[]> {
  let part: OutboxEntry[] = [];
  let bytes = 0;
  for (const tx of transactions) {
    if (bytes > 0 && bytes + tx.bytes.length > MAX_RECORD_BYTES / 2) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(tx);
    bytes += tx.bytes.length;
  }
  if (part.length > 0) yield part;
}
