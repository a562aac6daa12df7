/**
 * What is looked at once a second over all connections: whether a ready peer has lost its gossip stream, and how much
 * is buffered for all strangers together. One connection is bounded by its guard; many together are bounded here: while
 * they hold too much, the one that holds most has to go.
 */
import type { Connection } from '@libp2p/interface';
import type { NetworkLimits } from './limits.ts';
import { bufferedBytes } from './mux-guard.ts';

export function gossips(connections: readonly Connection[]): boolean {
  return connections.some((connection) =>
    connection.streams.some(
      (stream) => stream.direction === 'outbound' && stream.protocol.startsWith('/meshsub/'),
    ),
  );
}

export interface Buffered {
  /** Of all connections. */
  readonly bytes: number;
  /** Peers that are not kept and have to go, with what they hold. */
  readonly excess: readonly { readonly peer: string; readonly bytes: number }[];
}

/** Measures what all connections have buffered. `isKept` peers are counted, but never have to go. */
export function measureBuffers(
  connections: readonly Connection[],
  limits: NetworkLimits,
  isKept: (peer: string) => boolean,
): Buffered {
  const held = new Map<string, number>();
  let all = 0;
  let strangers = 0;
  for (const connection of connections) {
    const bytes = bufferedBytes(connection.streams);
    const peer = connection.remotePeer.toString();
    all += bytes;
    if (isKept(peer)) continue;
    strangers += bytes;
    held.set(peer, (held.get(peer) ?? 0) + bytes);
  }
  const excess: { peer: string; bytes: number }[] = [];
  for (const [peer, bytes] of [...held].sort((a, b) => b[1] - a[1])) {
    if (strangers <= limits.bufferedForStrangers) break;
    strangers -= bytes;
    excess.push({ peer, bytes });
  }
  return { bytes: all, excess };
}
