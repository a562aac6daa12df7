/**
 * The fallback backend: OpenSSL through `node:crypto`. Node releases disagree about small-order keys (20 and
 * 22 accept an identity key for every message, 24 does not), so it is used behind the strict prechecks only;
 * after those its equation is the cofactorless one. Imported keys are kept, as importing one costs a
 * noticeable part of a verification.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { type Bytes, keyOf } from '../../codec/bytes.ts';
import type { SignatureVerifier } from '../../crypto/interfaces.ts';
import { publicKeyOf, type SigningKeyFactory } from '../../crypto/keys.ts';
import { strictPrecheck } from '../../crypto/strict.ts';
import { unshared } from './unshared.ts';

const CACHED_KEYS = 16_384;

function base64url(bytes: Bytes): string {
  return Buffer.from(bytes).toString('base64url');
}

/** Public keys by their bytes; the least recently used one goes first. Undefined: OpenSSL refuses the key. */
class KeyCache {
  readonly #keys = new Map<string, KeyObject | undefined>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(publicKey: Bytes): KeyObject | undefined {
    const name = keyOf(publicKey);
    const known = this.#keys.get(name);
    if (known !== undefined) {
      this.#keys.delete(name);
      this.#keys.set(name, known);
      return known;
    }
    if (this.#keys.has(name)) return undefined;
    let key: KeyObject | undefined;
    try {
      const jwk = { kty: 'OKP', crv: 'Ed25519', x: base64url(publicKey) };
      key = createPublicKey({ key: jwk, format: 'jwk' });
    } catch {
      key = undefined;
    }
    if (this.#keys.size >= this.#limit) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
    }
    this.#keys.set(name, key);
    return key;
  }
}

/** The verifier on OpenSSL, keeping at most `cachedKeys` imported keys. */
export function nodeVerifier(cachedKeys: number = CACHED_KEYS): SignatureVerifier {
  const cache = new KeyCache(cachedKeys);
  return {
    name: 'node',
    verify(signature, message, publicKey) {
      if (!strictPrecheck(signature, publicKey)) return false;
      const key = cache.get(publicKey);
      if (key === undefined) return false;
      try {
        return verify(null, unshared(message), key, unshared(signature));
      } catch {
        return false;
      }
    },
  };
}

/** Signing keys on OpenSSL. Throws `KEY_INVALID`. */
export const nodeSigningKey: SigningKeyFactory = (seed) => {
  const publicKey = publicKeyOf(seed);
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: base64url(publicKey), d: base64url(seed) };
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  return { publicKey, sign: (message) => new Uint8Array(sign(null, unshared(message), key)) };
};
