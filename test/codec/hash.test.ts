import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { concat } from '../../src/codec/bytes.ts';
import {
  type HashBackend,
  hashPairs,
  hashStream,
  installHashBackend,
  nobleHashBackend,
  sha256,
} from '../../src/codec/hash.ts';
import { installNodeHash, nodeHashBackend } from '../../src/node/hash.ts';

const reference = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());

describe.each<[string, () => HashBackend]>([
  ['portable', () => nobleHashBackend],
  ['native', () => nodeHashBackend()],
])('the %s hash backend', (_, make) => {
  afterEach(() => installHashBackend(nobleHashBackend));

  test('computes SHA-256 of parts, streams and pairs', () => {
    installHashBackend(make());
    const part = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const want = reference(concat(...parts));
        expect(sha256(...parts)).toEqual(want);
        const stream = hashStream();
        for (const p of parts) stream.update(p);
        expect(stream.digest()).toEqual(want);
      }),
    );
    const input = new Uint8Array(64 * 33).map((_, i) => i * 31);
    const output = new Uint8Array(32 * 33);
    hashPairs(input, output);
    for (let i = 0; i < 33; i++) {
      expect(output.subarray(32 * i, 32 * i + 32)).toEqual(reference(input.subarray(64 * i, 64 * i + 64)));
    }
  });

  test('takes long parts and shared memory, and gives fresh plain bytes', () => {
    installHashBackend(make());
    const long = new Uint8Array(40_000).fill(7);
    expect(sha256(long, long)).toEqual(reference(concat(long, long)));
    const shared = new Uint8Array(new SharedArrayBuffer(96)).fill(3);
    expect(sha256(shared)).toEqual(reference(new Uint8Array(96).fill(3)));
    const digest = sha256(long);
    digest.fill(0);
    expect(sha256(long)).toEqual(reference(long));
    expect(sha256(long).constructor).toBe(Uint8Array);
  });

  test('refuses half a pair and a short output', () => {
    installHashBackend(make());
    expect(() => hashPairs(new Uint8Array(65), new Uint8Array(64))).toThrow(RangeError);
    expect(() => hashPairs(new Uint8Array(128), new Uint8Array(63))).toThrow(RangeError);
  });
});

test('a backend that computes something else is not installed', () => {
  const wrong: HashBackend = {
    ...nobleHashBackend,
    name: 'wrong',
    hashPairs: (_, output) => void output.fill(1),
  };
  expect(() => installHashBackend(wrong)).toThrow('wrong does not compute SHA-256');
  expect(sha256(new Uint8Array(3))).toEqual(reference(new Uint8Array(3)));
});

test('the node installs a backend of its own', () => {
  expect(installNodeHash()).toMatch(/^node/);
  installHashBackend(nobleHashBackend);
});
