/**
 * SHA-256, the chain's only hash, behind a backend that can be exchanged. The default is portable
 * (`@noble/hashes`); the node installs a faster one. All backends compute the same function, which
 * `installHashBackend` checks before it accepts one, so the choice can never change a result.
 */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { type Bytes, equal, utf8 } from './bytes.ts';

export interface StreamingHash {
  update(chunk: Bytes): StreamingHash;
  digest(): Bytes;
}

export interface HashBackend {
  readonly name: string;
  /** SHA-256 of the concatenation of `parts`: 32 fresh bytes. */
  sha256(...parts: readonly Bytes[]): Bytes;
  /**
   * Hashes `input.length / 64` pairs: the 64 bytes at 64·i become the 32 bytes at 32·i of `output`. `input`
   * and `output` do not overlap.
   */
  hashPairs(input: Bytes, output: Bytes): void;
  /** An incremental hash, for data that does not fit in memory. */
  stream(): StreamingHash;
}

export const nobleHashBackend: HashBackend = {
  name: 'noble',
  sha256(...parts) {
    if (parts.length === 1) return nobleSha256(parts[0]!);
    const h = nobleSha256.create();
    for (const part of parts) h.update(part);
    return h.digest();
  },
  hashPairs(input, output) {
    for (let i = 0; i * 64 < input.length; i++) {
      output.set(nobleSha256(input.subarray(64 * i, 64 * i + 64)), 32 * i);
    }
  },
  stream() {
    const h = nobleSha256.create();
    const stream: StreamingHash = {
      update(chunk) {
        h.update(chunk);
        return stream;
      },
      digest: () => h.digest(),
    };
    return stream;
  },
};

let backend: HashBackend = nobleHashBackend;

/** Replaces the backend for this thread. Throws if it disagrees with the portable one on a self-test. */
export function installHashBackend(candidate: HashBackend): void {
  const sample = utf8('kryder hash self-test, one byte longer than a block of sixty-four bytes');
  const pairs = new Uint8Array(192).map((_, i) => (i * 7 + 3) & 0xff);
  const want = new Uint8Array(96);
  const got = new Uint8Array(96);
  nobleHashBackend.hashPairs(pairs, want);
  candidate.hashPairs(pairs, got);
  const agrees =
    equal(candidate.sha256(sample), nobleSha256(sample)) &&
    equal(candidate.sha256(sample.subarray(0, 9), sample.subarray(9)), nobleSha256(sample)) &&
    equal(candidate.stream().update(sample).digest(), nobleSha256(sample)) &&
    equal(got, want);
  if (!agrees) throw new Error(`hash backend ${candidate.name} does not compute SHA-256`);
  backend = candidate;
}

export function sha256(...parts: readonly Bytes[]): Bytes {
  return backend.sha256(...parts);
}

/** Throws a `RangeError` unless `input` holds whole pairs and `output` has room for their hashes. */
export function hashPairs(input: Bytes, output: Bytes): void {
  if (input.length % 64 !== 0 || output.length * 2 < input.length) {
    throw new RangeError(`${input.length} bytes of pairs into ${output.length} bytes of hashes`);
  }
  backend.hashPairs(input, output);
}

export function hashStream(): StreamingHash {
  return backend.stream();
}

export const ZERO_HASH: Bytes = new Uint8Array(32);
