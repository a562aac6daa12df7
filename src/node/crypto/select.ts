/**
 * Chooses the signature backend of a process: by name, or the fastest that is there. A backend that does not
 * load is passed over; one that loads and disagrees with the rule stops the process (`selfTest`).
 */
import { isProtocolError, ProtocolError } from '../../codec/errors.ts';
import type { SignatureVerifier } from '../../crypto/interfaces.ts';
import type { SigningKeyFactory } from '../../crypto/keys.ts';
import { nobleVerifier } from '../../crypto/noble.ts';
import { nodeSigningKey, nodeVerifier } from './node.ts';
import { selfTest } from './selftest.ts';
import { sodiumSigningKeys, sodiumVerifier } from './sodium.ts';

/** Fastest first. */
export const SIGNATURE_BACKENDS = ['sodium', 'node', 'noble'] as const;
type SignatureBackend = (typeof SIGNATURE_BACKENDS)[number];

function isBackend(name: string): name is SignatureBackend {
  return (SIGNATURE_BACKENDS as readonly string[]).includes(name);
}

function open(name: SignatureBackend): SignatureVerifier {
  const verifier = name === 'sodium' ? sodiumVerifier() : name === 'node' ? nodeVerifier() : nobleVerifier;
  selfTest(verifier);
  return verifier;
}

/**
 * The verifier called `name`, or the fastest one that loads; `report` hears why one was passed over. Throws
 * `SIGNATURE_BACKEND_UNKNOWN`, `SIGNATURE_BACKEND_MISSING` (only for a name) or `SIGNATURE_BACKEND_DISAGREES`.
 */
export function selectVerifier(
  name?: string,
  report: (reason: string) => void = () => {},
): SignatureVerifier {
  if (name !== undefined) {
    if (isBackend(name)) return open(name);
    throw new ProtocolError(
      'SIGNATURE_BACKEND_UNKNOWN',
      `"${name.slice(0, 40)}" is not a signature backend: choose ${SIGNATURE_BACKENDS.join(', ')}`,
    );
  }
  for (const candidate of SIGNATURE_BACKENDS) {
    try {
      return open(candidate);
    } catch (error) {
      if (!isProtocolError(error, 'SIGNATURE_BACKEND_MISSING')) throw error;
      report(error.message);
    }
  }
  return open('noble');
}

/** The fastest maker of signing keys that loads; all of them make the same signatures. */
export function selectSigningKeys(): SigningKeyFactory {
  try {
    return sodiumSigningKeys();
  } catch (error) {
    if (!isProtocolError(error, 'SIGNATURE_BACKEND_MISSING')) throw error;
    return nodeSigningKey;
  }
}
