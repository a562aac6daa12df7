/**
 * What is looked at over all connections. Once a second: whether a ready peer has lost its gossip stream, and how much
 * is buffered for all strangers together. One connection is bounded by its guard; many together are bounded here: while
 * they hold too much, the one that holds most has to go. When there is no room for another stranger: whether one address
 * has so many of the places that one of its peers gives way.
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

export interface Guest {
  readonly peer: string;
  /** See `addressKey`. */
  readonly address: string;
}

/** Of the guests, in the order of their coming, the one that gives way to a newcomer from `address`, if there is one. */
export function givesWay(guests: readonly Guest[], address: string): string | undefined {
  const counts = new Map<string, number>();
  for (const guest of guests) counts.set(guest.address, (counts.get(guest.address) ?? 0) + 1);
  const [crowded, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0]);
  // whoever gives way comes back as a newcomer, who must not find it the other way round
  if (most < (counts.get(address) ?? 0) + 2) return undefined;
  return guests.findLast((guest) => guest.address === crowded)?.peer;
}
