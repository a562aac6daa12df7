import { verify as nobleVerify } from '@noble/ed25519';
import { beforeAll, describe, expect, test } from 'vitest';
import { fromHex } from '../../src/codec/bytes.ts';
import type { SignatureVerifier } from '../../src/crypto/interfaces.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { nobleVerifier } from '../../src/crypto/noble.ts';
import { nodeVerifier } from '../../src/node/crypto/node.ts';
import { SELF_TEST_ROWS, selfTest } from '../../src/node/crypto/selftest.ts';
import { sodiumVerifier } from '../../src/node/crypto/sodium.ts';
import {
  flippedCases,
  honestCases,
  lengthCases,
  nonCanonicalCases,
  offCurveCases,
  type SignatureCase,
  smallOrderCases,
  torsionCases,
  unreducedCases,
} from './cases.ts';

const families: Record<string, () => SignatureCase[]> = {
  torsion: () => torsionCases(8, 8),
  unreduced: () => unreducedCases(2_000),
  'non-canonical': () => nonCanonicalCases(20),
  'small order': () => smallOrderCases(8),
  lengths: lengthCases,
  flipped: () => flippedCases(480),
  'off the curve': () => offCurveCases(60),
  honest: () => honestCases(120),
};

const backends: [string, () => SignatureVerifier][] = [
  ['sodium', sodiumVerifier],
  ['node', nodeVerifier],
  ['noble', () => nobleVerifier],
];

describe('one verdict from every backend', () => {
  let cases: SignatureCase[];
  beforeAll(() => {
    // noble's own `verify` needs its hash wired, which the key module does.
    signingKey(new Uint8Array(32));
    cases = Object.values(families).flatMap((family) => family());
  });

  test('there are at least 10,000 cases, valid and invalid ones', () => {
    expect(cases.length).toBeGreaterThanOrEqual(10_000);
    expect(cases.filter((c) => c.valid).length).toBeGreaterThan(450);
    expect(cases.filter((c) => !c.valid).length).toBeGreaterThan(8_000);
  });

  test.each(backends)('%s judges every case by the strict rule', (_, open) => {
    const verifier = open();
    const wrong = cases
      .filter((c) => verifier.verify(c.signature, c.message, c.publicKey) !== c.valid)
      .map((c) => c.name);
    expect(wrong).toEqual([]);
  });

  test('a cofactored verifier would accept many of the refused ones', () => {
    const refused = torsionCases(2, 2).filter((c) => !c.valid);
    const cofactored = refused.filter((c) => nobleVerify(c.signature, c.message, c.publicKey));
    expect(cofactored.length).toBe(refused.length);
  });
});

describe('the start-up self-test', () => {
  test.each(backends)('passes on %s', (_, open) => {
    selfTest(open());
  });

  test('every row matters: a backend that errs on it alone is refused', () => {
    for (const [name, publicKey, message, signature, valid] of SELF_TEST_ROWS) {
      const key = fromHex(publicKey);
      const liar: SignatureVerifier = {
        name: 'liar',
        verify(s, m, p) {
          const honest = nobleVerifier.verify(s, m, p);
          const same = [s, m, p].every((bytes, i) =>
            bytes.every((b, at) => b === [fromHex(signature), fromHex(message), key][i]![at]),
          );
          const whole = s.length * 2 === signature.length && p.length === key.length;
          return same && whole && m.length * 2 === message.length ? !honest : honest;
        },
      };
      expect(() => selfTest(liar), name).toThrow(
        expect.objectContaining({
          code: 'SIGNATURE_BACKEND_DISAGREES',
          message: expect.stringContaining(`${valid ? 'refuses' : 'accepts'} what`),
        }),
      );
    }
  });

  test('refuses the equation alone, which is what cofactored libraries do', () => {
    const cofactored: SignatureVerifier = {
      name: 'zip215',
      verify(signature, message, publicKey) {
        try {
          return nobleVerify(signature, message, publicKey);
        } catch {
          return false;
        }
      },
    };
    expect(() => selfTest(cofactored)).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_BACKEND_DISAGREES' }),
    );
  });
});
