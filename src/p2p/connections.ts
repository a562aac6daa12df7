/** The open connections of the host, by peer. A peer may have some; the newest is the one that is alive for sure. */
import type { Connection, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import type { Host } from './host.ts';

const OPEN_TIMEOUT_MS = 5_000;

export class Connections {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Open connections to a peer, the newest first. */
  of(peer: string): Connection[] {
    return this.#host
      .getConnections(peerIdFromString(peer))
      .filter((connection) => connection.status === 'open')
      .sort((a, b) => b.timeline.open - a.timeline.open);
  }

  /** The newest open connection to each peer. */
  newest(): Map<string, Connection> {
    const newest = new Map<string, Connection>();
    for (const connection of this.#host.getConnections()) {
      const peer = connection.remotePeer.toString();
      const known = newest.get(peer);
      if (connection.status !== 'open' || (known && known.timeline.open > connection.timeline.open)) continue;
      newest.set(peer, connection);
    }
    return newest;
  }

  async open(peer: string, protocol: string): Promise<Stream> {
    const connection = this.of(peer)[0];
    if (connection === undefined) throw new Error(`no connection to ${peer}`);
    return await connection.newStream(protocol, { signal: AbortSignal.timeout(OPEN_TIMEOUT_MS) });
  }

  abort(peer: string, reason: string): void {
    for (const connection of this.#host.getConnections(peerIdFromString(peer))) {
      connection.abort(new Error(reason));
    }
  }

  abortAll(reason: string): void {
    for (const connection of this.#host.getConnections()) connection.abort(new Error(reason));
  }
}
