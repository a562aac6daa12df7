/**
 * How a seed is sealed with a passphrase: scrypt makes a key of it, ChaCha20-Poly1305 encrypts under that key
 * and authenticates everything else that the file says. The cost of scrypt stands in the file and is bounded
 * before anything is computed, since the file may be anybody's.
 *
 * The default, N = 2^17, r = 8, p = 1, takes 128 MiB and about 0.4 s of one core: what OWASP recommends for
 * passwords, unnoticed once at a node's start, and dear for who has to guess.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { type Bytes, concat, plain, utf8 } from '../../codec/bytes.ts';

export interface ScryptCost {
  /** A power of two. Memory is 128·r·(n + p) bytes, work n·r·p. */
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

export const DEFAULT_COST: ScryptCost = { n: 2 ** 17, r: 8, p: 1 };

const MAX_MEMORY = 256 * 1024 ** 2;
/** Eight times the default's. */
const MAX_WORK = 2 ** 23;
/** Blocks that are hashed before and after the work proper, r·p of them: 32 times the default's. */
const MAX_BLOCKS = 2 ** 8;

export const SALT_BYTES = 32;
export const NONCE_BYTES = 12;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const CIPHER = 'chacha20-poly1305';
const CONTEXT = utf8('kryder/key-file/2');

export interface Sealed {
  readonly cost: ScryptCost;
  readonly salt: Bytes;
  readonly nonce: Bytes;
  /** Ciphertext and, at its end, the 16 bytes of the tag. */
  readonly box: Bytes;
}

export const sealedBytes = (length: number): number => length + TAG_BYTES;

/** True for costs that a file may ask for. */
export function costIsBearable({ n, r, p }: ScryptCost): boolean {
  const whole = [n, r, p].every((value) => Number.isSafeInteger(value) && value >= 1 && value <= 2 ** 24);
  return (
    whole &&
    n >= 2 &&
    Number.isInteger(Math.log2(n)) &&
    Math.log2(n) < 16 * r && // a rule of scrypt's own
    r * p <= MAX_BLOCKS &&
    128 * r * (n + p) <= MAX_MEMORY &&
    n * r * p <= MAX_WORK
  );
}

function deriveKey(passphrase: string, salt: Bytes, { n, r, p }: ScryptCost): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    const maxmem = 128 * r * (n + p + 2) + 1024;
    scrypt(utf8(passphrase), salt, KEY_BYTES, { N: n, r, p, maxmem }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function associated({ cost, salt }: Pick<Sealed, 'cost' | 'salt'>, bound: Bytes): Bytes {
  const numbers = new Uint8Array(12);
  const view = new DataView(numbers.buffer);
  view.setUint32(0, cost.n);
  view.setUint32(4, cost.r);
  view.setUint32(8, cost.p);
  return concat(CONTEXT, numbers, salt, bound);
}

/** Seals `secret`; `bound` must be the same bytes when it is opened. */
export async function seal(
  secret: Bytes,
  passphrase: string,
  bound: Bytes,
  cost: ScryptCost,
): Promise<Sealed> {
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
  const key = await deriveKey(passphrase, salt, cost);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated({ cost, salt }, bound), { plaintextLength: secret.length });
  const text = concat(cipher.update(secret), cipher.final());
  return { cost, salt, nonce, box: concat(text, cipher.getAuthTag()) };
}

/** Gives the secret, or undefined: a wrong passphrase and a changed file look the same. */
export async function unseal(sealed: Sealed, passphrase: string, bound: Bytes): Promise<Bytes | undefined> {
  const key = await deriveKey(passphrase, sealed.salt, sealed.cost);
  const length = sealed.box.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, sealed.nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated(sealed, bound), { plaintextLength: length });
  decipher.setAuthTag(sealed.box.subarray(length));
  const secret = decipher.update(sealed.box.subarray(0, length));
  try {
    return plain(concat(secret, decipher.final()));
  } catch {
    return undefined;
  }
}
