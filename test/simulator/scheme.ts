/**
 * Signatures of a run: keyed hashes, which are cheap and just as unforgeable for an adversary that plays by
 * the simulator's interfaces, or real Ed25519.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { type Bytes, concat, equal, keyOf, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { SignatureVerifier, SigningKey } from '../../src/crypto/interfaces.ts';

export interface Scheme {
  readonly keys: readonly SigningKey[];
  readonly verifier: SignatureVerifier;
}

export function keyedHashScheme(count: number, name: string): Scheme {
  const secrets = new Map<string, Bytes>();
  const mac = (secret: Bytes, message: Bytes): Bytes => {
    const digest = sha256(secret, message);
    return concat(digest, digest);
  };
  const keys = Array.from({ length: count }, (_, index): SigningKey => {
    const secret = sha256(utf8(`${name}/${index}`));
    const publicKey = sha256(secret);
    secrets.set(keyOf(publicKey), secret);
    return { publicKey, sign: (message) => mac(secret, message) };
  });
  const verifier: SignatureVerifier = {
    name: 'keyed hash',
    verify(signature, message, publicKey) {
      const secret = secrets.get(keyOf(publicKey));
      return secret !== undefined && equal(signature, mac(secret, message));
    },
  };
  return { keys, verifier };
}

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export function ed25519Scheme(count: number, name: string): Scheme {
  const keys = Array.from({ length: count }, (_, index): SigningKey => {
    const seed = sha256(utf8(`${name}/${index}`));
    const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
    const jwk = createPublicKey(key).export({ format: 'jwk' });
    return {
      publicKey: new Uint8Array(Buffer.from(jwk.x ?? '', 'base64url')),
      sign: (message) => new Uint8Array(sign(null, message, key)),
    };
  });
  const publicKeys = new Map(
    keys.map(({ publicKey }) => {
      const x = Buffer.from(publicKey).toString('base64url');
      return [keyOf(publicKey), createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })];
    }),
  );
  const verifier: SignatureVerifier = {
    name: 'ed25519',
    verify(signature, message, publicKey) {
      const key = publicKeys.get(keyOf(publicKey));
      return key !== undefined && signature.length === 64 && verify(null, message, key, signature);
    },
  };
  return { keys, verifier };
}
