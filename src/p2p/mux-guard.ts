/**
 * Stands before the stream multiplexer of every connection, because what it lets a peer do has no bound of its own:
 * it collects a frame whole before it compares its length, up to 4 GB, with the window; it answers pings and stream
 * openings as fast as they come, read or not; it goes on granting window for streams that nobody reads; and it keeps
 * each tiny piece of data as an object of its own. The guard reads the twelve-byte headers as they go by and cuts a
 * connection that breaks the rules below; it changes nothing for one that does not. It also says how much each
 * connection has buffered, so that the network can bound the sum.
 */
import type { MessageStream, StreamMessageEvent, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';
import type { Bytes } from '../codec/bytes.ts';
import { TokenBucket } from './bucket.ts';
import type { NetworkLimits } from './limits.ts';
import type { Offence } from './offences.ts';
import { collected } from './reading.ts';

const HEADER_BYTES = 12;
const TYPE = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
const SYN = 1;
/** Messages of the encrypted connection over which one frame may be spread. */
const MAX_PIECES = 4_096;
/** After so many frames of data that are small on average, what the streams hold of them is copied together. */
const COMPACT_AFTER = 4_096;
const SMALL_FRAME_BYTES = 512;
/** How much may arrive between two looks at what is buffered. */
const LOOK_EVERY_BYTES = 256 * 1024;

export interface GuardOptions {
  readonly limits: NetworkLimits;
  readonly now: () => number;
  /** The longest frame: the greatest window of a stream. */
  readonly maxFrame: number;
  /** A connection, known by the list of its streams, is cut for this. */
  readonly offend: (streams: readonly object[], offence: Offence, detail: string) => void;
}

/** The parts of a stream that count; `readBuffer` is there, though not declared for others. */
interface Buffering {
  readonly readBufferLength?: number;
  readonly writeBufferLength?: number;
  readonly readBuffer?: {
    readonly byteLength: number;
    subarray(): Uint8Array;
    consume(bytes: number): void;
    append(chunk: Uint8Array): void;
  };
}

/** Bytes that the streams of a connection hold: read by nobody, part of a frame, or taken by nobody yet. */
export function bufferedBytes(streams: readonly object[]): number {
  let sum = 0;
  for (const stream of streams as readonly Buffering[]) {
    sum += (stream.readBufferLength ?? 0) + (stream.writeBufferLength ?? 0) + collected(stream);
  }
  return sum;
}

function compact(streams: readonly object[]): void {
  for (const { readBuffer } of streams as readonly Buffering[]) {
    if (readBuffer === undefined || readBuffer.byteLength === 0) continue;
    const whole = Uint8Array.from(readBuffer.subarray());
    readBuffer.consume(whole.length);
    readBuffer.append(whole);
  }
}

class Guard {
  readonly #options: GuardOptions;
  readonly #connection: MessageStream;
  readonly #muxer: () => StreamMuxer | undefined;
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #view = new DataView(this.#header.buffer);
  readonly #frames: TokenBucket;
  readonly #pings: TokenBucket;
  readonly #openings: TokenBucket;
  #filled = 0;
  /** Bytes of the present frame's data that are still to come, and the messages it has come in. */
  #left = 0;
  #pieces = 0;
  #smallFrames = 0;
  #smallBytes = 0;
  #sinceLook = 0;

  constructor(options: GuardOptions, connection: MessageStream, muxer: () => StreamMuxer | undefined) {
    this.#options = options;
    this.#connection = connection;
    this.#muxer = muxer;
    const { limits, now } = options;
    this.#frames = new TokenBucket(limits.muxFramesPerSecond, 4 * limits.muxFramesPerSecond, now);
    this.#pings = new TokenBucket(limits.muxPingsPerSecond, 8 * limits.muxPingsPerSecond, now);
    this.#openings = new TokenBucket(limits.muxStreamsPerSecond, 8 * limits.muxStreamsPerSecond, now);
    connection.addEventListener('message', (event) => this.#onMessage(event));
  }

  #onMessage(event: StreamMessageEvent): void {
    try {
      const { data } = event;
      let broken: string | undefined;
      if (data instanceof Uint8Array) broken = this.#read(data);
      else for (const chunk of data) broken ??= this.#read(chunk);
      broken ??= this.#look(data.byteLength);
      if (broken === undefined) return;
      // the multiplexer must not see it, and goodbyes would only be buffered
      event.stopImmediatePropagation();
      this.#cut(broken);
    } catch (error) {
      event.stopImmediatePropagation();
      this.#cut(`the guard failed: ${String(error)}`);
    }
  }

  #cut(detail: string): void {
    this.#options.offend(this.#muxer()?.streams ?? [], 'MUXER_ABUSE', detail);
    this.#connection.abort(new Error(detail));
  }

  /** Reads headers; says what is wrong with them, if anything. */
  #read(chunk: Bytes): string | undefined {
    if (this.#left > 0 && ++this.#pieces > MAX_PIECES) return `a frame in more than ${MAX_PIECES} pieces`;
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - offset);
        this.#left -= step;
        offset += step;
        continue;
      }
      this.#header[this.#filled++] = chunk[offset++]!;
      if (this.#filled < HEADER_BYTES) continue;
      this.#filled = 0;
      const broken = this.#check();
      if (broken !== undefined) return broken;
    }
    return undefined;
  }

  #check(): string | undefined {
    const version = this.#header[0]!;
    const type = this.#header[1]!;
    const flags = this.#view.getUint16(2);
    const length = this.#view.getUint32(8);
    if (version !== 0 || type > TYPE.goAway) return 'a header that is none';
    if (!this.#frames.tryTake(1)) return 'too many frames a second';
    if ((flags & SYN) !== 0) {
      const bucket = type === TYPE.ping ? this.#pings : this.#openings;
      if (!bucket.tryTake(1)) return type === TYPE.ping ? 'too many pings' : 'too many new streams';
    }
    if (type !== TYPE.data) return undefined;
    const { maxFrame } = this.#options;
    if (length > maxFrame) return `a frame of ${length} bytes, the window is ${maxFrame} at most`;
    this.#left = length;
    this.#pieces = 0;
    this.#smallFrames++;
    this.#smallBytes += length;
    return undefined;
  }

  #look(arrived: number): string | undefined {
    const streams = this.#muxer()?.streams ?? [];
    if (this.#smallFrames >= COMPACT_AFTER) {
      if (this.#smallBytes < SMALL_FRAME_BYTES * this.#smallFrames) compact(streams);
      this.#smallFrames = 0;
      this.#smallBytes = 0;
    }
    this.#sinceLook += arrived;
    if (this.#sinceLook < LOOK_EVERY_BYTES) return undefined;
    this.#sinceLook = 0;
    const held = bufferedBytes(streams) + ((this.#connection as Buffering).writeBufferLength ?? 0);
    return held > this.#options.limits.bufferedPerConnection
      ? `${held} bytes that nobody reads or takes`
      : undefined;
  }
}

/** The same multiplexer, with a guard before each connection. */
export function guarded(create: () => StreamMuxerFactory, options: GuardOptions): () => StreamMuxerFactory {
  return () => {
    const inner = create();
    return {
      protocol: inner.protocol,
      createStreamMuxer: (connection) => {
        let muxer: StreamMuxer | undefined;
        // its listener must come first
        new Guard(options, connection, () => muxer);
        muxer = inner.createStreamMuxer(connection);
        return muxer;
      },
    };
  };
}
