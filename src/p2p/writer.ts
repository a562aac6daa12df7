/**
 * Writing frames to a kept-open libp2p stream. A writer pulls frames from its source only while the stream takes
 * them, in slices of at most 64 KB, so that nothing piles up in the multiplexer, whose own buffer has no bound,
 * and no lane holds up another for longer than a slice. What waits, waits in a `BoundedQueue`.
 */
import type { Stream } from '@libp2p/interface';
import { type Bytes, concat } from '../codec/bytes.ts';
import { CHUNK_BYTES } from './limits.ts';

/** Yields the next frame to be written, in pieces, or undefined when there is none at the moment. */
export type FrameSource = () => readonly Bytes[] | undefined;

export class StreamWriter {
  readonly #source: FrameSource;
  readonly #now: () => number;
  #stream: Stream | undefined;
  #pieces: readonly Bytes[] = [];
  #piece = 0;
  #offset = 0;
  #scheduled = false;
  #waitingSince: number | undefined;
  /** Bytes handed to the stream. */
  sent = 0;

  constructor(source: FrameSource, now: () => number) {
    this.#source = source;
    this.#now = now;
  }

  readonly #onDrain = (): void => this.kick();

  /** Writes to `stream` from now on. A frame of which the one before took a part is written again in full. */
  attach(stream: Stream): void {
    this.detach();
    this.#piece = 0;
    this.#offset = 0;
    this.#stream = stream;
    stream.addEventListener('drain', this.#onDrain);
    this.kick();
  }

  detach(): void {
    this.#stream?.removeEventListener('drain', this.#onDrain);
    this.#stream = undefined;
    this.#waitingSince = undefined;
  }

  /** Says that the source has something. What is offered within one tick leaves in common chunks. */
  kick(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Bytes of the frame that is being written and has not been handed over yet. */
  get pending(): number {
    let bytes = -this.#offset;
    for (let i = this.#piece; i < this.#pieces.length; i++) bytes += this.#pieces[i]!.length;
    return Math.max(0, bytes);
  }

  /** Milliseconds for which the stream has refused to take what is there. */
  get stalledFor(): number {
    return this.#waitingSince === undefined ? 0 : this.#now() - this.#waitingSince;
  }

  #flush(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    try {
      while (stream.status === 'open' && stream.writeStatus === 'writable') {
        if (stream.writableNeedsDrain) {
          this.#waitingSince ??= this.#now();
          return;
        }
        this.#waitingSince = undefined;
        const chunk = this.#nextChunk();
        if (chunk === undefined) return;
        this.sent += chunk.length;
        stream.send(chunk);
      }
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #nextPiece(): Bytes | undefined {
    while (this.#piece === this.#pieces.length) {
      const next = this.#source();
      if (next === undefined) {
        this.#pieces = [];
        this.#piece = 0;
        return undefined;
      }
      this.#pieces = next;
      this.#piece = 0;
    }
    return this.#pieces[this.#piece]!.subarray(this.#offset);
  }

  #advance(count: number): void {
    this.#offset += count;
    if (this.#offset < this.#pieces[this.#piece]!.length) return;
    this.#piece++;
    this.#offset = 0;
  }

  #nextChunk(): Bytes | undefined {
    const parts: Bytes[] = [];
    let size = 0;
    for (let piece = this.#nextPiece(); piece !== undefined; piece = this.#nextPiece()) {
      const part = piece.subarray(0, CHUNK_BYTES - size);
      parts.push(part);
      size += part.length;
      this.#advance(part.length);
      if (size === CHUNK_BYTES) break;
    }
    return parts.length > 1 ? concat(...parts) : parts[0];
  }
}

interface Queued {
  readonly frame: Bytes;
  readonly rank: number;
}

/**
 * First in, first out, bounded in frames and bytes. When it is full, the oldest frame of the lowest rank gives way;
 * one that would itself be the lowest is not taken.
 */
export class BoundedQueue {
  readonly #maxLength: number;
  readonly #maxBytes: number;
  #frames: Queued[] = [];
  #bytes = 0;
  dropped = 0;

  constructor(maxLength: number, maxBytes: number) {
    this.#maxLength = maxLength;
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when `frame` was dropped; others of at most its rank may have been dropped for it. */
  push(frame: Bytes, rank = 0): boolean {
    while (this.#frames.length >= this.#maxLength || this.#bytes + frame.length > this.#maxBytes) {
      if (!this.#dropOldest(rank)) {
        this.dropped++;
        return false;
      }
    }
    this.#frames.push({ frame, rank });
    this.#bytes += frame.length;
    return true;
  }

  shift(): Bytes | undefined {
    const first = this.#frames.shift();
    if (first !== undefined) this.#bytes -= first.frame.length;
    return first?.frame;
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
  }

  #dropOldest(maxRank: number): boolean {
    let victim = -1;
    for (let i = 0; i < this.#frames.length; i++) {
      const rank = this.#frames[i]!.rank;
      if (rank <= maxRank && (victim < 0 || rank < this.#frames[victim]!.rank)) victim = i;
    }
    if (victim < 0) return false;
    const [gone] = this.#frames.splice(victim, 1);
    this.#bytes -= gone!.frame.length;
    this.dropped++;
    return true;
  }
}
