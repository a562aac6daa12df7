/**
 * The owner's door: serves one blob over HTTP, on loopback unless told otherwise, to stewards that say where they
 * want to be paid. One buffer a transfer, however long the blob is; few transfers at once, each with a time limit on silence.
 */
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeAddress, encodeAddress } from '../codec/address.ts';
import { type Bytes, toHex } from '../codec/bytes.ts';
import { isProtocolError } from '../codec/errors.ts';

const BUFFER_BYTES = 256 * 1_024;
const MAX_TRANSFERS = 8;
const SILENCE_MS = 30_000;

export interface BlobServer {
  /** Where the blob is; a steward adds `?steward=<its address>`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Where a door stands, and the address by which stewards reach it, such as `http://owner:7171`. */
export interface Door {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly url: string;
}

export interface ServedBlob {
  readonly path: string;
  readonly tag: Bytes;
  readonly length: number;
  /** Called when a steward has taken the whole blob. */
  readonly onServed: (steward: Bytes) => void;
  readonly door?: Door;
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { code, message } }));
}

/** Resolves when the chunk has left the process, so that its buffer may be used again. */
function send(response: ServerResponse, chunk: Bytes): Promise<void> {
  return new Promise((done, failed) => {
    response.write(chunk, (error) => (error ? failed(error) : done()));
  });
}

async function pour(blob: ServedBlob, response: ServerResponse): Promise<void> {
  const file = await open(blob.path, 'r');
  try {
    const buffer = new Uint8Array(BUFFER_BYTES);
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': String(blob.length),
    });
    for (let sent = 0; sent < blob.length; ) {
      const wanted = Math.min(buffer.length, blob.length - sent);
      const { bytesRead } = await file.read(buffer, 0, wanted, sent);
      if (bytesRead === 0) throw new Error('the blob became shorter while it was served');
      await send(response, buffer.subarray(0, bytesRead));
      sent += bytesRead;
    }
    await new Promise<void>((done) => response.end(() => done()));
  } finally {
    await file.close();
  }
}

async function answer(blob: ServedBlob, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://owner.invalid');
  if (request.method !== 'GET' || pathname !== `/${toHex(blob.tag)}`) {
    refuse(response, 404, 'NOT_FOUND', 'this door serves one blob, at /<its tag>');
    return;
  }
  let steward: Bytes;
  try {
    steward = decodeAddress(searchParams.get('steward') ?? '');
  } catch (error) {
    if (!isProtocolError(error)) throw error;
    refuse(response, 400, error.code, `say where to pay you, with ?steward=kry1…: ${error.message}`);
    return;
  }
  await pour(blob, response);
  blob.onServed(steward);
}

/** Starts the door, on a free port of 127.0.0.1 when `blob.door` is not given. */
export async function serveBlob(blob: ServedBlob): Promise<BlobServer> {
  const server = createServer((request, response) => {
    answer(blob, request, response).catch(() => response.destroy());
  });
  server.maxConnections = MAX_TRANSFERS;
  server.setTimeout(SILENCE_MS);
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(blob.door?.port ?? 0, blob.door?.host ?? '127.0.0.1', done);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${blob.door?.url ?? `http://127.0.0.1:${port}`}/${toHex(blob.tag)}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** What a steward asks of an owner's door. */
export function requestOf(offer: string, steward: Bytes): URL {
  const url = new URL(offer);
  url.searchParams.set('steward', encodeAddress(steward));
  return url;
}
