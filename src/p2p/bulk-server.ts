/**
 * The answering side of the bulk lane, for one stream that a peer opened: a pipeline from the stream through checks
 * into handlers, and back in parts, one part of each response in turn. What a large response may take is reserved
 * before its handler runs and given back when its last part is on its way, so a peer that asks much and reads slowly
 * holds a fixed amount of memory; beyond that its requests are simply not read. Small responses have places of their
 * own and never wait for large ones. Handlers say what they read and encode, sent or not; a peer that has caused more
 * than its rate waits before the next one runs.
 */
import type { Stream } from '@libp2p/interface';
import { pipe } from 'it-pipe';
import { type Bytes, EMPTY_BYTES } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { TokenBucket } from './bucket.ts';
import { Budget } from './budget.ts';
import { frameCost, type NetworkLimits } from './limits.ts';
import { frames, paced, sleep } from './reading.ts';
import {
  decodeToServer,
  encodeFailure,
  encodePartHeader,
  REQUEST_HEADER_BYTES,
  type ToServer,
} from './wire.ts';
import { StreamWriter } from './writer.ts';

type Request = Extract<ToServer, { type: 'request' }>;

/** What one peer may cost, over all the streams that it opens. */
export class ServingAccount {
  readonly #peer: Budget;
  readonly #all: Budget;
  readonly sending: TokenBucket;
  /** Bytes read and encoded, for this peer and for all that are no validators. */
  readonly #work: TokenBucket;
  readonly #strangersWork: TokenBucket;

  /** `all` is shared by all peers, `strangersWork` by those that are no validators. */
  constructor(limits: NetworkLimits, all: Budget, strangersWork: TokenBucket, now: () => number) {
    this.#peer = new Budget(limits.servedBytesPerPeer);
    this.#all = all;
    this.#strangersWork = strangersWork;
    this.sending = new TokenBucket(limits.servedPerSecond, limits.servedPerSecond, now);
    this.#work = new TokenBucket(limits.servedPerSecond, limits.servedPerSecond, now);
  }

  /** `bytes` were read and encoded; milliseconds for which the next request has to wait. */
  charge(bytes: number, validator: boolean): number {
    const own = this.#work.take(bytes);
    return validator ? own : Math.max(own, this.#strangersWork.take(bytes));
  }

  /** Strangers wait for what others have reserved. */
  get contended(): boolean {
    return this.#all.contended;
  }

  async reserve(amount: number, isValidator: () => boolean): Promise<void> {
    await this.#peer.acquire(amount);
    await this.#all.acquire(amount, isValidator(), this);
  }

  release(amount: number): void {
    this.#peer.release(amount);
    this.#all.release(amount, this);
  }
}

interface Job {
  readonly request: Request;
  readonly small: boolean;
  /** Bytes reserved in both budgets; none for a small response. */
  reserved: number;
  data: Bytes;
  offset: number;
  failure: Bytes | undefined;
  running: boolean;
  /** Answered in full, cancelled, or left without a stream. */
  ended: boolean;
}

export interface BulkServerOptions {
  readonly limits: NetworkLimits;
  readonly now: () => number;
  readonly account: ServingAccount;
  readonly isValidator: () => boolean;
  readonly handle: (
    method: number,
    payload: Bytes,
    maxResponseBytes: number,
    charge: (bytes: number) => void,
  ) => Promise<Bytes>;
  /** A request could not be read. */
  readonly onRefusal: (detail: string) => void;
  readonly onBug: (error: unknown, method: number) => void;
}

export class BulkServer {
  readonly #options: BulkServerOptions;
  readonly #writer: StreamWriter;
  readonly #jobs = new Map<number, Job>();
  #waiting: Request[] = [];
  #sending: Job[] = [];
  #roomWanted: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Since when responses wait, and what had been sent by then. */
  #slowSince: { readonly at: number; readonly sent: number } | undefined;
  #ended = false;

  constructor(options: BulkServerOptions) {
    this.#options = options;
    this.#writer = new StreamWriter(() => this.#nextPart(), options.now);
  }

  get inFlight(): number {
    return this.#jobs.size + this.#waiting.length;
  }

