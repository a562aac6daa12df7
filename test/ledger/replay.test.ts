import { describe, expect, it } from 'vitest';
import { keyOf } from '../../src/codec/bytes.ts';
import { HashIndex } from '../../src/ledger/hash-index.ts';
import { ReplayMemory } from '../../src/ledger/replay.ts';
import { generator, named } from './support.ts';

const key = (name: string | number, validUntil: number) => ({ validUntil, replayKey: named(name) });

describe('hash indexes', () => {
  it('are exact through their growth', () => {
    const set = new HashIndex();
    for (let i = 0; i < 5_000; i++) expect(set.insert(named(i))).toBe(i);
    for (let i = 0; i < 5_000; i++) expect(set.insert(named(i))).toBe(i);
    for (let i = 0; i < 5_000; i++)
      expect([set.has(named(i)), set.has(named(-1 - i))]).toEqual([true, false]);
    expect(set.size).toBe(5_000);
  });

  it('tell keys apart that differ in one bit only', () => {
    const set = new HashIndex();
    const base = named('base');
    set.insert(base);
    for (let bit = 0; bit < 256; bit++) {
      const other = base.slice();
      other[bit >> 3]! ^= 1 << (bit & 7);
      expect(set.has(other)).toBe(false);
      set.insert(other);
    }
    expect(set.size).toBe(257);
    expect(() => set.has(base.subarray(1))).toThrow(/32 bytes/);
  });
});

describe('the replay memory', () => {
  it('remembers to the last height at which a key could come again, and no longer', () => {
    const memory = new ReplayMemory();
    memory.add(1, [key('a', 5), key('b', 1)]);
    expect(memory.size).toBe(1);
    memory.add(4, []);
    expect(memory.has(5, named('a'))).toBe(true);
    memory.add(5, []);
    expect(memory.has(5, named('a'))).toBe(false);
    expect(memory.size).toBe(0);
    expect(() => memory.add(4, [])).toThrow(/order/);
  });

  it('keeps forks apart and loses nothing when their root becomes final', () => {
    const memory = new ReplayMemory();
    const a = memory.child([key('a', 9)]);
    const b = memory.child([key('b', 9)]);
    const aa = memory.child([key('aa', 9)], a);
    const aaa = memory.child([key('aaa', 9)], aa);
    const sees = (view: { has(v: number, k: Uint8Array): boolean }): string[] =>
      ['a', 'b', 'aa', 'aaa'].filter((name) => view.has(9, named(name)));
    expect([memory, a, b, aa, aaa].map(sees)).toEqual([[], ['a'], ['b'], ['a', 'aa'], ['a', 'aa', 'aaa']]);
    expect(() => memory.finalise(aa, 1)).toThrow(/order/);
    memory.finalise(a, 1);
    expect(() => memory.finalise(a, 1)).toThrow(/once/);
    expect([memory, aa, aaa].map(sees)).toEqual([['a'], ['a', 'aa'], ['a', 'aa', 'aaa']]);
    memory.finalise(aa, 2);
    expect([memory, aaa].map(sees)).toEqual([
      ['a', 'aa'],
      ['a', 'aa', 'aaa'],
    ]);
  });

  it('agrees with a plain set over a long random history with forks', () => {
    const next = generator(3);
    const memory = new ReplayMemory();
    const past = new Map<string, number>();
    let serial = 0;
    for (let height = 1; height <= 300; height++) {
      const fresh = Array.from({ length: next(20) }, () => key(serial++, height + next(12)));
      memory.child([key(`rival ${height}`, height + 3)]);
      const overlay = memory.child(fresh);
      memory.finalise(overlay, height);
      for (const { validUntil, replayKey } of fresh) past.set(keyOf(replayKey), validUntil);
      for (const [text, validUntil] of past) if (validUntil <= height) past.delete(text);
      expect(memory.size).toBe(past.size);
      const probe = named(Math.max(0, serial - next(100)));
      const validUntil = past.get(keyOf(probe));
      expect(memory.has(validUntil ?? height + 1, probe)).toBe(validUntil !== undefined);
      expect(memory.has(height + 3, named(`rival ${height}`))).toBe(false);
    }
  });
});
