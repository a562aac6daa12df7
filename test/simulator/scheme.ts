/**
 * Signatures of a run: keyed hashes, which are cheap and just as unforgeable for an adversary that plays by
 * the simulator's interfaces, or real Ed25519.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { type Bytes, equal, keyOf, utf8, writeU32 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { SignatureVerifier, SigningKey } from '../../src/crypto/interfaces.ts';

export interface Scheme {
  readonly keys: readonly SigningKey[];
  readonly verifier: SignatureVerifier;
}

const SIGNATURE_BYTES = 64;

/** The last signature that was computed: it is compared far more often than it is kept. */
const computed = new Uint8Array(SIGNATURE_BYTES);

/**
 * Leaves 64 bytes in `computed` that depend on every bit of secret and message: four multiplicative lanes that take a
 * word at a time, then stretched. Not a cryptographic hash. Nobody in a run looks for collisions, and none comes about
 * by chance.
 */
function mac(secret: Uint32Array, message: Bytes): void {
  let [a, b, c, d] = [secret[0]! ^ message.length, secret[1]!, secret[2]!, secret[3]!];
  for (let i = 0; i < message.length; i += 4) {
    // What lies beyond the end counts as zero; the length is in the first lane.
    const word =
      message[i]! |
      ((message[i + 1] ?? 0) << 8) |
      ((message[i + 2] ?? 0) << 16) |
      ((message[i + 3] ?? 0) << 24);
    a = Math.imul(a ^ word, 0x9e37_79b1);
    b = Math.imul(b ^ (word + (a >>> 17)), 0x5f35_6495);
    c = Math.imul(c + word, 0x85eb_ca6b) ^ (a >>> 15);
    d = Math.imul(d + word, 0xc2b2_ae35) ^ (b >>> 13);
  }
  for (let i = 0; i < SIGNATURE_BYTES; i += 4) {
    a = Math.imul(a ^ (d >>> 16), 0x85eb_ca6b) + secret[4 + ((i >> 2) & 3)]!;
    b = Math.imul(b ^ (a >>> 13), 0xc2b2_ae35);
    c = Math.imul(c ^ (b >>> 16), 0x9e37_79b1);
    d = Math.imul(d ^ (c >>> 15), 0x27d4_eb2f);
    writeU32(computed, i, a ^ b ^ c ^ d);
  }
}

export function keyedHashScheme(count: number, name: string): Scheme {
  const secrets = new Map<string, Uint32Array>();
  const byObject = new WeakMap<Bytes, Uint32Array>();
  const keys = Array.from({ length: count }, (_, index): SigningKey => {
    const seed = sha256(utf8(`${name}/${index}`));
    const secret = new Uint32Array(seed.slice().buffer);
    const publicKey = sha256(seed);
    secrets.set(keyOf(publicKey), secret);
    const sign = (message: Bytes): Bytes => {
      mac(secret, message);
      return computed.slice();
    };
    return { publicKey, sign };
  });
  const secretOf = (publicKey: Bytes): Uint32Array | undefined => {
    const known = byObject.get(publicKey);
    if (known !== undefined) return known;
    const secret = secrets.get(keyOf(publicKey));
    if (secret !== undefined) byObject.set(publicKey, secret);
    return secret;
  };
  const verifier: SignatureVerifier = {
    name: 'keyed hash',
    verify(signature, message, publicKey) {
      const secret = secretOf(publicKey);
      if (secret === undefined || signature.length !== SIGNATURE_BYTES) return false;
      mac(secret, message);
      return equal(computed, signature);
    },
  };
  return { keys, verifier };
}

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Real keys. The same signature comes to every machine of the run, so verdicts are remembered. */
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
  const verdicts = new Map<string, boolean>();
  const verifier: SignatureVerifier = {
    name: 'ed25519',
    verify(signature, message, publicKey) {
      const name = keyOf(publicKey);
      const key = publicKeys.get(name);
      if (key === undefined || signature.length !== SIGNATURE_BYTES) return false;
      const question = name + keyOf(signature) + keyOf(message);
      let verdict = verdicts.get(question);
      if (verdict === undefined) {
        verdict = verify(null, message, key, signature);
        verdicts.set(question, verdict);
      }
      return verdict;
    },
  };
  return { keys, verifier };
}
