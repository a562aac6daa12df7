/**
 * A second request before the first is answered. Nobody pipelines but to make the node hold answers, so the
 * connection is cut off; and a thousand requests come in one piece of 64 KiB, all of which Node would parse and
 * announce one by one before anybody could stop it (15 ms), so the parser itself is told to stop at the second.
 */
import type { Socket } from 'node:net';

/** What Node keeps on each socket of an HTTP server; undocumented, so a test holds it. */
interface Parser {
  onIncoming?: (request: unknown, shouldKeepAlive: boolean) => number;
}

/** The parser takes what follows for another protocol, and leaves it. */
const STOP = 2;

/** Calls `refused` and cuts the connection off when a request comes while `busy`. */
export function cutPipelining(socket: Socket, busy: () => boolean, refused: () => void): void {
  const { parser } = socket as Socket & { parser?: Parser | null };
  const announce = parser?.onIncoming;
  if (parser === undefined || parser === null || announce === undefined) return;
  parser.onIncoming = (request, shouldKeepAlive) => {
    if (socket.destroyed) return STOP;
    if (!busy()) return announce.call(parser, request, shouldKeepAlive);
    refused();
    socket.destroy();
    return STOP;
  };
}
