/**
 * Protocol ids and envelopes: what stands inside a frame. Decoding checks every field and throws a `ProtocolError`
 * with the offence as its code; the contents of votes, proposals, certificates and payloads stay opaque.
 */
import { type Bytes, concat } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import { frame } from './framing.ts';
import { MAX_PART_BYTES } from './limits.ts';
import type { Offence } from './offences.ts';
import { MAX_RECORD_BYTES } from './record.ts';

export const WIRE_VERSION = 1;

export const PROTOCOL = {
  hello: '/kryder/hello/1',
  votes: '/kryder/votes/1',
  proposals: '/kryder/proposals/1',
  bulk: '/kryder/bulk/1',
  kad: '/kryder/kad/1.0.0',
} as const;

const INSTANCE_BYTES = 8;
const MAX_RECORDS = 256;
const HELLO = 1;
const RECORDS = 2;
const VOTE = 1;
const CERTIFICATE = 2;
const REQUEST = 1;
const CANCEL = 2;
const PART = 3;
const FAILURE = 4;
const MAX_CODE = 64;
const MAX_MESSAGE = 512;

function refuse(offence: Offence, message: string): never {
  throw new ProtocolError<Offence>(offence, message);
}

export interface Hello {
  readonly version: number;
  readonly genesisHash: Bytes;
  /** Drawn anew at every start of a process, so that a restarted peer is told from a second connection. */
  readonly instance: Bytes;
  /** The sender's own signed record, if it is a validator. */
  readonly own: Bytes | undefined;
  /** Signed records of others. */
  readonly records: readonly Bytes[];
}

export type HelloMessage =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'records'; readonly records: readonly Bytes[] };

export function encodeHello(hello: Hello): Bytes {
  const w = new Writer(1024).array(5).uint(hello.version).bin(hello.genesisHash).bin(hello.instance);
  w.optionalBin(hello.own);
  writeRecords(w, hello.records);
  return frame(Uint8Array.of(HELLO), w.finish());
}

export function encodeRecords(records: readonly Bytes[]): Bytes {
  const w = new Writer(1024);
  writeRecords(w, records);
  return frame(Uint8Array.of(RECORDS), w.finish());
}

function writeRecords(w: Writer, records: readonly Bytes[]): void {
  const sent = records.slice(0, MAX_RECORDS);
  w.array(sent.length);
  for (const record of sent) w.bin(record);
}

function readRecords(r: Reader): Bytes[] {
  const count = r.array(0, MAX_RECORDS);
  const records: Bytes[] = [];
  for (let i = 0; i < count; i++) records.push(r.bin(1, MAX_RECORD_BYTES));
  return records;
}

/** Throws `HELLO_INVALID`. The version comes first, so that a later form of the rest is told from garbage. */
export function decodeHelloMessage(payload: Bytes): HelloMessage {
  try {
    const r = new Reader(payload, 1);
    if (payload[0] === RECORDS) {
      const records = readRecords(r);
      r.end();
      return { type: 'records', records };
    }
    if (payload[0] !== HELLO) return refuse('HELLO_INVALID', `unknown type ${payload[0]} on the hello lane`);
    r.array(5);
    const version = r.uint(0xffff);
    if (version !== WIRE_VERSION) {
      refuse('CHAIN_MISMATCH', `the peer speaks version ${version}, this node ${WIRE_VERSION}`);
    }
    const hello: Hello = {
      version,
      genesisHash: r.bin(32),
      instance: r.bin(INSTANCE_BYTES),
      own: r.optionalBin(1, MAX_RECORD_BYTES),
      records: readRecords(r),
    };
    r.end();
    return { type: 'hello', hello };
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'CHAIN_MISMATCH') throw error;
    return refuse('HELLO_INVALID', error instanceof Error ? error.message : String(error));
  }
}

export const encodeVote = (vote: Bytes): Bytes => frame(Uint8Array.of(VOTE), vote);
export const encodeCertificate = (certificate: Bytes): Bytes =>
  frame(Uint8Array.of(CERTIFICATE), certificate);

/** A proposal lane carries nothing but proposals: no envelope. */
export const encodeProposal = (proposal: Bytes): Bytes => frame(proposal);

