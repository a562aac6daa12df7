/**
 * The node's database: one classic-level store, divided into numbered buckets by the first byte of the key.
 * It promises: a finalised block is one atomic, fsynced batch (state changes, block, indexes, tip), so after a
 * crash the store holds a whole number of blocks; reads never see half a batch. Everything except the state
 * bucket, the blocks and their certificates is an index that is a pure function of those.
 *
 * | bucket | key | value |
 * | --- | --- | --- |
 * | 0x00 meta | name | format, genesis hash, tip (records.ts) |
 * | 0x01 state | key of the account tree | value |
 * | 0x02 block | u64 height | block bytes |
 * | 0x03 height | block hash | u64 height |
 * | 0x04 transaction | id | place (records.ts) |
 * | 0x05 finality | u64 height | F certificate |
 * | 0x06 nullification | u64 view | X certificate |
 */
import { ClassicLevel } from 'classic-level';
import { type Bytes, EMPTY_BYTES, equal, keyOf, plain, readU64, toHex, u64, utf8 } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { reasonOf } from '../system/problems.ts';
import type { KeyValueStore, StoreSnapshot } from './key-value-store.ts';
import { packPlace, packTip, type Tip, type TransactionPlace, unpackPlace, unpackTip } from './records.ts';
import { isThere } from './whole-file.ts';

const FORMAT = 1;
const BUCKET = {
  meta: 0x00,
  state: 0x01,
  block: 0x02,
  height: 0x03,
  transaction: 0x04,
  finality: 0x05,
  nullification: 0x06,
} as const;
const META_FORMAT = utf8('format');
const META_GENESIS = utf8('genesis');
const META_TIP = utf8('tip');

const CACHED_VALUES = 200_000;
const SCAN_BATCH = 1_000;
/** Tables that the store keeps open. */
export const DATABASE_FILES = 1_000;

function at(bucket: number, key: Bytes): Bytes {
  const out = new Uint8Array(1 + key.length);
  out[0] = bucket;
  out.set(key, 1);
  return out;
}

/** Views of one buffer keep all of it alive: what outlives a block is copied out. */
const owned = (bytes: Bytes): Bytes =>
  bytes.byteLength === bytes.buffer.byteLength ? plain(bytes) : plain(bytes).slice();

export interface DatabaseOptions {
  /** Files that the store may keep open. Default `DATABASE_FILES`. */
  readonly maxOpenFiles?: number;
  /** A block was written, in so many seconds. */
  readonly onCommit?: (seconds: number) => void;
}

interface StateEntry {
  readonly key: Bytes;
  readonly value: Bytes;
}

/** What a new database begins with. */
interface DatabaseGenesis {
  readonly hash: Bytes;
  readonly entries: () => readonly StateEntry[];
}

interface StateChange {
  readonly key: Bytes;
  /** Absent: the entry is removed. */
  readonly value: Bytes | undefined;
}

/** Everything that one finalised block changes. */
export interface FinalisedBatch {
  readonly height: number;
  readonly hash: Bytes;
  readonly blockBytes: Bytes;
  /** The F certificate of this very block, where there is one. */
  readonly finality: Bytes | undefined;
  readonly nullifications: readonly { readonly view: number; readonly certificate: Bytes }[];
  readonly transactionIds: readonly Bytes[];
  readonly changes: readonly StateChange[];
}

function isLocked(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return (cause as { code?: string } | undefined)?.code === 'LEVEL_LOCKED';
}

function lockedError(directory: string): ProtocolError {
  return new ProtocolError(
    'DATABASE_LOCKED',
    `another process uses the data directory ${directory}; stop it first`,
  );
}

/**
 * Keeps everybody else from opening the store at `directory`, for work on what stands beside it; returns how to let
 * go. The system's own lock is what sees across containers. One that is not there or is damaged is nobody's.
 * Throws `DATABASE_LOCKED`.
 */
export async function holdDatabase(directory: string): Promise<() => Promise<void>> {
  const nothing = async (): Promise<void> => {};
  if (!(await isThere(directory))) return nothing;
  const db = new ClassicLevel(directory, { createIfMissing: false });
  try {
    await db.open();
  } catch (error) {
    if (isLocked(error)) throw lockedError(directory);
    return nothing;
  }
  return () => db.close();
}

export class ChainDatabase {
  readonly #db: KeyValueStore;
  readonly #cache = new Map<string, Bytes>();
  readonly #onCommit: DatabaseOptions['onCommit'];
  #tip: Tip;

