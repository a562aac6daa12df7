/** The stream of final blocks, as server-sent events. Streams are few, and one that is not read is cut off. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ProtocolError } from '../codec/errors.ts';
import type { ApiBackend, FinalEvent } from './backend.ts';
import { addressOf, type Door } from './door.ts';
import { finalEventJson } from './present.ts';

export interface Streams {
  readonly open: number;
  end(): void;
}

export function registerStream(app: FastifyInstance, backend: ApiBackend, door: Door): Streams {
  const { maxStreams, maxStreamsPerAddress, maxStreamBacklog, streamKeepAliveMs } = door.limits;
  const open = new Map<FastifyReply['raw'], string>();
  const write = (raw: FastifyReply['raw'], text: string): void => {
    if (raw.destroyed) return;
    if (raw.writableLength > maxStreamBacklog) {
      door.count('refused.SLOW_READER');
      raw.destroy();
    } else raw.write(text);
  };
  // a proxy or a client takes silence for a broken connection
  const timer = setInterval(() => {
    for (const raw of open.keys()) write(raw, ':\n\n');
  }, streamKeepAliveMs).unref();

  app.get('/v1/blocks/stream', (request, reply) => {
    const address = addressOf(request.raw.socket.remoteAddress);
    const theirs = [...open.values()].filter((other) => other === address).length;
    if (open.size >= maxStreams || theirs >= maxStreamsPerAddress) {
      throw new ProtocolError('TOO_MANY_STREAMS', 'too many open streams; try another node');
    }
    reply.hijack();
    const { raw } = reply;
    open.set(raw, address);
    const stop = backend.onFinal((event: FinalEvent) =>
      write(raw, `event: final\ndata: ${JSON.stringify(finalEventJson(event))}\n\n`),
    );
    raw.on('close', () => {
      stop();
      open.delete(raw);
    });
    raw.on('error', () => raw.destroy());
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    raw.write(': kryder\n\n');
  });
  return {
    get open() {
      return open.size;
    },
    end: () => {
      clearInterval(timer);
      for (const raw of open.keys()) raw.destroy();
    },
  };
}
