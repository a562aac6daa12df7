/** Who is served when the workers are flooded: bodies first, then own users, and nobody is starved. */
import { afterEach, expect, it } from 'vitest';
import type { Bytes } from '../../src/codec/bytes.ts';
import { type Origin, type Priority, VerifyPool } from '../../src/node/verify-pool.ts';
import { GENESIS_HASH, PARAMETERS, pay, transfer } from '../ledger/support.ts';

const pools: VerifyPool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

function open(): VerifyPool {
  const pool = new VerifyPool({
    workers: 1,
    genesisHash: GENESIS_HASH,
    parameters: PARAMETERS,
    onFatal: (error) => {
      throw error;
    },
  });
  pools.push(pool);
  return pool;
}

const TX = transfer({ from: 'owner', outputs: [pay('somebody', 50_000n)], validUntil: 5 }).bytes;
const batch = (count: number): Bytes[] => Array<Bytes>(count).fill(TX);

it('serves bodies before all others, and the lanes of admission in turns', async () => {
  const pool = open();
  const done: Priority[] = [];
  const send = async (lane: Priority): Promise<void> => {
    await pool.check(batch(128), lane);
    done.push(lane);
  };
  // Two are in the worker before anything else can come.
  const all = [send('stranger'), send('stranger')];
  for (let i = 0; i < 20; i++) all.push(send('stranger'));
  for (let i = 0; i < 8; i++) all.push(send('own'), send('validator'));
  all.push(send('block'));
  await Promise.all(all);
  expect(done[2]).toBe('block');
  const turns = done.slice(3, 17);
  const count = (lane: Origin): number => turns.filter((each) => each === lane).length;
  expect([count('own'), count('validator'), count('stranger')]).toEqual([8, 4, 2]);
  expect(pool.load).toEqual({
    waiting: { block: 0, own: 0, validator: 0, stranger: 0 },
    inFlight: 0,
    done: 128 * all.length,
    refused: 0,
  });
});

it('refuses what passes the bounds of a lane, and leaves the other lanes alone', async () => {
  const pool = open();
  const flood = pool.check(batch(25_000), 'stranger');
  await expect(pool.check(batch(1), 'stranger')).rejects.toMatchObject({ code: 'VERIFY_BUSY' });
  expect((await pool.check(batch(1), 'own')).length).toBe(1);
  expect((await pool.check(batch(1), 'validator')).length).toBe(1);
  expect(pool.load.refused).toBe(1);
  expect(pool.load.waiting.stranger).toBeGreaterThan(10_000);
  const ended = expect(flood).rejects.toMatchObject({ code: 'VERIFY_CLOSED' });
  await pool.close();
  await ended;
});

it('lets the peers of a lane take turns, and none be shut out by others who fill it', async () => {
  const pool = open();
  const done: string[] = [];
  const send = async (peer: string, count = 128): Promise<void> => {
    await pool.check(batch(count), 'stranger', peer);
    done.push(peer);
  };
  const all = Array.from({ length: 195 }, () => send('flood'));
  await expect(send('flood', 257)).rejects.toMatchObject({ code: 'VERIFY_BUSY' });
  await expect(send('other', 257)).rejects.toMatchObject({ code: 'VERIFY_BUSY' });
  all.push(send('other'), send('other'));
  await expect(send('other', 1)).rejects.toMatchObject({ code: 'VERIFY_BUSY' });
  all.push(send('third', 1));
  await Promise.all(all);
  // Two of the flood's were in the worker.
  expect(done.slice(2, 7).sort()).toEqual(['flood', 'flood', 'other', 'other', 'third']);
  expect(pool.pending).toBe(0);
});
