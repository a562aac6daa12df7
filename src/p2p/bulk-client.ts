/**
 * The asking side of the bulk lane: requests to one peer over one kept-open stream, several under way at a time,
 * told apart by id. Every request ends: with its response, an error, or its deadline. What a peer sends beyond what
 * was asked for is an offence.
 */
import type { Stream } from '@libp2p/interface';
import { pipe } from 'it-pipe';
import { type Bytes, concat } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { MAX_PART_BYTES, type NetworkLimits } from './limits.ts';
import { OFFENCES, type Offence } from './offences.ts';
import { frames } from './reading.ts';
import type { RequestOptions } from './types.ts';
import { decodeToClient, encodeCancel, encodeRequest, PART_HEADER_BYTES, type ToClient } from './wire.ts';
import { StreamWriter } from './writer.ts';

/** Cancelled requests whose late parts are still tolerated. */
const MAX_ABANDONED = 256;

interface Pending {
  readonly method: number;
  readonly payload: Bytes;
  readonly maxResponseBytes: number;
  readonly settle: (result: Bytes | Error) => void;
  readonly idleMs: number | undefined;
  id: number | undefined;
  idle: NodeJS.Timeout | undefined;
  parts: Bytes[];
  received: number;
}

export interface BulkClientOptions {
  readonly limits: NetworkLimits;
  readonly now: () => number;
  readonly offend: (offence: Offence, detail: string) => void;
  readonly onBug: (error: unknown, where: string) => void;
}

export class BulkClient {
  readonly #options: BulkClientOptions;
  readonly #waiting = new Set<Pending>();
  #inFlight = new Map<number, Pending>();
  /** Frames that the stream has not taken yet: requests by id, cancellations by negative id. */
  #outbox = new Map<number, Bytes>();
  #abandoned = new Map<number, number>();
  #nextId = 1;
  #writer: StreamWriter | undefined;
  #stream: Stream | undefined;
  #stopped = false;
  received = 0;
  #sentBefore = 0;
  /** Requests that found no place. */
  refused = 0;

