/**
 * The steward's way to its copy: takes the blob that an advert offers, checks length and SHA-256 while it
 * streams to disk, and keeps nothing that is not the blob. An advert is anybody's word, so this steward follows
 * it only to the hosts that it was told to (127.0.0.1 otherwise) and takes no more than the advert says and the
 * disk holds.
 */
import { open, rename, rm, statfs } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { type Bytes, equal, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { hashStream } from '../codec/hash.ts';
import { requestOf } from './blob-server.ts';
import { request } from './http.ts';

const SILENCE_MS = 30_000;

export interface Wanted {
  /** SHA-256 of the blob. */
  readonly tag: Bytes;
  readonly size: bigint;
  /** UTF-8 of an http URL on one of `hosts`. */
  readonly offer: Bytes;
  /** Host names that are asked; 127.0.0.1 when it is not given. */
  readonly hosts?: readonly string[];
  /** Where the steward wants to be paid. */
  readonly steward: Bytes;
}

function refuse(code: string, message: string): never {
  throw new ProtocolError(code, message);
}

/** The URL of an offer. Throws `OFFER_UNUSABLE`. */
function urlOf({ offer, steward, hosts = ['127.0.0.1'] }: Wanted): URL {
  const text = new TextDecoder().decode(offer);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const usable =
    url?.protocol === 'http:' && url.username === '' && url.password === '' && hosts.includes(url.hostname);
  return usable
    ? requestOf(text, steward)
    : refuse('OFFER_UNUSABLE', `the offer is no http URL on ${hosts.join(' or ')}`);
}

/** Streams an answer to `path`, never more than `length` bytes; returns what its bytes hash to. */
async function store(answer: IncomingMessage, path: string, length: number): Promise<Bytes> {
  const hash = hashStream();
  const file = await open(path, 'w', 0o600);
  try {
    let seen = 0;
    for await (const chunk of answer as AsyncIterable<Bytes>) {
      seen += chunk.length;
      if (seen > length) refuse('BLOB_LENGTH', `more than the ${length} bytes of the advert came`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    if (seen < length) refuse('BLOB_LENGTH', `${seen} of ${length} bytes came`);
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest();
}

/**
 * Takes the blob and puts it at `path`. Throws `OFFER_UNUSABLE`, `BLOB_TOO_LARGE`, `BLOB_REFUSED`, `BLOB_LENGTH`
 * or `BLOB_MISMATCH`, and leaves nothing behind then.
 */
export async function fetchBlob(wanted: Wanted, path: string, signal: AbortSignal): Promise<void> {
  const url = urlOf(wanted);
  const { bavail, bsize } = await statfs(dirname(path), { bigint: true });
  if (wanted.size < 1n || wanted.size > bavail * bsize || wanted.size > BigInt(Number.MAX_SAFE_INTEGER)) {
    refuse('BLOB_TOO_LARGE', `a blob of ${wanted.size} bytes is not taken: ${bavail * bsize} bytes are free`);
  }
  const answer = await request(url, { signal, silenceMs: SILENCE_MS });
  if (answer.statusCode !== 200) {
    answer.destroy();
    refuse('BLOB_REFUSED', `the owner answered ${answer.statusCode}`);
  }
  const part = `${path}.part`;
  try {
    const hash = await store(answer, part, Number(wanted.size));
    if (!equal(hash, wanted.tag)) refuse('BLOB_MISMATCH', `SHA-256 is ${toHex(hash)}, not the tag`);
    await rename(part, path);
  } catch (error) {
    answer.destroy();
    await rm(part, { force: true });
    throw error;
  }
}
