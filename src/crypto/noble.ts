/**
 * The portable verifier: pure JavaScript on the point arithmetic of `@noble/ed25519`, for browsers and for
 * machines without a native library (about 450 verifications a second). The library's own `verify` is
 * cofactored, even with `zip215: false`, and so accepts what libsodium refuses; only its points are used
 * here, the rule is ours.
 */
import { Point } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { type Bytes, equal } from '../codec/bytes.ts';
import type { SignatureVerifier } from './interfaces.ts';
import { strictPrecheck } from './strict.ts';

const ORDER = Point.CURVE().n;

function littleEndian(bytes: Bytes): bigint {
  let v = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) v = (v << 8n) | BigInt(bytes[i]!);
  return v;
}

function decodePoint(bytes: Bytes): Point | undefined {
  try {
    return Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

export const nobleVerifier: SignatureVerifier = {
  name: 'noble',
  verify(signature, message, publicKey) {
    if (!strictPrecheck(signature, publicKey)) return false;
    const a = decodePoint(publicKey);
    if (a === undefined) return false;
    const r = signature.subarray(0, 32);
    const s = littleEndian(signature.subarray(32));
    const k = littleEndian(sha512.create().update(r).update(publicKey).update(message).digest()) % ORDER;
    // k is reduced before it meets A, as everywhere: with a torsion component in A the product depends on it.
    const expected = Point.BASE.multiply(s, false).subtract(a.multiply(k, false));
    return equal(expected.toBytes(), r);
  },
};
