/**
 * The part of the strict Ed25519 rule (docs/protocol.md §3) that libraries disagree on, decided once from the
 * bytes alone, before any curve arithmetic: lengths, S < L, and A and R canonical and not of small order.
 * What is left to a backend is the equation, which must be the cofactorless one of RFC 8032 §5.1.7:
 * R = [S]B − [k]A with k = SHA-512(R ‖ A ‖ M) mod L, compared as encodings.
 */
import { type Bytes, fromHex } from '../codec/bytes.ts';

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** The order L = 2^252 + 27742317777372353535851937790883648493 of the base point, little-endian. */
const ORDER = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');

/**
 * The five y-coordinates, little-endian, of the eight points whose order divides 8. The sign bit is not
 * compared, so both signs are refused, also where x = 0 and only one of them is an encoding at all.
 */
const SMALL_ORDER_Y: readonly Bytes[] = [
  // order 4: x = ±√−1
  fromHex('0000000000000000000000000000000000000000000000000000000000000000'),
  // order 1, the identity: x = 0
  fromHex('0100000000000000000000000000000000000000000000000000000000000000'),
  // order 8
  fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
  // order 8
  fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
  // order 2: x = 0, y = p − 1
  fromHex('ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'),
];

/** y < p = 2^255 − 19 for the 32 bytes at `at`, the sign bit apart. */
function isCanonicalY(bytes: Bytes, at: number): boolean {
  if ((bytes[at + 31]! & 0x7f) !== 0x7f) return true;
  for (let i = 30; i > 0; i--) if (bytes[at + i]! !== 0xff) return true;
  return bytes[at]! < 0xed;
}

function isSmallOrderY(bytes: Bytes, at: number): boolean {
  for (const y of SMALL_ORDER_Y) {
    let i = 0;
    while (i < 31 && bytes[at + i] === y[i]) i++;
    if (i === 31 && (bytes[at + 31]! & 0x7f) === y[31]) return true;
  }
  return false;
}

/** S < L for the 32 bytes at `at`. */
function isCanonicalScalar(bytes: Bytes, at: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const d = bytes[at + i]! - ORDER[i]!;
    if (d !== 0) return d < 0;
  }
  return false;
}

/** Whether the rule allows these 32 bytes as a public key, as far as that shows without the curve equation. */
export function publicKeyPrecheck(publicKey: Bytes): boolean {
  return publicKey.length === PUBLIC_KEY_BYTES && isCanonicalY(publicKey, 0) && !isSmallOrderY(publicKey, 0);
}

/** Everything in the strict rule but the equation. False is a final verdict. Never throws. */
export function strictPrecheck(signature: Bytes, publicKey: Bytes): boolean {
  return (
    signature.length === SIGNATURE_BYTES &&
    publicKeyPrecheck(publicKey) &&
    isCanonicalScalar(signature, 32) &&
    isCanonicalY(signature, 0) &&
    !isSmallOrderY(signature, 0)
  );
}
