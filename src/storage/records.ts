/**
 * Small database rows that nothing hashes or signs, in MessagePack by `msgpackr` (format table: database.ts).
 * A database is a file like any other: what is read is checked field by field, and a row that does not fit is
 * `DatabaseDamage`.
 */
import { Packr } from 'msgpackr';
import { type Bytes, plain } from '../codec/bytes.ts';
import { DatabaseDamage } from './damage.ts';

const packr = new Packr({ useRecords: false, moreTypes: false, copyBuffers: true });

export interface TransactionPlace {
  readonly height: number;
  /** Place in the block, from 0. */
  readonly index: number;
}

/** The last finalised block that is on disk. */
export interface Tip {
  readonly height: number;
  readonly hash: Bytes;
}

function fields(row: Bytes, count: number, what: string): unknown[] {
  let value: unknown;
  try {
    value = packr.unpack(row);
  } catch {
    value = undefined;
  }
  if (!Array.isArray(value) || value.length !== count)
    throw new DatabaseDamage(`a row (${what}) cannot be read`);
  return value;
}

function whole(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new DatabaseDamage(`a row (${what}) cannot be read`);
  }
  return value;
}

export function packPlace({ height, index }: TransactionPlace): Bytes {
  return packr.pack([height, index]);
}

export function unpackPlace(row: Bytes): TransactionPlace {
  const [height, index] = fields(row, 2, 'place of a transaction');
  return { height: whole(height, 'height'), index: whole(index, 'index') };
}

export function packTip({ height, hash }: Tip): Bytes {
  return packr.pack([height, hash]);
}

export function unpackTip(row: Bytes): Tip {
  const [height, hash] = fields(row, 2, 'tip');
  if (!(hash instanceof Uint8Array) || hash.length !== 32) {
    throw new DatabaseDamage('a row (tip) cannot be read');
  }
  return { height: whole(height, 'height'), hash: plain(hash).slice() };
}
