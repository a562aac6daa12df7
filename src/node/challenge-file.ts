/**
 * Tags and challenges of files of any size, in constant memory: one pass through one reused buffer. A file
 * that is empty is refused, and so is one that changes its size while it is being read.
 */
import { open } from 'node:fs/promises';
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { hashStream } from '../codec/hash.ts';
import type { SigningKeyFactory } from '../crypto/keys.ts';
import { ChallengeHasher, precomputedNonce } from '../tx/challenge.ts';

const BUFFER_BYTES = 1 << 20;
/** Most challenges precomputed in one pass; each holds one hash state, and hashes the whole file. */
export const MAX_PRECOMPUTED = 10_000;

interface Sink {
  update(chunk: Bytes): void;
}

function fileError(error: unknown, path: string): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return new ProtocolError('BLOB_NOT_FOUND', `there is no file "${path}"`);
  if (code === 'EACCES' || code === 'EPERM') {
    return new ProtocolError('BLOB_UNREADABLE', `"${path}" may not be read`);
  }
  if (code === 'EISDIR') return new ProtocolError('BLOB_UNREADABLE', `"${path}" is a directory`);
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * Reads `path` once, from its first byte to its last, into what `begin` makes when it is told the length;
 * returns that length. Chunks are views of a buffer that the next read overwrites.
 */
async function pour(path: string, begin: (length: number) => Sink): Promise<number> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw fileError(error, path);
  });
  try {
    const before = await file.stat();
    if (!before.isFile()) throw new ProtocolError('BLOB_UNREADABLE', `"${path}" is not a regular file`);
    if (before.size === 0)
      throw new ProtocolError('BLOB_EMPTY', `"${path}" is empty: there is nothing to keep`);
    const changed = (now: number): never => {
      throw new ProtocolError(
        'BLOB_CHANGED',
        `"${path}" had ${before.size} bytes and has ${now} now: it changed while it was read`,
      );
    };
    const sink = begin(before.size);
    const buffer = new Uint8Array(Math.min(BUFFER_BYTES, before.size + 1));
    let seen = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, seen);
      if (bytesRead === 0) break;
      seen += bytesRead;
      if (seen > before.size) changed(seen);
      sink.update(buffer.subarray(0, bytesRead));
    }
    if (seen !== before.size) changed(seen);
    return seen;
  } catch (error) {
    throw fileError(error, path);
  } finally {
    await file.close();
  }
}

export interface FileTag {
  /** SHA-256 of the file. */
  readonly tag: Bytes;
  readonly length: number;
}

/** The tag of a file. Throws `BLOB_EMPTY`, `BLOB_NOT_FOUND`, `BLOB_UNREADABLE` or `BLOB_CHANGED`. */
export async function tagOfFile(path: string): Promise<FileTag> {
  const hash = hashStream();
  const length = await pour(path, () => hash);
  return { tag: hash.digest(), length };
}

/** The seeds of many challenges in one pass, in the order of `nonces`. Throws what `tagOfFile` throws. */
export async function challengeSeedsOfFile(
  path: string,
  genesisHash: Bytes,
  tag: Bytes,
  nonces: readonly Bytes[],
): Promise<Bytes[]> {
  const hashers: ChallengeHasher[] = [];
  await pour(path, (length) => {
    for (const nonce of nonces) hashers.push(new ChallengeHasher(genesisHash, nonce, tag, length));
    return {
      update(chunk) {
        for (const hasher of hashers) hasher.update(chunk);
      },
    };
  });
  return hashers.map((hasher) => hasher.finish());
}

/** The seed of one challenge of a file: what a steward derives its claim key from. */
export async function challengeSeedOfFile(
  path: string,
  genesisHash: Bytes,
  tag: Bytes,
  nonce: Bytes,
): Promise<Bytes> {
  const [seed] = await challengeSeedsOfFile(path, genesisHash, tag, [nonce]);
  return seed!;
}

export interface PrecomputedChallenge {
  readonly index: number;
  readonly claimKey: Bytes;
}

/**
 * Challenges `first` … `first + count − 1` of a file, whose nonces come from `secret`: what an owner keeps
 * who wants to forget the file. Throws `CHALLENGE_INVALID` for more than `MAX_PRECOMPUTED` at once.
 */
export async function precomputeChallenges(
  path: string,
  genesisHash: Bytes,
  tag: Bytes,
  secret: Bytes,
  first: number,
  count: number,
  keys: SigningKeyFactory,
): Promise<PrecomputedChallenge[]> {
  if (!Number.isSafeInteger(count) || count < 1 || count > MAX_PRECOMPUTED) {
    throw new ProtocolError(
      'CHALLENGE_INVALID',
      `1 to ${MAX_PRECOMPUTED} challenges in one pass, not ${count}`,
    );
  }
  const indexes = Array.from({ length: count }, (_, i) => first + i);
  const nonces = indexes.map((index) => precomputedNonce(secret, tag, index));
  const seeds = await challengeSeedsOfFile(path, genesisHash, tag, nonces);
  return indexes.map((index, i) => ({ index, claimKey: keys(seeds[i]!).publicKey }));
}
