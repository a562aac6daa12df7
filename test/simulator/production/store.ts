/**
 * The store under the production database, in memory, with the promises of a disk and no others: a batch is there as
 * a whole or not at all; one that was synced survives a crash; one that was not, or was still on its way, may vanish,
 * and then so does all that was written after it.
 */
import { type Bytes, bytesOfKey, keyOf } from '../../../src/codec/bytes.ts';
import type {
  KeyValueStore,
  StoreBatch,
  StoreIterator,
  StoreSnapshot,
} from '../../../src/storage/key-value-store.ts';
import type { Prng } from '../prng.ts';
import type { Scheduler } from '../scheduler.ts';

type Rows = ReadonlyMap<string, Bytes>;
type Change = readonly [key: string, value: Bytes | undefined];
type Range = Parameters<KeyValueStore['iterator']>[0];

const NEVER = new Promise<never>(() => undefined);
const SLOWEST_SYNC = 6;

function after(rows: Rows, changes: readonly Change[]): Rows {
  const next = new Map(rows);
  for (const [key, value] of changes) {
    if (value === undefined) next.delete(key);
    else next.set(key, value);
  }
  return next;
}

class Snapshot implements StoreSnapshot {
  readonly rows: Rows;

  constructor(rows: Rows) {
    this.rows = rows;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function rowsIn(
  rows: Rows,
  { gte, lt, lte, reverse = false, limit = Number.POSITIVE_INFINITY }: Range,
): [Bytes, Bytes][] {
  const [from, below, upTo] = [gte, lt, lte].map((bytes) => (bytes === undefined ? undefined : keyOf(bytes)));
  const keys = [...rows.keys()]
    .filter(
      (key) =>
        (from ?? '') <= key && (below === undefined || key < below) && (upTo === undefined || key <= upTo),
    )
    .sort();
  if (reverse) keys.reverse();
  return keys.slice(0, limit).map((key) => [bytesOfKey(key), rows.get(key)!]);
}

class Iterator implements StoreIterator {
  readonly #rows: [Bytes, Bytes][];

  constructor(rows: [Bytes, Bytes][]) {
    this.#rows = rows;
  }

  nextv(size: number): Promise<[Bytes, Bytes][]> {
    return Promise.resolve(this.#rows.splice(0, size));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<[Bytes, Bytes]> {
    yield* this.#rows;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export class CrashStore {
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  #rows: Rows = new Map();
  #durable: Rows = this.#rows;
  /** Batches behind the durable ones, in their order: acknowledged without a sync, or on their way. */
  #uncertain: (readonly Change[])[] = [];
  #generation = 0;
  /** The next write fails, and nobody knows what of it is there. */
  failNext = false;
  /** Breaks its promise: a crash may take what was synced, too. For tests of the tests. */
  readonly #forgetful: boolean;

  constructor(scheduler: Scheduler, random: Prng, forgetful = false) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#forgetful = forgetful;
  }

  /** Handles that were given out before are dead: what they had under way never ends. */
  crash(): void {
    this.#generation++;
    this.failNext = false;
    const survive = this.#random.int(0, this.#uncertain.length);
    for (const changes of this.#uncertain.slice(0, survive)) this.#durable = after(this.#durable, changes);
    this.#rows = this.#durable;
    this.#uncertain = [];
  }

  /** The store as a process sees it, until the next crash. */
  open(): KeyValueStore {
    const generation = this.#generation;
    const rowsOf = (snapshot: StoreSnapshot | undefined): Rows =>
      snapshot instanceof Snapshot ? snapshot.rows : this.#rows;
    return {
      getSync: (key, options) => rowsOf(options?.snapshot).get(keyOf(key)),
      iterator: (range) => new Iterator(rowsIn(rowsOf(range.snapshot), range)),
      keys: (range) => keysOf(rowsIn(this.#rows, range)),
      snapshot: () => new Snapshot(this.#rows),
      batch: () => this.#batch(generation),
      close: () => Promise.resolve(),
    };
  }

  #batch(generation: number): StoreBatch {
    const changes: Change[] = [];
    return {
      put: (key, value) => changes.push([keyOf(key), value.slice()]),
      del: (key) => changes.push([keyOf(key), undefined]),
      write: ({ sync }) => this.#write(generation, changes, sync),
    };
  }

  async #write(generation: number, changes: readonly Change[], sync: boolean): Promise<void> {
    if (generation !== this.#generation) return NEVER;
    this.#uncertain.push(changes);
    if (sync) await this.#scheduler.sleep(this.#random.float() * SLOWEST_SYNC);
    if (generation !== this.#generation) return NEVER;
    if (this.failNext) {
      this.failNext = false;
      throw new Error('EIO: input/output error');
    }
    this.#rows = after(this.#rows, changes);
    if (!sync || (this.#forgetful && this.#durable.size > 0)) return;
    this.#durable = this.#rows;
    this.#uncertain = [];
  }
}

async function* keysOf(rows: readonly [Bytes, Bytes][]): AsyncGenerator<Bytes> {
  for (const [key] of rows) yield key;
}
