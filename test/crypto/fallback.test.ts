import { expect, test, vi } from 'vitest';
import { installHashBackend, nobleHashBackend } from '../../src/codec/hash.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import { nodeHashBackend } from '../../src/node/hash.ts';

vi.mock('node:module', () => ({
  createRequire: () => () => {
    throw new Error('no prebuilt library for this machine');
  },
}));

test('without the native signature library the next backend is taken, and the reason is told', () => {
  const reasons: string[] = [];
  const verifier = selectVerifier(undefined, (reason) => reasons.push(reason));
  expect(verifier.name).toBe('node');
  expect(reasons).toEqual([expect.stringContaining('no prebuilt library')]);
  const key = selectSigningKeys()(new Uint8Array(32).fill(1));
  const message = new Uint8Array(5);
  expect(key.sign(message)).toEqual(signingKey(new Uint8Array(32).fill(1)).sign(message));
  expect(verifier.verify(key.sign(message), message, key.publicKey)).toBe(true);
});

test('asked for by name, a missing library is an error', () => {
  expect(() => selectVerifier('sodium')).toThrow(
    expect.objectContaining({ code: 'SIGNATURE_BACKEND_MISSING' }),
  );
});

test('without the native hash tree, pairs are hashed one by one, and the reason is told', () => {
  const reasons: string[] = [];
  const backend = nodeHashBackend((reason) => reasons.push(reason));
  expect(backend.name).toBe('node');
  expect(reasons).toEqual([expect.stringContaining('no prebuilt library')]);
  // Installing it compares it with the portable one.
  installHashBackend(backend);
  installHashBackend(nobleHashBackend);
});