/** Throws `ENVELOPE_INVALID`. */
export function decodeVoteMessage(payload: Bytes): { type: 'vote' | 'certificate'; body: Bytes } {
  const kind = payload[0];
  if (payload.length < 2 || (kind !== VOTE && kind !== CERTIFICATE)) {
    return refuse('ENVELOPE_INVALID', `type ${kind}, ${payload.length} bytes on the votes lane`);
  }
  return { type: kind === VOTE ? 'vote' : 'certificate', body: payload.subarray(1) };
}

export type ToServer =
  | {
      readonly type: 'request';
      readonly id: number;
      readonly method: number;
      readonly maxResponseBytes: number;
      readonly payload: Bytes;
    }
  | { readonly type: 'cancel'; readonly id: number };

export type ToClient =
  | { readonly type: 'part'; readonly id: number; readonly last: boolean; readonly data: Bytes }
  | { readonly type: 'failure'; readonly id: number; readonly code: string; readonly message: string };

/** Bytes that a request frame has besides the payload. */
export const REQUEST_HEADER_BYTES = 11;
/** Bytes that a part has besides its data. */
export const PART_HEADER_BYTES = 6;

export function encodeRequest(id: number, method: number, maxResponseBytes: number, payload: Bytes): Bytes {
  const head = new Uint8Array(REQUEST_HEADER_BYTES);
  const view = new DataView(head.buffer);
  view.setUint8(0, REQUEST);
  view.setUint32(1, id);
  view.setUint16(5, method);
  view.setUint32(7, maxResponseBytes);
  return frame(head, payload);
}

export function encodeCancel(id: number): Bytes {
  const head = new Uint8Array(5);
  head[0] = CANCEL;
  new DataView(head.buffer).setUint32(1, id);
  return frame(head);
}

/** The frame header and envelope of a part; its `size` bytes of data follow as they are. */
export function encodePartHeader(id: number, last: boolean, size: number): Bytes {
  const head = new Uint8Array(4 + PART_HEADER_BYTES);
  const view = new DataView(head.buffer);
  view.setUint32(0, PART_HEADER_BYTES + size);
  view.setUint8(4, PART);
  view.setUint32(5, id);
  view.setUint8(9, last ? 1 : 0);
  return head;
}

export function encodeFailure(id: number, code: string, message: string): Bytes {
  const text = new TextEncoder();
  const name = text.encode(/^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : 'INTERNAL');
  const head = new Uint8Array(6);
  const view = new DataView(head.buffer);
  view.setUint8(0, FAILURE);
  view.setUint32(1, id);
  view.setUint8(5, name.length);
  return frame(concat(head, name), text.encode(message).subarray(0, MAX_MESSAGE));
}

/** Throws `ENVELOPE_INVALID`. */
export function decodeToServer(payload: Bytes): ToServer {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (payload[0] === REQUEST && payload.length >= REQUEST_HEADER_BYTES) {
    return {
      type: 'request',
      id: view.getUint32(1),
      method: view.getUint16(5),
      maxResponseBytes: view.getUint32(7),
      payload: payload.subarray(REQUEST_HEADER_BYTES),
    };
  }
  if (payload[0] === CANCEL && payload.length === 5) return { type: 'cancel', id: view.getUint32(1) };
  return refuse('ENVELOPE_INVALID', `type ${payload[0]}, ${payload.length} bytes sent to a server`);
}

/** Throws `ENVELOPE_INVALID`. An empty part that is not the last would let a peer send for ever: refused. */
export function decodeToClient(payload: Bytes): ToClient {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (payload[0] === PART && payload.length >= PART_HEADER_BYTES) {
    const flag = view.getUint8(5);
    const data = payload.subarray(PART_HEADER_BYTES);
    if (flag <= 1 && data.length <= MAX_PART_BYTES && (flag === 1 || data.length > 0)) {
      return { type: 'part', id: view.getUint32(1), last: flag === 1, data };
    }
  }
  if (payload[0] === FAILURE && payload.length >= 6) {
    const length = view.getUint8(5);
    const text = new TextDecoder();
    const code = text.decode(payload.subarray(6, 6 + length));
    if (
      length <= MAX_CODE &&
      /^[A-Z][A-Z0-9_]{0,63}$/.test(code) &&
      payload.length <= 6 + length + MAX_MESSAGE
    ) {
      return {
        type: 'failure',
        id: view.getUint32(1),
        code,
        message: text.decode(payload.subarray(6 + length)),
      };
    }
  }
  return refuse('ENVELOPE_INVALID', `type ${payload[0]}, ${payload.length} bytes sent to a client`);
}
