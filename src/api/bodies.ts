/**
 * Bodies of requests. They are read under a bound of their own and one for all clients together, and looked at
 * before they are parsed: JSON may be deep or wide in far fewer bytes than it takes in memory, so one that has more
 * brackets or commas than the form allows is refused unread.
 */
import type { IncomingMessage } from 'node:http';
import { type Bytes, fromHex, plain } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import { MAX_TRANSACTION_BYTES } from '../tx/types.ts';
import type { Door } from './door.ts';

/** More than the form of any request has. */
const MAX_BRACKETS = 16;
const COMMA = 0x2c;
const BRACKETS = [0x5b, 0x7b];

function tooLarge(most: number): ProtocolError {
  return new ProtocolError(
    'BODY_TOO_LARGE',
    `such a body may have ${most} bytes; send it in parts, many transactions as a binary list`,
  );
}

/**
 * The whole body, of at most `most` bytes. Throws `BODY_TOO_LARGE`, `API_BUSY`, or `REQUEST_INVALID` when the client
 * goes away.
 */
export async function readBody(request: IncomingMessage, door: Door, most: number): Promise<Bytes> {
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLarge(most);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // destroying it would take the answer along
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > most) throw tooLarge(most);
      door.hold(request, size);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError('REQUEST_INVALID', 'the body was cut short');
  }
  return plain(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
}

function countUpTo(text: Buffer, byte: number, most: number): number {
  let count = 0;
  for (let at = text.indexOf(byte); at >= 0 && count <= most; at = text.indexOf(byte, at + 1)) count++;
  return count;
}

/** Transactions of `{"transactions": [hex, …]}`. Throws `REQUEST_INVALID` or `HEX_INVALID`. */
export function submittedJson(body: Bytes, most: number): Bytes[] {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const form = `expected {"transactions": [hex, …]} with at most ${most}`;
  const brackets = BRACKETS.reduce((sum, byte) => sum + countUpTo(text, byte, MAX_BRACKETS), 0);
  if (brackets > MAX_BRACKETS || countUpTo(text, COMMA, most + MAX_BRACKETS) > most + MAX_BRACKETS) {
    throw new ProtocolError('REQUEST_INVALID', form);
  }
  let json: unknown;
  try {
    json = JSON.parse(text.toString('utf8'));
  } catch {
    throw new ProtocolError('REQUEST_INVALID', 'the body is no JSON');
  }
  const list = (json as { transactions?: unknown } | null)?.transactions;
  if (!Array.isArray(list) || list.length > most) throw new ProtocolError('REQUEST_INVALID', form);
  return list.map((item: unknown) => {
    if (typeof item !== 'string' || item.length > 2 * MAX_TRANSACTION_BYTES) {
      throw new ProtocolError('REQUEST_INVALID', 'a transaction must be a string of hex');
    }
    return fromHex(item);
  });
}

/** Transactions of a canonical array of byte strings. Throws codec errors. */
export function submittedBinary(body: Bytes, most: number): Bytes[] {
  const r = new Reader(body);
  const out: Bytes[] = [];
  for (let n = r.array(0, most); n > 0; n--) out.push(r.bin(1, MAX_TRANSACTION_BYTES));
  r.end();
  return out;
}