  private constructor(db: KeyValueStore, tip: Tip, onCommit: DatabaseOptions['onCommit']) {
    this.#db = db;
    this.#tip = tip;
    this.#onCommit = onCommit;
  }

  /**
   * Opens the store at `directory`, which is made if need be with the genesis entries in one batch. Throws
   * `DATABASE_LOCKED` (another process has it), `DATABASE_FORMAT`, `DATABASE_GENESIS` (it belongs to another
   * chain) or `DATABASE_UNREADABLE`.
   */
  static async open(
    directory: string,
    genesis: DatabaseGenesis,
    options: DatabaseOptions = {},
  ): Promise<ChainDatabase> {
    const db = new ClassicLevel<Bytes, Bytes>(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      writeBufferSize: 64 * 1024 * 1024,
      maxFileSize: 16 * 1024 * 1024,
      cacheSize: 64 * 1024 * 1024,
      maxOpenFiles: options.maxOpenFiles ?? DATABASE_FILES,
    });
    try {
      await db.open();
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (isLocked(error)) throw lockedError(directory);
      throw new ProtocolError(
        'DATABASE_UNREADABLE',
        `the database in ${directory} cannot be opened: ${reasonOf(cause ?? error)}`,
      );
    }
    try {
      return await ChainDatabase.over(db, directory, genesis, options);
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  /** The database over a store that is open; `name` is for errors. Throws what `open` throws, but for the lock. */
  static async over(
    store: KeyValueStore,
    name: string,
    genesis: DatabaseGenesis,
    options: DatabaseOptions = {},
  ): Promise<ChainDatabase> {
    return new ChainDatabase(store, await ChainDatabase.#prepare(store, name, genesis), options.onCommit);
  }

  static async #prepare(db: KeyValueStore, directory: string, genesis: DatabaseGenesis): Promise<Tip> {
    const format = db.getSync(at(BUCKET.meta, META_FORMAT));
    if (format === undefined) {
      const batch = db.batch();
      for (const { key, value } of genesis.entries()) batch.put(at(BUCKET.state, key), value);
      batch.put(at(BUCKET.meta, META_FORMAT), u64(FORMAT));
      batch.put(at(BUCKET.meta, META_GENESIS), genesis.hash);
      batch.put(at(BUCKET.meta, META_TIP), packTip({ height: 0, hash: genesis.hash }));
      await batch.write({ sync: true });
      return { height: 0, hash: genesis.hash };
    }
    if (format.length !== 8 || readU64(format, 0) !== BigInt(FORMAT)) {
      throw new ProtocolError(
        'DATABASE_FORMAT',
        `the database in ${directory} has a format that this version does not know`,
      );
    }
    const stored = db.getSync(at(BUCKET.meta, META_GENESIS));
    if (stored === undefined || !equal(stored, genesis.hash)) {
      throw new ProtocolError(
        'DATABASE_GENESIS',
        `the data directory ${directory} belongs to the chain ${toHex(stored ?? EMPTY_BYTES)}, the genesis file is ${toHex(genesis.hash)}`,
      );
    }
    const tip = db.getSync(at(BUCKET.meta, META_TIP));
    if (tip === undefined)
      throw new ProtocolError('DATABASE_UNREADABLE', `the database in ${directory} has no tip`);
    return unpackTip(tip);
  }

  #read(bucket: number, key: Bytes): Bytes | undefined {
    const value = this.#db.getSync(at(bucket, key));
    return value === undefined ? undefined : plain(value);
  }

  /** The last finalised block that is on disk. */
  get tip(): Tip {
    return this.#tip;
  }

  /** A committed value of the account tree, or undefined. The result must not be changed. */
  get(key: Bytes): Bytes | undefined {
    const name = keyOf(key);
    const cached = this.#cache.get(name);
    if (cached !== undefined) return cached;
    const value = this.#read(BUCKET.state, key);
    if (value !== undefined) this.#remember(name, owned(value));
    return value;
  }

