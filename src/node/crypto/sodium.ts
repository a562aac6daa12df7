/**
 * The fast backend: libsodium through `sodium-native`. The strict prechecks run here too, so that the verdict
 * rests on libsodium for the equation alone, whatever release is installed; and they catch the length that
 * its binding does not (it accepts signatures longer than 64 bytes).
 */
import { createRequire } from 'node:module';
import type { Bytes } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import type { SignatureVerifier } from '../../crypto/interfaces.ts';
import { checkSeed, type SigningKeyFactory } from '../../crypto/keys.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, strictPrecheck } from '../../crypto/strict.ts';
import { unshared } from './unshared.ts';

/** What is used of `sodium-native`, which brings no types. */
interface Sodium {
  crypto_sign_seed_keypair(publicKey: Bytes, secretKey: Bytes, seed: Bytes): void;
  crypto_sign_detached(signature: Bytes, message: Bytes, secretKey: Bytes): void;
  crypto_sign_verify_detached(signature: Bytes, message: Bytes, publicKey: Bytes): boolean;
}

const SECRET_KEY_BYTES = 64;
/** Loaded when it is first wanted, so that a machine without the native library can say so and go on. */
const require = createRequire(import.meta.url);

let loaded: Sodium | undefined;

function load(): Sodium {
  if (loaded === undefined) {
    try {
      loaded = require('sodium-native') as Sodium;
    } catch (error) {
      throw new ProtocolError(
        'SIGNATURE_BACKEND_MISSING',
        `sodium-native does not load on this machine: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  return loaded;
}

/** The verifier on libsodium. Throws `SIGNATURE_BACKEND_MISSING` where the native library does not load. */
export function sodiumVerifier(): SignatureVerifier {
  const sodium = load();
  return {
    name: 'sodium',
    verify(signature, message, publicKey) {
      if (!strictPrecheck(signature, publicKey)) return false;
      return sodium.crypto_sign_verify_detached(unshared(signature), unshared(message), unshared(publicKey));
    },
  };
}

/** Makes signing keys on libsodium. Throws `SIGNATURE_BACKEND_MISSING`; the keys throw `KEY_INVALID`. */
export function sodiumSigningKeys(): SigningKeyFactory {
  const sodium = load();
  return (seed) => {
    checkSeed(seed);
    const publicKey = new Uint8Array(PUBLIC_KEY_BYTES);
    const secretKey = new Uint8Array(SECRET_KEY_BYTES);
    sodium.crypto_sign_seed_keypair(publicKey, secretKey, unshared(seed));
    return {
      publicKey,
      sign(message) {
        const signature = new Uint8Array(SIGNATURE_BYTES);
        sodium.crypto_sign_detached(signature, unshared(message), secretKey);
        return signature;
      },
    };
  };
}
