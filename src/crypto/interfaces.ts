/**
 * What the pure rooms need of Ed25519. Every `SignatureVerifier` gives the same verdict for the same bytes,
 * the strict rule of docs/protocol.md §3: 64-byte signature, canonical S, canonical A and R that are not of
 * small order, cofactorless equation. Implementations on native libraries live in src/node/crypto.
 */
import type { Bytes } from '../codec/bytes.ts';

export interface SignatureVerifier {
  readonly name: string;
  /** The strict verdict; never throws, whatever the lengths and contents of its arguments are. */
  verify(signature: Bytes, message: Bytes, publicKey: Bytes): boolean;
}

export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Bytes;
  /** A 64-byte Ed25519 signature (RFC 8032). */
  sign(message: Bytes): Bytes;
}
