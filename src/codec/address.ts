/**
 * Addresses as people see them: an address is an Ed25519 public key of 32 bytes, its text form is bech32m
 * (BIP 350) with the prefix `kry`. Only lower case is accepted, so an address has one text form.
 */
import { bech32m } from '@scure/base';
import type { Bytes } from './bytes.ts';
import { ProtocolError } from './errors.ts';

const PREFIX = 'kry';

export function encodeAddress(publicKey: Bytes): string {
  if (publicKey.length !== 32) throw new RangeError('an address has 32 bytes');
  return bech32m.encode(PREFIX, bech32m.toWords(publicKey), 90);
}

/** The 32 bytes of an address. Throws `ADDRESS_INVALID` with the reason. */
export function decodeAddress(text: string): Bytes {
  const refuse = (why: string): never => {
    throw new ProtocolError('ADDRESS_INVALID', `"${text.slice(0, 100)}" is not an address: ${why}`);
  };
  if (text !== text.toLowerCase()) return refuse('addresses are written in lower case');
  try {
    const { prefix, words } = bech32m.decode(text as `${string}1${string}`, 90);
    if (prefix !== PREFIX) return refuse(`it begins with "${prefix}1", expected "${PREFIX}1"`);
    const bytes = bech32m.fromWords(words);
    if (bytes.length !== 32) return refuse(`it holds ${bytes.length} bytes instead of 32`);
    return bytes;
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    return refuse(error instanceof Error ? error.message : String(error));
  }
}
