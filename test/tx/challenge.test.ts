import { appendFileSync, truncateSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { concat, toHex, u64, utf8 } from '../../src/codec/bytes.ts';
import { installHashBackend, nobleHashBackend, sha256 } from '../../src/codec/hash.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import {
  challengeSeedOfFile,
  challengeSeedsOfFile,
  precomputeChallenges,
  tagOfFile,
} from '../../src/node/challenge-file.ts';
import { ChallengeHasher, challengeSeed, precomputedNonce } from '../../src/tx/challenge.ts';
import { DATA, filled, GENESIS, NONCE, TAG } from './golden.ts';

const code = (name: string) => expect.objectContaining({ code: name });

describe('challenge derivation', () => {
  test('a fixed one', () => {
    expect({
      seed: toHex(challengeSeed(GENESIS, NONCE, TAG, DATA)),
      claimKey: toHex(signingKey(challengeSeed(GENESIS, NONCE, TAG, DATA)).publicKey),
      nonce7: toHex(precomputedNonce(filled(0x55), TAG, 7)),
    }).toMatchInlineSnapshot(`
      {
        "claimKey": "601c429869eba6088129ba07f269d0f851bac3269948177029e015632444dda1",
        "nonce7": "b873cd61b95cbdadf4c8034cc9dd8807fc2b1260c93a00d69f913ca763ccc44c",
        "seed": "db7c04cfd946b6926e1a110f1d7174d708ae076c9d21b03703042374aec9c0c2",
      }
    `);
  });

  test('is the hash that the specification writes down', () => {
    const preimage = concat(utf8('kryder/challenge/1'), GENESIS, NONCE, TAG, u64(DATA.length), DATA);
    expect(challengeSeed(GENESIS, NONCE, TAG, DATA)).toEqual(sha256(preimage));
    expect(precomputedNonce(filled(5), TAG, 9)).toEqual(
      sha256(utf8('kryder/challenge-nonce/1'), filled(5), TAG, u64(9)),
    );
  });

  test('does not depend on how the data is cut', () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 100 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(chunks, (parts) => {
        const data = concat(...parts);
        fc.pre(data.length > 0);
        const hasher = new ChallengeHasher(GENESIS, NONCE, TAG, data.length);
        for (const part of parts) hasher.update(part);
        expect(hasher.finish()).toEqual(challengeSeed(GENESIS, NONCE, TAG, data));
      }),
    );
  });

  test('depends on every part', () => {
    const seeds = [
      challengeSeed(GENESIS, NONCE, TAG, DATA),
      challengeSeed(filled(1), NONCE, TAG, DATA),
      challengeSeed(GENESIS, filled(1), TAG, DATA),
      challengeSeed(GENESIS, NONCE, filled(1), DATA),
      challengeSeed(GENESIS, NONCE, TAG, DATA.subarray(1)),
      challengeSeed(GENESIS, NONCE, TAG, concat(DATA, Uint8Array.of(0))),
    ];
    expect(new Set(seeds.map(toHex)).size).toBe(seeds.length);
  });

  test('refuses nothing, too little and too much data, and parts of wrong length', () => {
    expect(() => challengeSeed(GENESIS, NONCE, TAG, new Uint8Array(0))).toThrow(code('BLOB_EMPTY'));
    expect(() => new ChallengeHasher(GENESIS, NONCE, TAG, 3).update(filled(0, 2)).finish()).toThrow(
      code('BLOB_LENGTH'),
    );
    expect(() => new ChallengeHasher(GENESIS, NONCE, TAG, 3).update(filled(0, 4))).toThrow(
      code('BLOB_LENGTH'),
    );
    for (const bad of [-1, 1.5, 2 ** 53]) {
      expect(() => new ChallengeHasher(GENESIS, NONCE, TAG, bad)).toThrow(RangeError);
    }
    expect(() => challengeSeed(GENESIS, filled(1, 31), TAG, DATA)).toThrow(code('CHALLENGE_INVALID'));
    expect(() => challengeSeed(filled(1, 33), NONCE, TAG, DATA)).toThrow(code('CHALLENGE_INVALID'));
    expect(() => precomputedNonce(filled(1, 16), TAG, 0)).toThrow(code('CHALLENGE_INVALID'));
  });
});

describe('challenges of files', () => {
  let dir: string;
  let armed = false;
  const path = (name: string) => join(dir, name);
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kryder challenge ü '));
  });
  afterAll(() => rm(dir, { recursive: true }));

  test.each([1, 63, 64, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2_500_000])('%s bytes', async (length) => {
    const data = new Uint8Array(length).map((_, i) => (i * 2_654_435_761) >>> 13);
    await writeFile(path('blob'), data);
    expect(await tagOfFile(path('blob'))).toEqual({ tag: sha256(data), length });
    expect(await challengeSeedOfFile(path('blob'), GENESIS, TAG, NONCE)).toEqual(
      challengeSeed(GENESIS, NONCE, TAG, data),
    );
  });

  test('many challenges in one pass, from a secret', async () => {
    await writeFile(path('many'), DATA);
    const nonces = [1, 2, 3].map((byte) => filled(byte));
    expect(await challengeSeedsOfFile(path('many'), GENESIS, TAG, nonces)).toEqual(
      nonces.map((nonce) => challengeSeed(GENESIS, nonce, TAG, DATA)),
    );
    const secret = filled(0x55);
    const kept = await precomputeChallenges(path('many'), GENESIS, TAG, secret, 10, 5, signingKey);
    expect(kept.map(({ index }) => index)).toEqual([10, 11, 12, 13, 14]);
    for (const { index, claimKey } of kept) {
      const nonce = precomputedNonce(secret, TAG, index);
      expect(claimKey).toEqual(signingKey(challengeSeed(GENESIS, nonce, TAG, DATA)).publicKey);
    }
    for (const count of [0, 1.5, 10_001]) {
      await expect(
        precomputeChallenges(path('many'), GENESIS, TAG, secret, 0, count, signingKey),
      ).rejects.toThrow(code('CHALLENGE_INVALID'));
    }
  });

  test('an empty file, a folder and no file at all are refused', async () => {
    await writeFile(path('empty'), '');
    await expect(tagOfFile(path('empty'))).rejects.toThrow(code('BLOB_EMPTY'));
    await expect(tagOfFile(dir)).rejects.toThrow(code('BLOB_UNREADABLE'));
    await expect(tagOfFile(path('absent'))).rejects.toThrow(code('BLOB_NOT_FOUND'));
  });

  test.each<[string, (file: string) => void]>([
    ['grows', (file) => appendFileSync(file, 'more')],
    ['shrinks', (file) => truncateSync(file, 2_000_000)],
    ['is emptied', (file) => truncateSync(file, 0)],
  ])('a file that %s while it is read is refused', async (_, change) => {
    const file = path('changing');
    await writeFile(file, new Uint8Array(4_000_000));
    // The hash of a challenge begins when the length is known and before the first byte is read.
    installHashBackend({
      ...nobleHashBackend,
      stream: () => {
        if (armed) change(file);
        return nobleHashBackend.stream();
      },
    });
    armed = true;
    try {
      await expect(challengeSeedOfFile(file, GENESIS, TAG, NONCE)).rejects.toThrow(code('BLOB_CHANGED'));
    } finally {
      armed = false;
      installHashBackend(nobleHashBackend);
    }
  });
});
