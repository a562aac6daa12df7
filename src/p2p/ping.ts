/**
 * Answers pings, which tell a peer that its connection lives. The library's own answerer queues what it has not sent
 * back yet without bound; this one takes a few pings a stream, one after the other.
 */
import type { Stream } from '@libp2p/interface';

export const PING_PROTOCOL = '/ipfs/ping/1.0.0';
const PING_BYTES = 32;
const MOST_BYTES = 8 * PING_BYTES;
const LIFETIME_MS = 10_000;

export function answerPings(stream: Stream): void {
  let taken = 0;
  const timer = setTimeout(() => stream.abort(new Error('pinged long enough')), LIFETIME_MS).unref();
  stream.addEventListener('close', () => clearTimeout(timer));
  stream.addEventListener('message', ({ data }) => {
    taken += data.byteLength;
    if (taken > MOST_BYTES || stream.writeStatus !== 'writable') {
      stream.abort(new Error('too many pings on one stream'));
      return;
    }
    try {
      stream.send(data);
    } catch {
      // closed in between
    }
  });
  stream.addEventListener('remoteCloseWrite', () => {
    stream.close().catch(() => stream.abort(new Error('the stream did not close')));
  });
}
