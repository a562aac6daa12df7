import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/codec/bytes.ts';
import { publicKeyOf, type SigningKeyFactory, signingKey } from '../../src/crypto/keys.ts';
import { nobleVerifier } from '../../src/crypto/noble.ts';
import { publicKeyPrecheck, strictPrecheck } from '../../src/crypto/strict.ts';
import { nodeSigningKey, nodeVerifier } from '../../src/node/crypto/node.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import { sodiumSigningKeys, sodiumVerifier } from '../../src/node/crypto/sodium.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const factories: [string, () => SigningKeyFactory][] = [
  ['noble', () => signingKey],
  ['node', () => nodeSigningKey],
  ['sodium', sodiumSigningKeys],
  ['the selected one', selectSigningKeys],
];

describe.each(factories)('signing keys of %s', (_, open) => {
  test('RFC 8032 §7.1, test 2', () => {
    const key = open()(fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'));
    expect(toHex(key.publicKey)).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    expect(toHex(key.sign(Uint8Array.of(0x72)))).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
  });

  test('are the same as the portable ones, and what they sign is valid', () => {
    const make = open();
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 300 }),
        (seed, message) => {
          const key = make(seed);
          expect(key.publicKey).toEqual(publicKeyOf(seed));
          const signature = key.sign(message);
          expect(signature).toEqual(signingKey(seed).sign(message));
          expect(nobleVerifier.verify(signature, message, key.publicKey)).toBe(true);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('do not follow a seed that is changed later, and refuse another length', () => {
    const seed = new Uint8Array(32).fill(5);
    const key = open()(seed);
    const before = key.sign(Uint8Array.of(1));
    seed.fill(6);
    expect(key.sign(Uint8Array.of(1))).toEqual(before);
    expect(() => open()(new Uint8Array(31))).toThrow(code('KEY_INVALID'));
    expect(() => open()(new Uint8Array(64))).toThrow(code('KEY_INVALID'));
  });
});

describe('verifiers', () => {
  const key = signingKey(new Uint8Array(32).fill(1));
  const message = new Uint8Array(100).fill(2);
  const signature = key.sign(message);
  const shared = (bytes: Uint8Array) => {
    const out = new Uint8Array(new SharedArrayBuffer(bytes.length));
    out.set(bytes);
    return out;
  };

  test.each([
    ['sodium', sodiumVerifier()],
    ['node', nodeVerifier()],
    ['noble', nobleVerifier],
  ])('%s reads shared memory and views into larger buffers', (_, verifier) => {
    expect(verifier.verify(shared(signature), shared(message), shared(key.publicKey))).toBe(true);
    const wrong = shared(message);
    wrong[0]! ^= 1;
    expect(verifier.verify(shared(signature), wrong, shared(key.publicKey))).toBe(false);
    const all = new Uint8Array(200);
    all.set(signature, 3);
    all.set(key.publicKey, 67);
    all.set(message, 99);
    expect(verifier.verify(all.subarray(3, 67), all.subarray(99, 199), all.subarray(67, 99))).toBe(true);
  });

  test('node keeps its verdicts when its keys are evicted', () => {
    const verifier = nodeVerifier(2);
    const keys = [1, 2, 3, 4].map((byte) => signingKey(new Uint8Array(32).fill(byte)));
    const offCurve = fromHex('0200000000000000000000000000000000000000000000000000000000000000');
    for (let round = 0; round < 3; round++) {
      for (const k of keys) {
        expect(verifier.verify(k.sign(message), message, k.publicKey)).toBe(true);
        expect(verifier.verify(signature, message, k.publicKey)).toBe(k === keys[0]);
        expect(verifier.verify(signature, message, offCurve)).toBe(false);
      }
    }
  });

  test('are chosen by name, or the fastest', () => {
    for (const name of ['sodium', 'node', 'noble']) expect(selectVerifier(name).name).toBe(name);
    expect(selectVerifier().name).toBe('sodium');
    expect(() => selectVerifier('openssl')).toThrow(code('SIGNATURE_BACKEND_UNKNOWN'));
  });
});

describe('the precheck', () => {
  const key = signingKey(new Uint8Array(32).fill(1));
  const signature = key.sign(new Uint8Array(0));
  const p = 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f';
  const order = 'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010';

  test('has its edges where the numbers are', () => {
    expect(publicKeyPrecheck(fromHex(p))).toBe(false);
    expect(publicKeyPrecheck(fromHex(p.replace('edff', 'ebff')))).toBe(true);
    expect(publicKeyPrecheck(fromHex(p.replace('edff', 'ecff')))).toBe(false);
    expect(publicKeyPrecheck(fromHex(p.replace('edffff', 'edfffe')))).toBe(true);
    const withS = (s: string) => fromHex(toHex(signature.subarray(0, 32)) + s);
    expect(strictPrecheck(withS(order), key.publicKey)).toBe(false);
    expect(strictPrecheck(withS(order.replace('edd3', 'ecd3')), key.publicKey)).toBe(true);
    expect(strictPrecheck(withS('00'.repeat(32)), key.publicKey)).toBe(true);
    expect(strictPrecheck(withS('ff'.repeat(32)), key.publicKey)).toBe(false);
  });
});
