/**
 * All that this host has with one connected peer. Each side opens its own streams and only sends on those (the bulk
 * lane answers on the asker's stream), so two connections between the same peers, which simultaneous dials make, do
 * no harm. First the hellos are exchanged; only a peer whose hello fits is *ready*, and only then are the other
 * lanes opened and those of the peer read.
 */
import type { Stream } from '@libp2p/interface';
import { pipe } from 'it-pipe';
import { type Bytes, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { TokenBucket } from './bucket.ts';
import type { Budget } from './budget.ts';
import { BulkClient } from './bulk-client.ts';
import { BulkServer, ServingAccount } from './bulk-server.ts';
import { FRAME_HEADER_BYTES } from './framing.ts';
import { KeptStream } from './kept-stream.ts';
import { frameCost, type NetworkLimits } from './limits.ts';
import type { SessionFigures } from './metrics.ts';
import { OFFENCES, type Offence } from './offences.ts';
import { frames, paced } from './reading.ts';
import type { RequestOptions, Verdict } from './types.ts';
import { decodeHelloMessage, decodeVoteMessage, type Hello, PROTOCOL } from './wire.ts';
import { BoundedQueue, StreamWriter } from './writer.ts';

export type Lane = 'hello' | 'votes' | 'proposals' | 'bulk';
/** In the order in which they are opened, which is the order in which the multiplexer lets them write. */
const LANES_OF_READY: readonly Lane[] = ['votes', 'proposals', 'bulk'];

export const RANK_CERTIFICATE = 0;
export const RANK_VOTE = 1;

export interface SessionOptions {
  readonly peer: string;
  readonly limits: NetworkLimits;
  readonly now: () => number;
  readonly budget: Budget;
  /** What is read and encoded for all peers that are no validators. */
  readonly strangersWork: TokenBucket;
  readonly open: (protocol: string) => Promise<Stream>;
  /** The hello frame of this host as it is at the moment. */
  readonly hello: () => Bytes;
  /** Checks a hello; throws a `ProtocolError` with an offence as its code. */
  readonly onHello: (hello: Hello) => void;
  readonly onRecords: (records: readonly Bytes[]) => void;
  readonly onReady: () => void;
  /** The peer's process is another one than before: what is left of the old connection is dead. */
  readonly onRestart: () => void;
  readonly onVote: (vote: Bytes) => Verdict | undefined;
  readonly onCertificate: (certificate: Bytes) => Verdict | undefined;
  readonly onProposal: (proposal: Bytes) => Verdict | undefined;
  readonly onRequest: (
    method: number,
    payload: Bytes,
    maxResponseBytes: number,
    charge: (bytes: number) => void,
  ) => Promise<Bytes>;
  readonly offend: (offence: Offence, detail: string) => void;
  readonly onBug: (error: unknown, where: string) => void;
  /** The peer does not speak the protocol at all. */
  readonly onForeign: () => void;
}

interface OutLane {
  readonly queue: BoundedQueue;
  readonly writer: StreamWriter;
}

export class Session {
  readonly peer: string;
  readonly #options: SessionOptions;
  readonly #out: Record<'hello' | 'votes' | 'proposals', OutLane>;
  readonly #client: BulkClient;
  readonly #account: ServingAccount;
  readonly #servers = new Set<BulkServer>();
  /** Bytes that servers of streams that have ended have sent. */
  #served = 0;
  readonly #kept: KeptStream[] = [];
  readonly #inbound = new Map<Lane, Stream>();
  readonly #opened: Record<Lane, TokenBucket>;
  readonly #received: Record<Lane, number> = { hello: 0, votes: 0, proposals: 0, bulk: 0 };
  readonly #helloTimer: NodeJS.Timeout;
  #helloSent = false;
  #hello: Hello | undefined;
  #ready = false;
  #closed = false;
  readyAt = 0;
  /** Set by the network: the index that the peer has proved. */
  validator: number | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.peer = options.peer;
    const { limits, now } = options;
    const lane = (length: number, bytes: number): OutLane => {
      const queue = new BoundedQueue(length, bytes);
      const source = (): readonly Bytes[] | undefined => {
        const next = queue.shift();
        return next === undefined ? undefined : [next];
      };
      return { queue, writer: new StreamWriter(source, now) };
    };
    this.#out = {
      hello: lane(limits.helloQueueLength, limits.helloQueueBytes),
      votes: lane(limits.voteQueueLength, limits.voteQueueBytes),
      proposals: lane(limits.proposalQueueLength, limits.proposalQueueBytes),
    };
    const churn = (): TokenBucket =>
      new TokenBucket(limits.streamsPerMinute / 60, limits.streamsPerMinute, now);
    this.#opened = { hello: churn(), votes: churn(), proposals: churn(), bulk: churn() };
    this.#account = new ServingAccount(limits, options.budget, options.strangersWork, now);
    this.#client = new BulkClient({ limits, now, offend: options.offend, onBug: options.onBug });
    this.#helloTimer = setTimeout(
      () => options.offend('HELLO_TIMEOUT', `no hello within ${limits.helloTimeoutMs} ms`),
      limits.helloTimeoutMs,
    ).unref();
  }

  start(): void {
    this.#keep('hello');
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Queues a frame. False when it was dropped, is too large for its lane, or the peer is not ready. */
  send(lane: 'hello' | 'votes' | 'proposals', frame: Bytes, rank = 0): boolean {
    if (!this.#ready) return false;
    if (frame.length > this.#lane(lane).maxFrame + FRAME_HEADER_BYTES) {
      this.#options.onBug(new RangeError(`a frame of ${frame.length} bytes`), `sending on ${lane}`);
      return false;
    }
    const { queue, writer } = this.#out[lane];
    const taken = queue.push(frame, rank);
    writer.kick();
    return taken;
  }

  request(method: number, payload: Bytes, options: RequestOptions): Promise<Bytes> {
    if (!this.#ready) return Promise.reject(new ProtocolError('PEER_GONE', 'the peer is not ready'));
    return this.#client.request(method, payload, options);
  }

  /** Takes a stream that the peer opened. A newer stream of a lane replaces the older one. */
  accept(lane: Lane, stream: Stream): void {
    if (this.#closed) {
      stream.abort(new Error('the peer is being disconnected'));
      return;
    }
    if (!this.#opened[lane].tryTake(1)) {
      stream.abort(new Error('too many streams'));
      this.#options.offend('STREAM_CHURN', `${lane} streams, opened again and again`);
      return;
    }
    this.#inbound.get(lane)?.abort(new Error('replaced by a newer stream'));
    this.#inbound.set(lane, stream);
    if (lane === 'hello' || this.#ready) this.#read(lane, stream);
    // nobody reads it before the hello: a paused stream gets no more window
    else if (stream.readStatus === 'readable') stream.pause();
  }

  /** Called about once a second. */
  tick(): void {
    const { limits, offend } = this.#options;
    const stalled = Math.max(
      ...Object.values(this.#out).map(({ writer }) => writer.stalledFor),
      this.#client.stalledFor,
      ...Array.from(this.#servers, (server) => server.stalledFor),
    );
    if (stalled > limits.stallMs) offend('STALLED', `has read nothing for ${stalled} ms`);
    else if ([...this.#servers].some((server) => server.tooSlow())) {
      offend('STALLED', `reads responses at less than ${limits.leastServedPerSecond} bytes a second`);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ready = false;
    clearTimeout(this.#helloTimer);
    for (const kept of this.#kept) kept.stop();
    for (const stream of this.#inbound.values()) stream.abort(new Error('the peer is being disconnected'));
    this.#inbound.clear();
    for (const { queue, writer } of Object.values(this.#out)) {
      writer.detach();
      queue.clear();
    }
    this.#client.stop();
  }

  metrics(): SessionFigures {
    const { hello, votes, proposals } = this.#out;
    const served = (figure: (server: BulkServer) => number): number =>
      [...this.#servers].reduce((sum, server) => sum + figure(server), 0);
    return {
      'votes.queue.length': votes.queue.length,
      'votes.queue.bytes': votes.queue.bytes,
      'votes.dropped': votes.queue.dropped,
      'votes.sent.bytes': votes.writer.sent,
      'votes.received.bytes': this.#received.votes,
      'proposals.queue.length': proposals.queue.length,
      'proposals.queue.bytes': proposals.queue.bytes,
      'proposals.dropped': proposals.queue.dropped,
      'proposals.sent.bytes': proposals.writer.sent,
      'proposals.received.bytes': this.#received.proposals,
      'hello.queue.length': hello.queue.length,
      'hello.queue.bytes': hello.queue.bytes,
      'hello.dropped': hello.queue.dropped,
      'hello.sent.bytes': hello.writer.sent,
      'hello.received.bytes': this.#received.hello,
      'bulk.asked.inflight': this.#client.inFlight,
      'bulk.asked.queue.length': this.#client.queued,
      'bulk.asked.queue.bytes': this.#client.queuedBytes,
      'bulk.asked.refused': this.#client.refused,
      'bulk.asked.received.bytes': this.#client.received,
      'bulk.asked.sent.bytes': this.#client.sent,
      'bulk.served.inflight': served((server) => server.inFlight),
      'bulk.served.queue.bytes': served((server) => server.queuedBytes),
      'bulk.served.sent.bytes': this.#served + served((server) => server.sent),
    };
  }

  #keep(lane: Lane): void {
    const { open, offend, onBug, onForeign } = this.#options;
    const writer = lane === 'bulk' ? this.#client : this.#out[lane].writer;
    this.#kept.push(
      new KeptStream({
        open: () => open(PROTOCOL[lane]),
        onOpen: (stream) => {
          if (lane === 'hello') this.#sendHello();
          writer.attach(stream);
        },
        onClose: () => writer.detach(),
        onError: (error) => {
          if (!(error instanceof Error)) onBug(error, `opening ${lane}`);
          else if (error.name === 'UnsupportedProtocolError') onForeign();
        },
        ...(lane === 'bulk'
          ? {}
          : { onUnexpectedData: () => offend('ENVELOPE_INVALID', `wrote into the one-way lane ${lane}`) }),
      }),
    );
  }

  #sendHello(): void {
    this.#out.hello.queue.clear();
    this.#out.hello.queue.push(this.#options.hello());
    this.#helloSent = true;
    this.#becomeReady();
  }

  #becomeReady(): void {
    if (this.#ready || this.#closed || !this.#helloSent || this.#hello === undefined) return;
    clearTimeout(this.#helloTimer);
    this.#ready = true;
    this.readyAt = this.#options.now();
    for (const lane of LANES_OF_READY) this.#keep(lane);
    for (const lane of LANES_OF_READY) {
      const stream = this.#inbound.get(lane);
      if (stream !== undefined) this.#read(lane, stream);
    }
    this.#options.onReady();
  }

  #read(lane: Lane, stream: Stream): void {
    this.#pump(lane, stream)
      .catch((error: unknown) => {
        if (error instanceof ProtocolError && error.code in OFFENCES) {
          this.#options.offend(error.code as Offence, `${lane}: ${error.message}`);
        } else {
          this.#options.onBug(error, `reading ${lane}`);
        }
      })
      .finally(() => {
        if (this.#inbound.get(lane) === stream) this.#inbound.delete(lane);
        stream.abort(new Error('the lane has ended'));
      });
  }

  async #pump(lane: Lane, stream: Stream): Promise<void> {
    const { limits, now } = this.#options;
    if (lane === 'bulk') {
      const { onRequest, onBug, offend } = this.#options;
      const server = new BulkServer({
        limits,
        now,
        account: this.#account,
        isValidator: () => this.validator !== undefined,
        handle: onRequest,
        onRefusal: (detail) => offend('REQUEST_INVALID', detail),
        onBug: (error, method) => onBug(error, `request of method ${method}`),
      });
      this.#servers.add(server);
      try {
        await server.run(stream);
      } finally {
        this.#servers.delete(server);
        this.#served += server.sent;
      }
      return;
    }
    const { maxFrame, bytesPerSecond, handle } = this.#lane(lane);
    // a burst of at least one whole frame, or it would never be let through at once
    const bytes = new TokenBucket(bytesPerSecond, Math.max(2 * bytesPerSecond, 2 * maxFrame), now);
    const count = new TokenBucket(limits.votesPerSecond, 2 * limits.votesPerSecond, now);
    const cost = (): number => frameCost(limits, this.validator !== undefined);
    await pipe(frames(stream, maxFrame), paced(bytes, count, cost), async (source: AsyncIterable<Bytes>) => {
      for await (const payload of source) {
        if (this.#closed) return;
        this.#received[lane] += payload.length;
        handle(payload);
      }
    });
  }

  #lane(lane: Exclude<Lane, 'bulk'>): {
    maxFrame: number;
    bytesPerSecond: number;
    handle: (payload: Bytes) => void;
  } {
    const { limits, onProposal, offend } = this.#options;
    if (lane === 'hello') {
      return {
        maxFrame: limits.helloFrameBytes,
        bytesPerSecond: limits.helloBytesPerSecond,
        handle: (payload) => this.#onHelloMessage(payload),
      };
    }
    if (lane === 'votes') {
      return {
        maxFrame: limits.voteFrameBytes,
        bytesPerSecond: limits.voteBytesPerSecond,
        handle: (payload) => this.#onVoteMessage(payload),
      };
    }
    return {
      maxFrame: limits.proposalFrameBytes,
      bytesPerSecond: limits.proposalBytesPerSecond,
      handle: (payload) => {
        if (onProposal(payload) === 'reject') offend('PROPOSAL_INVALID', 'the proposal was rejected');
      },
    };
  }

  #onVoteMessage(payload: Bytes): void {
    const { onVote, onCertificate, offend } = this.#options;
    const { type, body } = decodeVoteMessage(payload);
    if (type === 'vote') {
      if (onVote(body) === 'reject') offend('VOTE_INVALID', 'the vote was rejected');
    } else if (onCertificate(body) === 'reject') {
      offend('CERTIFICATE_INVALID', 'the certificate was rejected');
    }
  }

  #onHelloMessage(payload: Bytes): void {
    const message = decodeHelloMessage(payload);
    if (message.type === 'records') {
      if (this.#hello === undefined)
        throw new ProtocolError<Offence>('HELLO_INVALID', 'records before the hello');
      this.#options.onRecords(message.records);
      return;
    }
    const before = this.#hello;
    if (before !== undefined && !equal(before.instance, message.hello.instance)) {
      this.#options.onRestart();
      return;
    }
    this.#options.onHello(message.hello);
    this.#hello = message.hello;
    this.#becomeReady();
  }
}
