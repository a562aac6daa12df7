/** The network in metrics: what its room counts, and the verdicts that the node returns to it. */
import { ProtocolError } from '../../codec/errors.ts';
import type { BatchVerdict, NetworkHandlers } from '../../p2p/types.ts';
import { METHOD } from '../requests.ts';
import type { Metrics } from './registry.ts';

const METHODS = new Map<number, string>(Object.entries(METHOD).map(([name, number]) => [number, name]));
const BYTES = /^(hello|votes|proposals)\.(sent|received)\.bytes$/;
const OFFENCE = 'offences.';
const REFUSED = 'refused.';
const BULK_BYTES = /^bulk\.(?:asked|served)\.(sent|received)\.bytes$/;

/** Takes over what `network.metrics()` says. Names that are not known here are left out; a test looks for them. */
export function recordNetwork(metrics: Metrics, counts: Readonly<Record<string, number>>): void {
  const bulk = { sent: 0, received: 0 };
  for (const [name, value] of Object.entries(counts)) {
    const [, lane, direction] = BYTES.exec(name) ?? [];
    const [, bulkDirection] = BULK_BYTES.exec(name) ?? [];
    if (lane !== undefined && direction !== undefined) {
      metrics.total('kryder_network_bytes_total', value, { lane, direction });
    } else if (bulkDirection !== undefined) bulk[bulkDirection as 'sent' | 'received'] += value;
    else if (name.startsWith(OFFENCE)) {
      metrics.total('kryder_offences_total', value, { offence: name.slice(OFFENCE.length) });
    } else if (name.startsWith(REFUSED)) {
      metrics.total('kryder_connections_refused_total', value, { reason: name.slice(REFUSED.length) });
    } else NAMED[name]?.(metrics, value);
  }
  for (const [direction, value] of Object.entries(bulk)) {
    metrics.total('kryder_network_bytes_total', value, { lane: 'bulk', direction });
  }
}

/** Whether a name of the network's counters reaches Prometheus. */
export function isMapped(name: string): boolean {
  return (
    BYTES.test(name) ||
    BULK_BYTES.test(name) ||
    name.startsWith(OFFENCE) ||
    name.startsWith(REFUSED) ||
    name in NAMED
  );
}

type Take = (metrics: Metrics, value: number) => void;

const length =
  (queue: string): Take =>
  (m, value) =>
    m.set('kryder_queue_length', value, { queue });
const bytes =
  (queue: string): Take =>
  (m, value) =>
    m.set('kryder_queue_bytes', value, { queue });
const dropped =
  (queue: string): Take =>
  (m, value) =>
    m.total('kryder_queue_dropped_total', value, { queue });
const state =
  (name: string): Take =>
  (m, value) =>
    m.set('kryder_peers', value, { state: name });

const NAMED: Readonly<Record<string, Take>> = {
  'votes.queue.length': length('votes'),
  'votes.queue.bytes': bytes('votes'),
  'votes.dropped': dropped('votes'),
  'proposals.queue.length': length('proposals'),
  'proposals.queue.bytes': bytes('proposals'),
  'proposals.dropped': dropped('proposals'),
  'hello.queue.length': length('hello'),
  'hello.queue.bytes': bytes('hello'),
  'hello.dropped': dropped('hello'),
  'bulk.asked.queue.length': length('bulk-waiting'),
  'bulk.asked.inflight': length('bulk-asked'),
  'bulk.asked.queue.bytes': bytes('bulk-asked'),
  'bulk.asked.refused': dropped('bulk-asked'),
  'bulk.served.inflight': length('bulk-served'),
  'bulk.served.queue.bytes': bytes('bulk-served'),
  'buffered.bytes': (m, value) => m.set('kryder_streams_buffered_bytes', value),
  'stray.errors': (m, value) => m.total('kryder_stray_errors_total', value),
  'bulk.served.free.bytes': (m, value) => m.set('kryder_serving_free_bytes', value),
  'gossip.pending': length('gossip'),
  'gossip.pending.bytes': bytes('gossip'),
  'gossip.dropped': dropped('gossip'),
  'gossip.received': (m, value) => m.total('kryder_gossip_batches_total', value, { direction: 'received' }),
  'gossip.published': (m, value) => m.total('kryder_gossip_batches_total', value, { direction: 'published' }),
  'gossip.received.bytes': (m, value) =>
    m.total('kryder_network_bytes_total', value, { lane: 'gossip', direction: 'received' }),
  'gossip.published.bytes': (m, value) =>
    m.total('kryder_network_bytes_total', value, { lane: 'gossip', direction: 'sent' }),
  'gossip.subscribers': (m, value) => m.set('kryder_gossip_peers', value, { kind: 'subscriber' }),
  'gossip.mesh': (m, value) => m.set('kryder_gossip_peers', value, { kind: 'mesh' }),
  'peers.connected': state('connected'),
  'peers.ready': state('ready'),
  'peers.validators': state('validator'),
  'peers.persistent': state('persistent'),
  'peers.banned': (m, value) => m.set('kryder_bans', value, { of: 'peer' }),
  'peers.bans': (m, value) => m.total('kryder_bans_total', value, { of: 'peer' }),
  'addresses.banned': (m, value) => m.set('kryder_bans', value, { of: 'address' }),
  'addresses.bans': (m, value) => m.total('kryder_bans_total', value, { of: 'address' }),
  'inbound.connections': (m, value) => m.set('kryder_inbound_connections', value, { state: 'open' }),
  'inbound.handshakes': (m, value) => m.set('kryder_inbound_connections', value, { state: 'handshake' }),
  'inbound.failed': (m, value) => m.total('kryder_inbound_lost_total', value, { why: 'failed' }),
  'inbound.evicted': (m, value) => m.total('kryder_inbound_lost_total', value, { why: 'evicted' }),
  'dial.discovered.dropped': dropped('discovered'),
  'dial.lookups.refused': dropped('lookups'),
  'records.known': (m, value) => m.set('kryder_peer_records', value),
  'dial.targets': (m, value) => m.set('kryder_dial_targets', value),
  'dial.attempts': (m, value) => m.total('kryder_dials_total', value),
  'dial.failures': (m, value) => m.total('kryder_dial_failures_total', value),
};

/** The same handlers, with their verdicts and answers counted. */
export function countedHandlers(handlers: NetworkHandlers, metrics: Metrics): NetworkHandlers {
  const counted = <V extends BatchVerdict>(lane: string, verdict: V): V => {
    metrics.inc('kryder_messages_total', 1, { lane, verdict });
    return verdict;
  };
  return {
    onVote: (vote, from, peer) => counted('vote', handlers.onVote(vote, from, peer)),
    onProposal: (proposal, peer, from) => counted('proposal', handlers.onProposal(proposal, peer, from)),
    onCertificate: (certificate, peer) => counted('certificate', handlers.onCertificate(certificate, peer)),
    onTransactions: async (batch, peer, from) =>
      counted('transactions', await handlers.onTransactions(batch, peer, from)),
    onPeer: (peer, event) => handlers.onPeer(peer, event),
    onRequest: async (method, payload, peer, maxResponseBytes, charge) => {
      const done = (outcome: string): void =>
        metrics.inc('kryder_requests_served_total', 1, { method: METHODS.get(method) ?? 'other', outcome });
      try {
        const answer = await handlers.onRequest(method, payload, peer, maxResponseBytes, charge);
        done('answered');
        return answer;
      } catch (error) {
        done(error instanceof ProtocolError ? 'refused' : 'failed');
        throw error;
      }
    },
  };
}
