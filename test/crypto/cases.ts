/**
 * Signatures in all the shapes on which Ed25519 libraries disagree, each with the verdict of the strict rule.
 *
 * The verdict comes from how a case was made, not from any verifier. With T a point of order 8, key and
 * commitment are A = aB + iT and R = rB + jT, and S = r + ka mod L. Then [S]B − [k]A = R − (j + ki)T, so the
 * cofactorless equation holds exactly if j + ki ≡ 0 mod 8, k being the reduced challenge, and the cofactored
 * one always. A is of small order exactly if a = 0, R exactly if r = 0.
 */
import { Point } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { type Bytes, concat, fromHex, toHex, u64, utf8 } from '../../src/codec/bytes.ts';

export interface SignatureCase {
  readonly name: string;
  readonly publicKey: Bytes;
  readonly message: Bytes;
  readonly signature: Bytes;
  readonly valid: boolean;
}

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const FIELD = 2n ** 255n - 19n;

function littleEndian(bytes: Bytes): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`);
}

function toLittleEndian(value: bigint): Bytes {
  return fromHex(value.toString(16).padStart(64, '0')).reverse();
}

/** A point of order 8: what is left of any point with a full torsion part when [L] is applied to it. */
const TORSION = ((): Point => {
  for (let y = 2n; ; y++) {
    let point: Point;
    try {
      point = Point.fromBytes(toLittleEndian(y));
    } catch {
      continue;
    }
    const torsion = point.multiply(ORDER - 1n, false).add(point);
    if (!torsion.double().double().is0()) return torsion;
  }
})();

function combine(scalar: number, torsion: number): Point {
  return Point.BASE.multiply(BigInt(scalar), false).add(TORSION.multiply(BigInt(torsion), false));
}

/** Every encoding of a point that a lenient decoder might take: y or y + p, and both signs where x = 0. */
function encodings(point: Point): { bytes: Bytes; canonical: boolean }[] {
  const { x, y } = point.toAffine();
  const out: { bytes: Bytes; canonical: boolean }[] = [];
  for (const value of y + FIELD < 2n ** 255n ? [y, y + FIELD] : [y]) {
    for (const sign of x === 0n ? [0n, 1n] : [x & 1n]) {
      const bytes = toLittleEndian(value + (sign << 255n));
      out.push({ bytes, canonical: value === y && sign === (x & 1n) });
    }
  }
  return out;
}

interface Term {
  readonly scalar: number;
  readonly torsion: number;
  readonly bytes: Bytes;
  readonly canonical: boolean;
}

/** Encodings of s·B + t·T for each scalar and all eight t. */
function terms(scalars: readonly number[]): Term[] {
  return scalars.flatMap((scalar) =>
    [0, 1, 2, 3, 4, 5, 6, 7].flatMap((torsion) =>
      encodings(combine(scalar, torsion)).map((encoding) => ({ scalar, torsion, ...encoding })),
    ),
  );
}

function craft(name: string, a: Term, r: Term, message: Bytes): SignatureCase {
  const k = littleEndian(sha512(concat(r.bytes, a.bytes, message))) % ORDER;
  const s = (BigInt(r.scalar) + k * BigInt(a.scalar)) % ORDER;
  const equation = (BigInt(r.torsion) + k * BigInt(a.torsion)) % 8n === 0n;
  const valid = equation && a.canonical && r.canonical && a.scalar !== 0 && r.scalar !== 0;
  return { name, publicKey: a.bytes, message, signature: concat(r.bytes, toLittleEndian(s)), valid };
}

function* counted(prefix: string): Generator<Bytes, never> {
  for (let n = 0; ; n++) yield concat(utf8(prefix), u64(n));
}

/** Keys and commitments with every torsion part, small-order ones in every encoding among them. */
export function torsionCases(keyScalars: number, nonceScalars: number): SignatureCase[] {
  const keys = terms(Array.from({ length: keyScalars }, (_, n) => n * 7_919));
  const nonces = terms(Array.from({ length: nonceScalars }, (_, n) => n * 104_729));
  const messages = counted('torsion');
  return keys.flatMap((a) =>
    nonces.map((r) =>
      craft(`A=${a.scalar}B+${a.torsion}T R=${r.scalar}B+${r.torsion}T`, a, r, messages.next().value),
    ),
  );
}

/** Every encoding of every small-order point as key, and as R, where the equation holds for one in eight. */
export function smallOrderCases(scalars: number): SignatureCase[] {
  const small = terms([0]);
  const others = terms(Array.from({ length: scalars }, (_, n) => n * 611_953));
  const messages = counted('small order');
  return small.flatMap((point) =>
    others.flatMap((other) => [
      craft('A of small order', point, other, messages.next().value),
      craft('R of small order', other, point, messages.next().value),
    ]),
  );
}

/** Honest signatures, one case each: these are what the other generators spoil. */
export function honestCases(count: number): SignatureCase[] {
  const keys = terms([31, 37, 41, 43]).filter((term) => term.torsion === 0);
  const nonces = terms([47, 53, 59, 61, 67]).filter((term) => term.torsion === 0);
  const messages = counted('honest');
  return Array.from({ length: count }, (_, n) =>
    craft(`honest ${n}`, keys[n % keys.length]!, nonces[n % nonces.length]!, messages.next().value),
  );
}

/** S + L, S + 2L, … as long as it fits: the same residue, another encoding. */
export function unreducedCases(count: number): SignatureCase[] {
  return honestCases(count).flatMap((honest, n) => {
    const s = littleEndian(honest.signature.subarray(32)) + ORDER * BigInt(1 + (n % 14));
    const signature = concat(honest.signature.subarray(0, 32), toLittleEndian(s));
    return [{ ...honest, name: `S+${1 + (n % 14)}L`, signature, valid: false }];
  });
}

/** The 38 strings with y ≥ p, as key and as R: nothing that they encode may be accepted. */
export function nonCanonicalCases(rounds: number): SignatureCase[] {
  const strings: Bytes[] = [];
  for (let y = FIELD; y < 2n ** 255n; y++) {
    strings.push(toLittleEndian(y), toLittleEndian(y + (1n << 255n)));
  }
  return honestCases(strings.length * rounds).flatMap((honest, n) => {
    const bytes = strings[n % strings.length]!;
    const signature = concat(bytes, honest.signature.subarray(32));
    return [
      { ...honest, name: `A=${toHex(bytes)}`, publicKey: bytes, valid: false },
      { ...honest, name: `R=${toHex(bytes)}`, signature, valid: false },
    ];
  });
}

/** Every wrong length up to 80 for the signature and up to 48 for the key. */
export function lengthCases(): SignatureCase[] {
  const [honest] = honestCases(1);
  const resize = (bytes: Bytes, length: number): Bytes => {
    const out = new Uint8Array(length);
    out.set(bytes.subarray(0, length));
    return out;
  };
  const out: SignatureCase[] = [];
  for (let length = 0; length <= 80; length++) {
    if (length === 64) continue;
    const signature = resize(honest!.signature, length);
    out.push({ ...honest!, name: `signature of ${length}`, signature, valid: false });
  }
  for (let length = 0; length <= 48; length++) {
    if (length === 32) continue;
    const publicKey = resize(honest!.publicKey, length);
    out.push({ ...honest!, name: `key of ${length}`, publicKey, valid: false });
  }
  return out;
}

/** Honest signatures with one bit of signature, key or message turned. */
export function flippedCases(count: number): SignatureCase[] {
  return honestCases(count).map((honest, n) => {
    const flip = (bytes: Bytes, at: number): Bytes => {
      const out = bytes.slice();
      out[at >> 3]! ^= 1 << (at & 7);
      return out;
    };
    const part = n % 3;
    if (part === 0) {
      const signature = flip(honest.signature, (n * 37) % 512);
      return { ...honest, name: 'signature bit', signature, valid: false };
    }
    if (part === 1) {
      return { ...honest, name: 'key bit', publicKey: flip(honest.publicKey, (n * 41) % 256), valid: false };
    }
    const message = flip(honest.message, (n * 43) % (honest.message.length * 8));
    return { ...honest, name: 'message bit', message, valid: false };
  });
}

/** Keys that are no point of the curve. */
export function offCurveCases(count: number): SignatureCase[] {
  const strings: Bytes[] = [];
  for (let y = 2n; strings.length < count; y++) {
    const bytes = toLittleEndian(y);
    try {
      Point.fromBytes(bytes);
    } catch {
      strings.push(bytes);
    }
  }
  return honestCases(count).flatMap((honest, n) => {
    const signature = concat(strings[n]!, honest.signature.subarray(32));
    return [
      { ...honest, name: 'A off the curve', publicKey: strings[n]!, valid: false },
      { ...honest, name: 'R off the curve', signature, valid: false },
    ];
  });
}
