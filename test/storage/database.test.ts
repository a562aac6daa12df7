import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Bytes, toHex } from '../../src/codec/bytes.ts';
import { ChainDatabase, type FinalisedBatch } from '../../src/storage/database.ts';
import { named } from '../ledger/support.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const GENESIS = named('genesis');
const entries = () => [
  { key: Uint8Array.of(1, 1), value: named('one') },
  { key: Uint8Array.of(1, 2), value: named('two') },
];

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kryder-db-'));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function open(path: string, hash: Bytes = GENESIS): Promise<ChainDatabase> {
  const database = await ChainDatabase.open(path, { hash, entries });
  cleanups.push(() => database.close());
  return database;
}

function batch(height: number, change: Partial<FinalisedBatch> = {}): FinalisedBatch {
  return {
    height,
    hash: named(`block ${height}`),
    blockBytes: named(`bytes ${height}`),
    finality: undefined,
    nullifications: [],
    transactionIds: [named(`tx ${height}`)],
    changes: [],
    ...change,
  };
}

async function all(database: ChainDatabase): Promise<[string, string][]> {
  return database.readState(async (_tip, entries) => {
    const out: [string, string][] = [];
    for await (const { key, value } of entries) out.push([toHex(key), toHex(value)]);
    return out;
  });
}

describe('the database', () => {
  it('begins with the genesis entries and keeps what was committed', async () => {
    const path = await directory();
    const first = await open(path);
    expect(first.tip).toEqual({ height: 0, hash: GENESIS });
    await first.commit(
      batch(1, {
        finality: named('f'),
        nullifications: [{ view: 3, certificate: named('x') }],
        changes: [
          { key: Uint8Array.of(1, 1), value: undefined },
          { key: Uint8Array.of(1, 3), value: named('three') },
        ],
      }),
    );
    await first.commit(batch(2));
    await first.close();
    const second = await open(path);
    expect(second.tip).toEqual({ height: 2, hash: named('block 2') });
    expect(await all(second)).toEqual([
      ['0102', toHex(named('two'))],
      ['0103', toHex(named('three'))],
    ]);
    expect(second.get(Uint8Array.of(1, 1))).toBeUndefined();
    expect(toHex(second.get(Uint8Array.of(1, 3))!)).toBe(toHex(named('three')));
    expect(toHex(second.block(1)!)).toBe(toHex(named('bytes 1')));
    expect(second.heightOf(named('block 2'))).toBe(2);
    expect(second.transaction(named('tx 2'))).toEqual({ height: 2, index: 0 });
    expect(second.transaction(named('unknown'))).toBeUndefined();
    expect(toHex(second.nullification(3)!)).toBe(toHex(named('x')));
    expect(await second.firstFinality(1, 9)).toBe(1);
    expect(await second.firstFinality(2, 9)).toBeUndefined();
    expect((await second.lastFinality(9))?.height).toBe(1);
  });

  it('answers from memory as from disk, also after a change and a removal', async () => {
    const database = await open(await directory());
    const key = Uint8Array.of(1, 2);
    expect(toHex(database.get(key)!)).toBe(toHex(named('two')));
    await database.commit(batch(1, { changes: [{ key, value: named('changed') }] }));
    expect(toHex(database.get(key)!)).toBe(toHex(named('changed')));
    await database.commit(batch(2, { changes: [{ key, value: undefined }] }));
    expect(database.get(key)).toBeUndefined();
  });

  it('reads a state that belongs to its tip, whatever is committed meanwhile', async () => {
    const database = await open(await directory());
    const key = Uint8Array.of(1, 2);
    const read = await database.readState(async (tip, entries) => {
      await database.commit(batch(1, { changes: [{ key, value: named('changed') }] }));
      const out: [string, string][] = [];
      for await (const entry of entries) out.push([toHex(entry.key), toHex(entry.value)]);
      return { tip, out };
    });
    expect(read.tip.height).toBe(0);
    expect(read.out).toContainEqual(['0102', toHex(named('two'))]);
    expect(await all(database)).toContainEqual(['0102', toHex(named('changed'))]);
  });

  it('takes no block that does not follow', async () => {
    const database = await open(await directory());
    await expect(database.commit(batch(2))).rejects.toThrow('on top of');
  });

  it('is refused for another chain and while somebody has it open', async () => {
    const path = await directory();
    await open(path);
    await expect(open(path)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' });
    for (const cleanup of cleanups.splice(1).reverse()) await cleanup();
    await expect(open(path, named('other'))).rejects.toMatchObject({ code: 'DATABASE_GENESIS' });
    await open(path);
  });
});
