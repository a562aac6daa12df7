/**
 * What the database asks of the store below it: sorted keys and values, reads of one moment, and batches of which all
 * or nothing is there, whatever happens. The node's is classic-level; the simulator's lives in memory and dies as
 * disks do.
 */
import type { Bytes } from '../codec/bytes.ts';

/** The store as it was at one moment. */
export interface StoreSnapshot {
  close(): Promise<void>;
}

interface StoreRange {
  readonly gte?: Bytes;
  readonly lt?: Bytes;
  readonly lte?: Bytes;
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface StoreBatch {
  put(key: Bytes, value: Bytes): unknown;
  del(key: Bytes): unknown;
  /** Atomic; with `sync` it is on the disk when the promise resolves. */
  write(options: { readonly sync: boolean }): Promise<void>;
}

export interface StoreIterator extends AsyncIterable<[Bytes, Bytes]> {
  /** At most `size` further rows, in the order of their keys; none at the end. */
  nextv(size: number): Promise<[Bytes, Bytes][]>;
  close(): Promise<void>;
}

export interface KeyValueStore {
  getSync(key: Bytes, options?: { snapshot?: StoreSnapshot | undefined }): Bytes | undefined;
  iterator(range: StoreRange & { snapshot?: StoreSnapshot | undefined }): StoreIterator;
  keys(range: StoreRange): AsyncIterable<Bytes>;
  snapshot(): StoreSnapshot;
  batch(): StoreBatch;
  close(): Promise<void>;
}
