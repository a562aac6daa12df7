/**
 * Ed25519 key pairs from 32-byte seeds (RFC 8032 §5.1.5), portable. A seed is the whole secret; where it
 * comes from (a random source, a key file, a challenge) is the caller's business. Signing is deterministic,
 * so every implementation gives the same 64 bytes; the node has a faster one.
 */
import { getPublicKey, hashes, sign } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { SigningKey } from './interfaces.ts';

hashes.sha512 = sha512;

export const SEED_BYTES = 32;

/** Makes a `SigningKey` of a seed; how fast it signs is up to the implementation. */
export type SigningKeyFactory = (seed: Bytes) => SigningKey;

/** Throws `KEY_INVALID` unless `seed` has 32 bytes. */
export function checkSeed(seed: Bytes): void {
  if (seed.length !== SEED_BYTES) {
    throw new ProtocolError('KEY_INVALID', `a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  }
}

/** The public key of a seed: 32 bytes. */
export function publicKeyOf(seed: Bytes): Bytes {
  checkSeed(seed);
  return getPublicKey(seed);
}

/** The portable `SigningKey`. Keeps a copy of the seed. Throws `KEY_INVALID`. */
export const signingKey: SigningKeyFactory = (seed) => {
  checkSeed(seed);
  const secret = seed.slice();
  return {
    publicKey: getPublicKey(secret),
    sign: (message) => sign(message, secret),
  };
};
