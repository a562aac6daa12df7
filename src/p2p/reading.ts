/**
 * Reading frames from a libp2p stream with real back-pressure: `for await` over such a stream buffers without
 * bound, so this room listens to its events, and pauses it whenever a chunk arrives that nobody waits for. A paused
 * stream costs at most its flow-control window.
 */
import type { Stream } from '@libp2p/interface';
import type { Bytes } from '../codec/bytes.ts';
import type { TokenBucket } from './bucket.ts';
import { FrameDecoder } from './framing.ts';

/** Anything that libp2p hands over as data: one chunk or a list of chunks. */
type Data = Uint8Array | Iterable<Uint8Array>;

const decoders = new WeakMap<object, FrameDecoder>();

/** Bytes of a frame of `stream` that is not whole yet. */
export function collected(stream: object): number {
  return decoders.get(stream)?.buffered ?? 0;
}

/**
 * The payloads that arrive on `stream`, until it ends in whatever way; a frame cut short by the end is dropped.
 * Throws `FRAME_INVALID` for a length out of bounds. One consumer, which may take its time.
 */
export async function* frames(stream: Stream, maxFrame: number): AsyncGenerator<Bytes, void, undefined> {
  const decoder = new FrameDecoder(maxFrame);
  decoders.set(stream, decoder);
  let ended = false;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  const onMessage = (event: { data: Data }): void => {
    if (event.data instanceof Uint8Array) decoder.push(event.data);
    else for (const chunk of event.data) decoder.push(chunk);
    if (wake === undefined) setPaused(stream, true);
    notify();
  };
  const onEnd = (): void => {
    ended = true;
    notify();
  };
  stream.addEventListener('message', onMessage);
  stream.addEventListener('remoteCloseWrite', onEnd);
  stream.addEventListener('close', onEnd);
  try {
    if (stream.status !== 'open' || stream.remoteWriteStatus === 'closed') ended = true;
    for (;;) {
      const payload = decoder.next();
      if (payload !== undefined) {
        yield payload;
        continue;
      }
      if (ended) return;
      const arrival = new Promise<void>((resolve) => {
        wake = resolve;
      });
      setPaused(stream, false);
      await arrival;
    }
  } finally {
    stream.removeEventListener('message', onMessage);
    stream.removeEventListener('remoteCloseWrite', onEnd);
    stream.removeEventListener('close', onEnd);
    decoders.delete(stream);
  }
}

/** Pauses or resumes reading, where that changes anything. */
export function setPaused(stream: Stream, paused: boolean): void {
  if (stream.readStatus !== (paused ? 'readable' : 'paused')) return;
  if (paused) stream.pause();
  else stream.resume();
}

/**
 * A transform that lets frames through no faster than the buckets allow, which slows the sender down. Each frame takes
 * `cost` out of `count`.
 */
export function paced(bytes: TokenBucket, count: TokenBucket, cost: () => number) {
  return async function* (source: AsyncIterable<Bytes>): AsyncGenerator<Bytes, void, undefined> {
    for await (const payload of source) {
      const wait = Math.max(bytes.take(payload.length), count.take(cost()));
      if (wait > 0) await sleep(wait);
      yield payload;
    }
  };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
