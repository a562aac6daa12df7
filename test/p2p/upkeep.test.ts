import { expect, it } from 'vitest';
import { type Guest, givesWay } from '../../src/p2p/upkeep.ts';

const guests = (...addresses: string[]): Guest[] =>
  addresses.map((address, i) => ({ peer: `peer ${i}`, address }));

it('lets the latest guest of the most crowded address give way to one of another address', () => {
  const full = guests('crowd', 'alone', 'crowd', 'crowd', 'pair', 'pair');
  expect(givesWay(full, 'new')).toBe('peer 3');
  expect(givesWay(full, 'alone')).toBe('peer 3');
  expect(givesWay(full, 'pair')).toBeUndefined();
  expect(givesWay(full, 'crowd')).toBeUndefined();
});

it('lets nobody give way who came alone, nor to and fro', () => {
  expect(givesWay(guests('a', 'b', 'c'), 'new')).toBeUndefined();
  expect(givesWay(guests('a', 'a', 'b'), 'b')).toBeUndefined();
  expect(givesWay([], 'new')).toBeUndefined();
});
