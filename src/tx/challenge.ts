/**
 * Storage challenges (docs/protocol.md §4.8): from genesis hash, nonce, tag and *all* the data comes a seed,
 * from the seed the claim key pair, so a signature by the claim key shows that its maker had all the data
 * after it knew the nonce. The nonce is hashed before the data. After it (as the 2014 proposal has it), a
 * hash state taken at the end of the data would answer every later challenge without the data.
 */
import { type Bytes, u64 } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { ProtocolError } from '../codec/errors.ts';
import { hashStream, type StreamingHash, sha256 } from '../codec/hash.ts';
import { NONCE_BYTES, TAG_BYTES } from './types.ts';

const SECRET_BYTES = 32;

function expectBytes(bytes: Bytes, length: number, what: string): void {
  if (bytes.length !== length) {
    throw new ProtocolError('CHALLENGE_INVALID', `${what} has ${length} bytes, not ${bytes.length}`);
  }
}

/**
 * The seed of one challenge, over data that arrives in chunks of any size. Holds one hash state, however
 * long the data is. `seed = SHA-256(tag ‖ genesis hash ‖ nonce ‖ blob tag ‖ u64 length ‖ data)`.
 */
export class ChallengeHasher {
  readonly #hash: StreamingHash;
  readonly #length: number;
  #seen = 0;

  /**
   * `length` is the number of bytes that will come, a safe integer. Throws `BLOB_EMPTY` when that is zero
   * and `CHALLENGE_INVALID` when a part has the wrong length.
   */
  constructor(genesisHash: Bytes, nonce: Bytes, tag: Bytes, length: number) {
    expectBytes(genesisHash, 32, 'the genesis hash');
    expectBytes(nonce, NONCE_BYTES, 'a nonce');
    expectBytes(tag, TAG_BYTES, 'a tag');
    if (length === 0) throw new ProtocolError('BLOB_EMPTY', 'there is nothing to prove about an empty blob');
    if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`not a length: ${length}`);
    this.#length = length;
    this.#hash = hashStream()
      .update(DOMAIN.challenge)
      .update(genesisHash)
      .update(nonce)
      .update(tag)
      .update(u64(length));
  }

  /** The next bytes of the data, which may be reused afterwards. Throws `BLOB_LENGTH` when there are too many. */
  update(chunk: Bytes): this {
    this.#seen += chunk.length;
    if (this.#seen > this.#length) this.#refuse();
    this.#hash.update(chunk);
    return this;
  }

  /** The 32-byte seed. Throws `BLOB_LENGTH` when bytes are missing. */
  finish(): Bytes {
    if (this.#seen !== this.#length) this.#refuse();
    return this.#hash.digest();
  }

  #refuse(): never {
    throw new ProtocolError(
      'BLOB_LENGTH',
      `the blob was said to have ${this.#length} bytes and gave ${this.#seen}`,
    );
  }
}

/** The seed of a challenge over data in memory; `ChallengeHasher` in one call, with its errors. */
export function challengeSeed(genesisHash: Bytes, nonce: Bytes, tag: Bytes, data: Bytes): Bytes {
  return new ChallengeHasher(genesisHash, nonce, tag, data.length).update(data).finish();
}

/**
 * The nonce of precomputed challenge `index` of a blob: SHA-256(tag ‖ secret ‖ blob tag ‖ u64 index). Whoever
 * keeps the secret and the claim keys can post these challenges after having forgotten the blob; whoever
 * does not know the secret cannot tell a nonce in advance.
 */
export function precomputedNonce(secret: Bytes, tag: Bytes, index: number): Bytes {
  expectBytes(secret, SECRET_BYTES, 'a secret');
  expectBytes(tag, TAG_BYTES, 'a tag');
  return sha256(DOMAIN.challengeNonce, secret, tag, u64(index));
}
