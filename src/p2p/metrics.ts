/**
 * Every figure that `Network.metrics()` gives, with its kind, unit and meaning: the source of what an operator sees.
 * Names are stable. A counter only grows while the process lives, what sessions that are gone have counted included;
 * all figures of a family (`offences.`, `refused.`) are there from the start, at zero.
 */
import { REFUSALS } from './door.ts';
import { OFFENCES } from './offences.ts';

export interface NetworkMetric<Name extends string = string> {
  readonly name: Name;
  readonly kind: 'counter' | 'gauge';
  readonly unit?: 'bytes';
  readonly help: string;
}

const counter = <const Name extends string>(name: Name, help: string): NetworkMetric<Name> => ({
  name,
  kind: 'counter',
  help,
});
const gauge = <const Name extends string>(name: Name, help: string): NetworkMetric<Name> => ({
  name,
  kind: 'gauge',
  help,
});
const bytes = <const Name extends string>(metric: NetworkMetric<Name>): NetworkMetric<Name> => ({
  ...metric,
  unit: 'bytes',
});

/** What each session has; the network gives the sums. */
export const SESSION_METRICS = [
  gauge('votes.queue.length', 'Votes and certificates that wait for peers to take them'),
  bytes(gauge('votes.queue.bytes', 'The bytes of these')),
  counter('votes.dropped', 'Votes and certificates that a full queue dropped'),
  bytes(counter('votes.sent.bytes', 'Sent on the votes lane')),
  bytes(counter('votes.received.bytes', 'Received on the votes lane')),
  gauge('proposals.queue.length', 'Proposals that wait for peers to take them'),
  bytes(gauge('proposals.queue.bytes', 'The bytes of these')),
  counter('proposals.dropped', 'Proposals that a newer one pushed out'),
  bytes(counter('proposals.sent.bytes', 'Sent on the proposals lane')),
  bytes(counter('proposals.received.bytes', 'Received on the proposals lane')),
  gauge('hello.queue.length', 'Hellos and records that wait for peers to take them'),
  bytes(gauge('hello.queue.bytes', 'The bytes of these')),
  counter('hello.dropped', 'Records that a full queue dropped'),
  bytes(counter('hello.sent.bytes', 'Sent on the hello lane')),
  bytes(counter('hello.received.bytes', 'Received on the hello lane')),
  gauge('bulk.asked.inflight', 'Requests to peers that are under way'),
  gauge('bulk.asked.queue.length', 'Requests to peers that wait for a place'),
  bytes(gauge('bulk.asked.queue.bytes', 'The bytes of requests that no stream has taken yet')),
  counter('bulk.asked.refused', 'Requests that found no place in the queue of their peer'),
  bytes(counter('bulk.asked.received.bytes', 'Responses received')),
  bytes(counter('bulk.asked.sent.bytes', 'Requests sent')),
  gauge('bulk.served.inflight', 'Requests of peers that are served or wait for it'),
  bytes(gauge('bulk.served.queue.bytes', 'Responses that are made and not sent yet')),
  bytes(counter('bulk.served.sent.bytes', 'Responses sent')),
];

export type SessionFigures = Record<(typeof SESSION_METRICS)[number]['name'], number>;

const OF_THE_NETWORK: readonly NetworkMetric[] = [
  gauge('peers.connected', 'Connected peers, ready or not'),
  gauge('peers.ready', 'Peers that have said hello'),
  gauge('peers.validators', 'Ready peers that have proved a consensus key of the set'),
  gauge('peers.persistent', 'Ready peers that the operator named as persistent'),
  gauge('peers.banned', 'Peers that are refused because of what they did'),
  counter('peers.bans', 'Bans of peers'),
  gauge('addresses.banned', 'Addresses that are refused because of what their peers did'),
  counter('addresses.bans', 'Bans of addresses'),
  gauge('records.known', 'Validators of which a peer record is held'),
  gauge('inbound.connections', 'Inbound connections, in their handshake or later'),
  gauge('inbound.handshakes', 'Inbound connections in their handshake'),
  counter('inbound.failed', 'Inbound connections that ended before their peer was known'),
  counter('inbound.evicted', 'Inbound connections without a hello that gave way to new ones'),
  gauge('dial.targets', 'Peers and addresses that are dialled when they are not connected'),
  counter('dial.attempts', 'Dials'),
  counter('dial.failures', 'Dials that failed'),
  counter('dial.discovered.dropped', 'Discovered peers that there was no room to remember'),
  counter('dial.lookups.refused', 'Names that were not looked up because too many were already'),
  gauge('gossip.subscribers', 'Peers that want batches of transactions'),
  gauge('gossip.mesh', 'Peers to which batches are forwarded at once'),
  gauge('gossip.pending', 'Batches under validation'),
  bytes(gauge('gossip.pending.bytes', 'The bytes of these')),
  counter('gossip.received', 'Batches received'),
  bytes(counter('gossip.received.bytes', 'The bytes of these')),
  counter('gossip.published', 'Batches of this node'),
  bytes(counter('gossip.published.bytes', 'The bytes of these')),
  counter('gossip.dropped', 'Batches dropped, or not passed on, because of a rate or for want of room'),
  counter('stray.errors', 'Errors of the libraries on dying streams that nobody could catch'),
  bytes(gauge('buffered.bytes', 'What the streams of all connections hold, not read or not sent yet')),
  bytes(gauge('bulk.served.free.bytes', 'What may still be reserved for large responses')),
];

/** All of them, in the order of the documentation. */
export const NETWORK_METRICS: readonly NetworkMetric[] = [
  ...OF_THE_NETWORK,
  ...SESSION_METRICS,
  ...Object.entries(REFUSALS).map(([reason, what]) =>
    counter(`refused.${reason}`, `Connections refused: ${what}`),
  ),
  ...Object.keys(OFFENCES).map((offence) => counter(`offences.${offence}`, `Offences of peers: ${offence}`)),
];