  /** Bytes of responses that are made and not handed to the stream yet. */
  get queuedBytes(): number {
    let bytes = this.#writer.pending;
    for (const job of this.#sending) bytes += job.data.length - job.offset;
    return bytes;
  }

  get sent(): number {
    return this.#writer.sent;
  }

  get stalledFor(): number {
    return this.#writer.stalledFor;
  }

  /** Called about once a second: whether the peer has taken too little for too long of what waits for it. */
  tooSlow(): boolean {
    const { limits, now, account, isValidator } = this.#options;
    const at = now();
    const { sent } = this.#writer;
    // what this node holds back itself says nothing about the peer
    if (this.#ended || this.queuedBytes === 0 || this.#timer !== undefined) this.#slowSince = undefined;
    else this.#slowSince ??= { at, sent };
    const since = this.#slowSince;
    if (since === undefined || at - since.at < limits.leastServedMs) return false;
    this.#slowSince = { at, sent };
    // who takes his time may do so until others wait for what is held for him
    const contended = account.contended && !isValidator() && this.queuedBytes > limits.smallResponseBytes;
    const least = contended ? limits.leastServedWhenContended : limits.leastServedPerSecond;
    return sent - since.sent < (least * limits.leastServedMs) / 1_000;
  }

  /** Serves until the stream ends. Throws a `ProtocolError` with an offence as its code. */
  async run(stream: Stream): Promise<void> {
    const { limits, now } = this.#options;
    const bytes = new TokenBucket(limits.requestBytesPerSecond, limits.requestBytesPerSecond, now);
    const count = new TokenBucket(limits.requestsPerSecond, limits.requestsPerSecond, now);
    this.#writer.attach(stream);
    // the pipeline may be waiting for room, and would not see the end
    const onClose = (): void => this.#end();
    stream.addEventListener('close', onClose);
    try {
      await pipe(
        frames(stream, REQUEST_HEADER_BYTES + limits.requestBytes),
        paced(bytes, count, () => frameCost(limits, this.#options.isValidator())),
        async function* check(source: AsyncIterable<Bytes>) {
          for await (const payload of source) yield decodeToServer(payload);
        },
        async (source: AsyncIterable<ToServer>) => {
          for await (const message of source) await this.#accept(message);
        },
      );
    } finally {
      stream.removeEventListener('close', onClose);
      this.#end();
    }
  }

  async #accept(message: ToServer): Promise<void> {
    if (message.type === 'cancel') {
      const job = this.#jobs.get(message.id);
      if (job !== undefined) this.#finish(job);
      this.#waiting = this.#waiting.filter((request) => request.id !== message.id);
      return;
    }
    if (this.#jobs.has(message.id) || this.#waiting.some((request) => request.id === message.id)) {
      throw new ProtocolError('ENVELOPE_INVALID', `request id ${message.id} is under way already`);
    }
    this.#waiting.push(message);
    this.#startWaiting();
    const { requestsInFlight, requestBytes } = this.#options.limits;
    while (!this.#ended && (this.#waiting.length >= requestsInFlight || this.#askedBytes > requestBytes)) {
      await new Promise<void>((resolve) => {
        this.#roomWanted = resolve;
      });
    }
  }

  /** Bytes of the requests that are served or wait. */
  get #askedBytes(): number {
    let bytes = 0;
    for (const { request } of this.#jobs.values()) bytes += request.payload.length;
    for (const { payload } of this.#waiting) bytes += payload.length;
    return bytes;
  }

  #startWaiting(): void {
    const { servedInFlight, smallResponseBytes } = this.#options.limits;
    const isSmall = (request: Request): boolean => request.maxResponseBytes <= smallResponseBytes;
    let small = 0;
    for (const job of this.#jobs.values()) if (job.small) small++;
    let large = this.#jobs.size - small;
    while (!this.#ended) {
      const index = this.#waiting.findIndex((request) => (isSmall(request) ? small : large) < servedInFlight);
      const [request] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (request === undefined) break;
      if (isSmall(request)) small++;
      else large++;
      const job: Job = {
        request,
        small: isSmall(request),
        reserved: 0,
        data: EMPTY_BYTES,
        offset: 0,
        failure: undefined,
        running: true,
        ended: false,
      };
      this.#jobs.set(request.id, job);
      void this.#serve(job);
    }
    this.#roomWanted?.();
    this.#roomWanted = undefined;
  }

  async #serve(job: Job): Promise<void> {
    const { limits, account, isValidator, handle, onRefusal, onBug } = this.#options;
    const { id, method, payload, maxResponseBytes } = job.request;
    const most = Math.min(maxResponseBytes, limits.responseBytes);
    const charge = (size: number): number => account.charge(size, isValidator());
    for (let wait = charge(0); wait > 0 && !job.ended; wait = charge(0)) await sleep(wait);
    if (!job.small) {
      await account.reserve(most, isValidator);
      job.reserved = most;
    }
    try {
      if (!job.ended) {
        const data = await handle(method, payload, most, charge);
        if (data.length > most) {
          throw new ProtocolError('RESPONSE_TOO_LARGE', `${data.length} bytes, wanted are at most ${most}`);
        }
        job.data = data;
      }
    } catch (error) {
      const known = error instanceof ProtocolError;
      if (!known) onBug(error, method);
      const text = known ? error.message : 'the request could not be served';
      job.failure = encodeFailure(id, known ? error.code : 'INTERNAL', text);
      if (known && (error.code === 'REQUEST_INVALID' || error.code.startsWith('CODEC_'))) onRefusal(text);
    }
    job.running = false;
    if (job.ended) {
      this.#forget(job);
      return;
    }
    if (!job.small) this.#give(job, most - job.data.length);
    this.#sending.push(job);
    this.#writer.kick();
  }

  #give(job: Job, amount: number): void {
    job.reserved -= amount;
    this.#options.account.release(amount);
  }

  /** Ends a job. One whose handler still runs keeps its place and its bytes until the handler is done. */
  #finish(job: Job): void {
    job.ended = true;
    if (!job.running) this.#forget(job);
  }

  #forget(job: Job): void {
    this.#jobs.delete(job.request.id);
    this.#sending = this.#sending.filter((other) => other !== job);
    this.#give(job, job.reserved);
    this.#startWaiting();
  }

  #nextPart(): readonly Bytes[] | undefined {
    const job = this.#sending[0];
    if (job === undefined) return undefined;
    if (job.failure !== undefined) {
      this.#finish(job);
      return [job.failure];
    }
    const { sending } = this.#options.account;
    const wait = sending.take(0);
    if (wait > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#writer.kick();
      }, wait).unref();
      return undefined;
    }
    const part = job.data.subarray(job.offset, job.offset + this.#options.limits.partBytes);
    sending.take(part.length);
    job.offset += part.length;
    const last = job.offset === job.data.length;
    this.#sending.shift();
    if (last) this.#finish(job);
    else this.#sending.push(job);
    return [encodePartHeader(job.request.id, last, part.length), part];
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#writer.detach();
    clearTimeout(this.#timer);
    this.#waiting = [];
    for (const job of [...this.#jobs.values()]) this.#finish(job);
    this.#roomWanted?.();
  }
}
