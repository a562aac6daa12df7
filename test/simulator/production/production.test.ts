/** The production block application under seeded trouble, the store that it dies over, and that the checks can fail. */
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/codec/bytes.ts';
import { installNodeHash } from '../../../src/node/hash.ts';
import { Prng } from '../prng.ts';
import { Scheduler } from '../scheduler.ts';
import { runProduction } from './run.ts';
import { CrashStore } from './store.ts';

beforeAll(() => void installNodeHash());

describe('a run', () => {
  it.each([1, 2, 3])('of seed %i breaks nothing, and goes on after its troubles', async (seed) => {
    const { violations, stuck, transactions, recounts, blocks } = await runProduction(seed);
    expect(violations).toEqual([]);
    expect(stuck).toBeUndefined();
    expect(transactions).toBeGreaterThan(20);
    expect(recounts).toBeGreaterThanOrEqual(blocks);
  });

  it('is a function of its seed', async () => {
    const [first, again] = [await runProduction(0), await runProduction(0)];
    expect(again).toEqual(first);
  });

  it('over stores that forget what they had synced is found out', async () => {
    const found: string[] = [];
    for (let seed = 0; found.length === 0 && seed < 6; seed++) {
      found.push(...(await runProduction(seed, { forgetful: true })).violations);
    }
    expect(found.join('\n')).toMatch(/called height \d+ final and starts at|is missing|is damaged/);
  });
});

describe('the store', () => {
  const rowsOf = (store: CrashStore): string[] => {
    const at = store.open();
    return ['a', 'b', 'c'].map((name) => {
      const value = at.getSync(utf8(name));
      return value === undefined ? '' : toHex(value);
    });
  };

  it('keeps what was synced, all or nothing of what was on its way, and no hole before what it keeps', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const scheduler = new Scheduler();
      const store = new CrashStore(scheduler, new Prng(`store ${seed}`));
      const process = store.open();
      const write = (sync: boolean, ...names: string[]): Promise<void> => {
        const batch = process.batch();
        for (const name of names) batch.put(utf8(name), Uint8Array.of(seed));
        return batch.write({ sync });
      };
      const first = write(true, 'a');
      await scheduler.run(100, () => false);
      await first;
      await write(false, 'b');
      void write(true, 'c');
      store.crash();
      const rows = rowsOf(store).map((value) => (value === '' ? '-' : '+'));
      seen.add(rows.join(''));
    }
    expect([...seen].sort()).toEqual(['+++', '++-', '+--']);
  });

  it('reads a snapshot as it was, and rows in the order of their keys, both ways', async () => {
    const scheduler = new Scheduler();
    const store = new CrashStore(scheduler, new Prng('store'));
    const db = store.open();
    const batch = db.batch();
    for (const name of ['b', 'a', 'c']) batch.put(utf8(name), utf8(name));
    await batch.write({ sync: false });
    const snapshot = db.snapshot();
    const next = db.batch();
    next.del(utf8('b'));
    await next.write({ sync: false });
    expect(db.getSync(utf8('b'))).toBeUndefined();
    expect(db.getSync(utf8('b'), { snapshot })).toEqual(utf8('b'));
    const names: string[] = [];
    for await (const key of db.keys({ gte: utf8('a'), lte: utf8('c'), reverse: true, limit: 2 }))
      names.push(toHex(key));
    expect(names).toEqual(['63', '61']);
    expect(await db.iterator({ gte: utf8('a'), lt: utf8('c'), snapshot }).nextv(9)).toHaveLength(2);
  });
});
