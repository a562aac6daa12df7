/** The figures of `Network.metrics()`, out of the parts of the network layer; metrics.ts says what each means. */
import type { Conduct } from './conduct.ts';
import type { Dialer } from './dialer.ts';
import type { Directory } from './directory.ts';
import type { Door } from './door.ts';
import type { TransactionGossip } from './gossip.ts';
import { NETWORK_METRICS } from './metrics.ts';
import type { PeerScores } from './offences.ts';
import type { Resolver } from './resolver.ts';
import type { Session } from './session.ts';
import { strayErrors } from './stray.ts';
import { addTo } from './totals.ts';

export interface Sources {
  /** What the sessions that are gone have counted. */
  readonly totals: ReadonlyMap<string, number>;
  readonly sessions: readonly Session[];
  readonly conduct: Conduct;
  readonly scores: PeerScores;
  readonly door: Door;
  readonly dialer: Dialer;
  readonly resolver: Resolver;
  readonly directory: Directory;
  readonly gossip: TransactionGossip;
  /** Bytes that may still be reserved for large responses, and those that all streams hold. */
  readonly freeForServing: number;
  readonly buffered: number;
}

export function figures(of: Sources): Record<string, number> {
  const { sessions, conduct, scores, door, dialer, directory, gossip } = of;
  const all = new Map(NETWORK_METRICS.map(({ name }) => [name, 0]));
  addTo(all, Object.fromEntries(of.totals));
  for (const session of sessions) addTo(all, session.metrics());
  for (const [offence, count] of conduct.counts) all.set(`offences.${offence}`, count);
  for (const [reason, count] of door.refused()) all.set(`refused.${reason}`, count);
  const ready = sessions.filter((session) => session.ready);
  return {
    ...Object.fromEntries(all),
    'peers.connected': sessions.length,
    'peers.ready': ready.length,
    'peers.validators': ready.filter((session) => session.validator !== undefined).length,
    'peers.banned': scores.bans,
    'peers.persistent': ready.filter(({ peer }) => dialer.isPersistent(peer)).length,
    'peers.bans': scores.total,
    'addresses.banned': door.bannedAddresses,
    'addresses.bans': door.addressBans,
    'inbound.connections': door.inbound,
    'inbound.handshakes': door.handshakes,
    'inbound.failed': door.failed,
    'inbound.evicted': door.evicted,
    'dial.discovered.dropped': dialer.dropped,
    'dial.lookups.refused': of.resolver.refused,
    'records.known': directory.size,
    'dial.targets': dialer.targets,
    'dial.attempts': dialer.dials,
    'dial.failures': dialer.failures,
    'gossip.subscribers': gossip.subscribers,
    'gossip.mesh': gossip.meshPeers,
    'gossip.pending': gossip.pending,
    'gossip.pending.bytes': gossip.pendingBytes,
    'gossip.received': gossip.received,
    'gossip.received.bytes': gossip.receivedBytes,
    'gossip.published': gossip.published,
    'gossip.published.bytes': gossip.publishedBytes,
    'gossip.dropped': gossip.dropped,
    'bulk.served.free.bytes': of.freeForServing,
    'stray.errors': strayErrors(),
    'buffered.bytes': of.buffered,
  };
}