  #remember(name: string, value: Bytes): void {
    if (this.#cache.size >= CACHED_VALUES) {
      let surplus = CACHED_VALUES >> 3;
      for (const old of this.#cache.keys()) {
        if (surplus-- === 0) break;
        this.#cache.delete(old);
      }
    }
    this.#cache.set(name, value);
  }

  /**
   * Reads the tip and all entries of the account tree, in key order, as they are at one moment, whatever is
   * committed meanwhile. The entries can be read only until the promise of `read` settles.
   */
  async readState<T>(read: (tip: Tip, entries: AsyncGenerator<StateEntry>) => Promise<T>): Promise<T> {
    const snapshot = this.#db.snapshot();
    try {
      const tip = this.#db.getSync(at(BUCKET.meta, META_TIP), { snapshot });
      if (tip === undefined) throw new Error('the database has lost its tip');
      return await read(unpackTip(tip), this.#entries(snapshot));
    } finally {
      await snapshot.close();
    }
  }

  async *#entries(snapshot: StoreSnapshot): AsyncGenerator<StateEntry> {
    const iterator = this.#db.iterator({
      gte: Uint8Array.of(BUCKET.state),
      lt: Uint8Array.of(BUCKET.state + 1),
      snapshot,
    });
    try {
      for (;;) {
        const rows = await iterator.nextv(SCAN_BATCH);
        if (rows.length === 0) return;
        for (const [key, value] of rows) yield { key: plain(key).subarray(1), value: plain(value) };
      }
    } finally {
      await iterator.close();
    }
  }

  /** Writes one finalised block: atomic, and on disk when the promise resolves. Heights come without gaps. */
  async commit(block: FinalisedBatch): Promise<void> {
    if (block.height !== this.#tip.height + 1) {
      throw new Error(`block ${block.height} committed on top of ${this.#tip.height}`);
    }
    const height = u64(block.height);
    const batch = this.#db.batch();
    for (const { key, value } of block.changes) {
      const row = at(BUCKET.state, key);
      if (value === undefined) batch.del(row);
      else batch.put(row, value);
    }
    batch.put(at(BUCKET.block, height), block.blockBytes);
    batch.put(at(BUCKET.height, block.hash), height);
    for (let i = 0; i < block.transactionIds.length; i++) {
      batch.put(
        at(BUCKET.transaction, block.transactionIds[i]!),
        packPlace({ height: block.height, index: i }),
      );
    }
    if (block.finality !== undefined) batch.put(at(BUCKET.finality, height), block.finality);
    for (const { view, certificate } of block.nullifications)
      batch.put(at(BUCKET.nullification, u64(view)), certificate);
    batch.put(at(BUCKET.meta, META_TIP), packTip({ height: block.height, hash: block.hash }));
    const began = performance.now();
    await batch.write({ sync: true });
    this.#onCommit?.((performance.now() - began) / 1_000);
    for (const { key, value } of block.changes) {
      const name = keyOf(key);
      if (value === undefined) this.#cache.delete(name);
      else this.#remember(name, owned(value));
    }
    this.#tip = { height: block.height, hash: block.hash };
  }

  block(height: number): Bytes | undefined {
    return this.#read(BUCKET.block, u64(height));
  }

  heightOf(hash: Bytes): number | undefined {
    const height = this.#read(BUCKET.height, hash);
    return height === undefined ? undefined : Number(readU64(height, 0));
  }

  /** Where a finalised transaction is. */
  transaction(id: Bytes): TransactionPlace | undefined {
    const row = this.#read(BUCKET.transaction, id);
    return row === undefined ? undefined : unpackPlace(row);
  }

  /** The F certificate of the block at `height`, where this node has one. */
  finality(height: number): Bytes | undefined {
    return this.#read(BUCKET.finality, u64(height));
  }

  /** Height of the lowest block in `from` … `to` that has an F certificate of its own. */
  async firstFinality(from: number, to: number): Promise<number | undefined> {
    for await (const key of this.#db.keys({
      gte: at(BUCKET.finality, u64(from)),
      lte: at(BUCKET.finality, u64(to)),
      limit: 1,
    })) {
      return Number(readU64(key, 1));
    }
    return undefined;
  }

  /** The highest block at or below `height` that has an F certificate of its own. */
  async lastFinality(height: number): Promise<{ height: number; certificate: Bytes } | undefined> {
    const range = {
      gte: at(BUCKET.finality, u64(0)),
      lte: at(BUCKET.finality, u64(height)),
      reverse: true,
      limit: 1,
    };
    for await (const [key, certificate] of this.#db.iterator(range)) {
      return { height: Number(readU64(key, 1)), certificate: plain(certificate) };
    }
    return undefined;
  }

  nullification(view: number): Bytes | undefined {
    return this.#read(BUCKET.nullification, u64(view));
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}