  constructor(options: BulkClientOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /** Bytes of requests that wait for a place or for the stream. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const { payload } of this.#waiting) bytes += payload.length;
    for (const waiting of this.#outbox.values()) bytes += waiting.length;
    return bytes;
  }

  get stalledFor(): number {
    return this.#writer?.stalledFor ?? 0;
  }

  get sent(): number {
    return this.#sentBefore + (this.#writer?.sent ?? 0);
  }

  /** Uses `stream` from now on; ids begin anew with it. */
  attach(stream: Stream): void {
    this.detach();
    this.#writer = new StreamWriter(() => this.#nextFrame(), this.#options.now);
    this.#writer.attach(stream);
    this.#stream = stream;
    void this.#read(stream);
    this.#startWaiting();
  }

  /** The stream is gone: what was under way on it fails, what waits goes on waiting. */
  detach(): void {
    this.#writer?.detach();
    this.#sentBefore = this.sent;
    this.#writer = undefined;
    this.#stream = undefined;
    const failed = [...this.#inFlight.values()];
    this.#inFlight = new Map();
    this.#outbox = new Map();
    this.#abandoned = new Map();
    this.#nextId = 1;
    for (const pending of failed) pending.settle(gone());
  }

  stop(): void {
    this.#stopped = true;
    this.detach();
    for (const pending of this.#waiting) pending.settle(gone());
  }

  /** See `Network.request`. */
  request(method: number, payload: Bytes, options: RequestOptions): Promise<Bytes> {
    const { limits } = this.#options;
    if (this.#stopped) return Promise.reject(gone());
    if (options.signal?.aborted === true) return Promise.reject(cancelled());
    if (payload.length > limits.requestBytes) {
      return Promise.reject(
        new ProtocolError('REQUEST_TOO_LARGE', `${payload.length} bytes, allowed are ${limits.requestBytes}`),
      );
    }
    const places = limits.requestsInFlight - this.#inFlight.size + limits.requestsWaiting;
    if (this.#waiting.size >= places) {
      this.refused++;
      return Promise.reject(
        new ProtocolError('REQUEST_QUEUE_FULL', `${this.#waiting.size} requests wait for this peer already`),
      );
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.#abandon(pending, cancelled());
      const timer = setTimeout(() => this.#timeOut(pending, options.timeoutMs), options.timeoutMs);
      const pending: Pending = {
        method,
        payload,
        maxResponseBytes: Math.min(options.maxResponseBytes, limits.responseBytes),
        settle: (result) => {
          clearTimeout(timer);
          clearTimeout(pending.idle);
          options.signal?.removeEventListener('abort', onAbort);
          this.#waiting.delete(pending);
          if (result instanceof Error) reject(result);
          else resolve(result);
        },
        idleMs: options.idleMs,
        id: undefined,
        idle: undefined,
        parts: [],
        received: 0,
      };
      options.signal?.addEventListener('abort', onAbort);
      this.#waiting.add(pending);
      this.#startWaiting();
    });
  }

  #startWaiting(): void {
    if (this.#writer === undefined) return;
    for (const pending of this.#waiting) {
      if (this.#inFlight.size >= this.#options.limits.requestsInFlight) break;
      this.#waiting.delete(pending);
      const id = this.#nextId++;
      pending.id = id;
      const { idleMs } = pending;
      if (idleMs !== undefined) pending.idle = setTimeout(() => this.#timeOut(pending, idleMs), idleMs);
      this.#inFlight.set(id, pending);
      this.#outbox.set(id, encodeRequest(id, pending.method, pending.maxResponseBytes, pending.payload));
    }
    this.#writer.kick();
  }

  #nextFrame(): readonly Bytes[] | undefined {
    for (const [id, bytes] of this.#outbox) {
      this.#outbox.delete(id);
      return [bytes];
    }
    return undefined;
  }

  #timeOut(pending: Pending, ms: number): void {
    const { method, id } = pending;
    if (id !== undefined) this.#options.offend('REQUEST_TIMEOUT', `method ${method}`);
    this.#abandon(pending, new ProtocolError('REQUEST_TIMEOUT', `no response within ${ms} ms`, { method }));
  }

  /** Ends a request from this side; the peer is told if it knows of it. */
  #abandon(pending: Pending, error: Error): void {
    const id = pending.id;
    if (id !== undefined && this.#inFlight.delete(id) && !this.#outbox.delete(id)) {
      this.#abandoned.set(id, pending.maxResponseBytes - pending.received);
      for (const oldest of this.#abandoned.keys()) {
        if (this.#abandoned.size <= MAX_ABANDONED) break;
        this.#abandoned.delete(oldest);
      }
      this.#outbox.set(-id, encodeCancel(id));
    }
    pending.settle(error);
    this.#startWaiting();
  }

  async #read(stream: Stream): Promise<void> {
    try {
      await pipe(
        frames(stream, PART_HEADER_BYTES + MAX_PART_BYTES),
        async function* check(source: AsyncIterable<Bytes>) {
          for await (const payload of source) yield decodeToClient(payload);
        },
        async (source: AsyncIterable<ToClient>) => {
          for await (const message of source) {
            // Ids begin anew with each stream: what an earlier one still brings answers nothing that is asked now.
            if (this.#stream !== stream) return;
            this.#onMessage(message);
          }
        },
      );
    } catch (error) {
      stream.abort(new Error('the stream broke the protocol'));
      if (error instanceof ProtocolError && error.code in OFFENCES)
        this.#options.offend(error.code as Offence, error.message);
      else this.#options.onBug(error, 'reading responses');
    }
  }

  #onMessage(message: ToClient): void {
    const pending = this.#inFlight.get(message.id);
    if (message.type === 'failure') {
      if (pending === undefined && !this.#abandoned.delete(message.id)) throw unexpected(message.id);
      if (pending === undefined) return;
      this.#finish(
        message.id,
        pending,
        new ProtocolError('REMOTE_ERROR', `${message.code}: ${message.message}`, { code: message.code }),
      );
      return;
    }
    const size = message.data.length;
    this.received += size;
    if (pending === undefined) {
      const left = (this.#abandoned.get(message.id) ?? -1) - size;
      if (left < 0) throw unexpected(message.id);
      if (message.last) this.#abandoned.delete(message.id);
      else this.#abandoned.set(message.id, left);
      return;
    }
    pending.received += size;
    pending.idle?.refresh();
    if (pending.received > pending.maxResponseBytes) {
      const what = `more than ${pending.maxResponseBytes} bytes for method ${pending.method}`;
      this.#finish(message.id, pending, new ProtocolError('RESPONSE_TOO_LARGE', what));
      this.#options.offend('RESPONSE_TOO_LARGE', what);
      return;
    }
    pending.parts.push(message.data);
    if (!message.last) return;
    this.#finish(
      message.id,
      pending,
      pending.parts.length === 1 ? pending.parts[0]! : concat(...pending.parts),
    );
  }

  #finish(id: number, pending: Pending, result: Bytes | Error): void {
    this.#inFlight.delete(id);
    pending.settle(result);
    this.#startWaiting();
  }
}

function unexpected(id: number): ProtocolError {
  return new ProtocolError<Offence>('RESPONSE_UNEXPECTED', `nothing was asked under id ${id}`);
}

function gone(): ProtocolError {
  return new ProtocolError('PEER_GONE', 'the connection to the peer has ended');
}

function cancelled(): ProtocolError {
  return new ProtocolError('REQUEST_CANCELLED', 'the request was cancelled');
}
