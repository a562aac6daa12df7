/**
 * A database with any row damaged or missing. What the next start reads (state, tip, the blocks of the replay
 * window, the certificate that consensus goes on from) is checked against hashes and signatures, and the start fails with a
 * code; what is read later is checked where it is used. Damage of its own never makes a node judge anybody else.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bytes, equal, toHex } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import type { Chain } from '../../src/node/chain.ts';
import { DatabaseDamage } from '../../src/storage/damage.ts';
import type { ChainDatabase } from '../../src/storage/database.ts';
import { grow, startOn } from './chain.ts';

let directory = '';
let rows: [Bytes, Bytes][] = [];
let healthy = '';

/** What later questions are answered with. */
async function knowledge(chain: Chain, database: ChainDatabase): Promise<string> {
  const heights = [1, 2, 3];
  const blocks = heights.map((height) => chain.block(height)!);
  return JSON.stringify([
    toHex(chain.tip.hash),
    toHex(chain.state.root),
    blocks.map(({ hash, bytes }) => [toHex(bytes), database.heightOf(hash)]),
    heights.map((height) => toHex(database.finality(height)!)),
    [1, 3, 5].map((view) => toHex(database.nullification(view)!)),
  ]);
}

async function write(changes: readonly (readonly [Bytes, Bytes | undefined])[]): Promise<void> {
  const db = new ClassicLevel<Bytes, Bytes>(directory, { keyEncoding: 'view', valueEncoding: 'view' });
  for (const [key, value] of changes) await (value === undefined ? db.del(key) : db.put(key, value));
  await db.close();
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kryder-hostile-db-'));
  healthy = await startOn(directory, async (chain, database) => {
    for (let i = 0; i < 3; i++) await grow(chain);
    return knowledge(chain, database);
  });
  const db = new ClassicLevel<Bytes, Bytes>(directory, { keyEncoding: 'view', valueEncoding: 'view' });
  rows = (await db.iterator().all()).map(([key, value]) => [Uint8Array.from(key), Uint8Array.from(value)]);
  await db.close();
});
afterAll(() => rm(directory, { recursive: true }));

async function outcome(): Promise<string> {
  try {
    return (await startOn(directory, knowledge)) === healthy ? 'the same' : 'another answer';
  } catch (error) {
    if (error instanceof DatabaseDamage || error instanceof ProtocolError) return error.code;
    throw error;
  }
}

const BUCKETS = ['meta', 'state', 'block', 'height', 'transaction', 'finality', 'nullification'];

describe('a database', () => {
  it('is read again as it was written', async () => {
    expect(await outcome()).toBe('the same');
    expect(new Set(rows.map(([key]) => key[0]!)).size).toBe(BUCKETS.length);
  });

  it('with any row damaged does not start, or the damage is in an index that is asked later', async () => {
    const found = new Map<string, Set<string>>();
    for (const [key, value] of rows) {
      const places = new Set([0, value.length >> 1, value.length - 1]);
      for (const at of places) {
        const broken = value.slice();
        broken[at]! ^= 0x11;
        await write([[key, broken]]);
        const bucket = BUCKETS[key[0]!]!;
        found.set(bucket, (found.get(bucket) ?? new Set()).add(await outcome()));
      }
      await write([[key, value]]);
    }
    expect(Object.fromEntries([...found].map(([bucket, codes]) => [bucket, [...codes].sort()]))).toEqual({
      meta: ['DATABASE_CORRUPT', 'DATABASE_FORMAT', 'DATABASE_GENESIS'],
      state: ['DATABASE_CORRUPT'],
      block: ['DATABASE_CORRUPT'],
      height: ['another answer'],
      transaction: ['the same'],
      finality: ['DATABASE_CORRUPT', 'another answer'],
      nullification: ['another answer'],
    });
    expect(await outcome()).toBe('the same');
  }, 60_000);

  it('with a row missing does not start, unless others have what it held', async () => {
    for (const [key, value] of rows) {
      const bucket = BUCKETS[key[0]!]!;
      if (!['state', 'block'].includes(bucket)) continue;
      await write([[key, undefined]]);
      expect(await outcome(), `${bucket} ${toHex(key)}`).toBe('DATABASE_CORRUPT');
      await write([[key, value]]);
    }
  }, 60_000);

  it('that rots while the node runs stops the node, and makes no block invalid', async () => {
    const owner = rows.find(([key, value]) => key[0] === 1 && key[1] === 1 && value.length > 3)!;
    await expect(
      startOn(directory, async (chain, database) => {
        const get = database.get.bind(database);
        database.get = (key) => (equal(key, owner[0].subarray(1)) ? Uint8Array.of(0x91, 0xc0) : get(key));
        await grow(chain);
      }),
    ).rejects.toThrow(DatabaseDamage);
  });
});
