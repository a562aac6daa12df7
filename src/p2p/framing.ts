/**
 * Frames on a byte stream: four bytes of length (big-endian, of the payload alone), then the payload. A length is
 * compared with the bound of its lane as soon as its four bytes are there; nothing is allocated for a frame before
 * all of its bytes have arrived, so a declared length costs the receiver nothing.
 */
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';

export const FRAME_HEADER_BYTES = 4;

/** One frame: the concatenation of `parts`, with its length in front. */
export function frame(...parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(FRAME_HEADER_BYTES + length);
  new DataView(out.buffer).setUint32(0, length);
  let offset = FRAME_HEADER_BYTES;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** When so many chunks wait, small ones are copied together: each costs some 200 bytes beside its contents. */
const MANY_CHUNKS = 32;
const SMALL_CHUNK_BYTES = 512;
const TAIL_BYTES = 16 * 1024;

/** Cuts a stream of chunks into frames. Holds little more than what was pushed and not yet taken out. */
export class FrameDecoder {
  readonly #maxFrame: number;
  #chunks: Bytes[] = [];
  #first = 0;
  #offset = 0;
  #buffered = 0;
  #length: number | undefined;
  /** The last chunk, where it is a collection of small ones. */
  #tail: Bytes | undefined;
  #tailUsed = 0;

  constructor(maxFrame: number) {
    this.#maxFrame = maxFrame;
  }

  /** Bytes that were pushed and not yet returned. */
  get buffered(): number {
    return this.#buffered;
  }

  push(chunk: Bytes): void {
    if (chunk.length === 0) return;
    this.#buffered += chunk.length;
    if (chunk.length >= SMALL_CHUNK_BYTES || this.#chunks.length < MANY_CHUNKS) {
      this.#chunks.push(chunk);
      this.#tail = undefined;
      return;
    }
    if (this.#tail === undefined || this.#tailUsed + chunk.length > TAIL_BYTES) {
      this.#tail = new Uint8Array(TAIL_BYTES);
      this.#tailUsed = 0;
      this.#chunks.push(this.#tail);
    }
    this.#tail.set(chunk, this.#tailUsed);
    this.#tailUsed += chunk.length;
    this.#chunks[this.#chunks.length - 1] = this.#tail.subarray(0, this.#tailUsed);
  }

  /** The next whole payload, a copy, or undefined. Throws `FRAME_INVALID` when its length is out of bounds. */
  next(): Bytes | undefined {
    if (this.#length === undefined) {
      if (this.#buffered < FRAME_HEADER_BYTES) return undefined;
      const header = this.#take(FRAME_HEADER_BYTES);
      const length = new DataView(header.buffer).getUint32(0);
      if (length === 0 || length > this.#maxFrame) {
        throw new ProtocolError(
          'FRAME_INVALID',
          `frame of ${length} bytes, allowed are 1 to ${this.#maxFrame}`,
        );
      }
      this.#length = length;
    }
    if (this.#buffered < this.#length) return undefined;
    const payload = this.#take(this.#length);
    this.#length = undefined;
    return payload;
  }

  #take(count: number): Bytes & { buffer: ArrayBuffer } {
    const out = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const chunk = this.#chunks[this.#first]!;
      const piece = chunk.subarray(this.#offset, this.#offset + count - filled);
      out.set(piece, filled);
      filled += piece.length;
      this.#offset += piece.length;
      if (this.#offset === chunk.length) {
        this.#first++;
        this.#offset = 0;
      }
    }
    this.#buffered -= count;
    if (this.#first === this.#chunks.length) {
      this.#chunks = [];
      this.#first = 0;
      this.#tail = undefined;
    } else if (this.#first > 64) {
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
    return out;
  }
}
