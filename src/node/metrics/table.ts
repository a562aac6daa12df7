/**
 * The table of all metrics: name, kind, labels and what each says. Registration (registry.ts) and
 * docs/metrics.md are made from it, and a test asserts every entry against a running network. Names end with
 * their unit, or with `_total` where they only grow; a label's values are a closed set, so that no peer and no
 * client can make the number of series grow.
 */
import { API_REFUSALS, API_ROUTES, API_STATUSES } from '../../api/observe.ts';
import { MISS_REASONS } from '../../consensus/events.ts';
import { WARNING_CODES } from '../resources/finding.ts';
import { DROP_CODES, OFFENCE_NAMES, OTHER, QUEUE_NAMES, REFUSAL_CODES, REFUSAL_NAMES } from './labels.ts';

type MetricKind = 'counter' | 'gauge' | 'histogram';

export interface MetricSpec {
  readonly kind: MetricKind;
  /** One sentence for people, without a full stop. */
  readonly help: string;
  /** Label → all its values; `other` stands for what is not among them. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds, for a histogram. */
  readonly buckets?: readonly number[];
}

type Section = Readonly<Record<string, MetricSpec>>;

const FAST = [0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];

const CHAIN = {
  kryder_height: { kind: 'gauge', help: 'Height of the last final block that is on disk here' },
  kryder_finality_seconds: {
    kind: 'histogram',
    help: 'Time from a block’s own time to its being final and on disk here; blocks that were caught up with are left out',
    buckets: [0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300],
  },
  kryder_last_final_age_seconds: { kind: 'gauge', help: 'Time since a block became final here' },
  kryder_blocks_final_total: { kind: 'counter', help: 'Blocks that became final here' },
  kryder_transactions_final_total: { kind: 'counter', help: 'Transactions in them' },
  kryder_block_bytes_final_total: { kind: 'counter', help: 'Bytes of them' },
  kryder_blocks_open: { kind: 'gauge', help: 'Executed blocks above the last final one, in memory' },
  kryder_syncing: { kind: 'gauge', help: '1 while the node catches up by ranges of blocks' },
} as const satisfies Section;

const CONSENSUS = {
  kryder_view: { kind: 'gauge', help: 'View that this node is in' },
  kryder_view_final: { kind: 'gauge', help: 'View of the highest finalised proposal' },
  kryder_views_missed_total: {
    kind: 'counter',
    help: 'Views that this node gave up on, by reason; docs/operation.md explains them',
    labels: { reason: MISS_REASONS },
  },
  kryder_views_held: { kind: 'gauge', help: 'Views of which votes and certificates are in memory' },
  kryder_proposals_total: { kind: 'counter', help: 'Blocks that this node proposed' },
  kryder_certificates_total: {
    kind: 'counter',
    help: 'Certificates that this node made or took over: N notarises, X nullifies, F finalises',
    labels: { kind: ['N', 'X', 'F'] },
  },
  kryder_certifications_failed_total: {
    kind: 'counter',
    help: 'Notarised blocks that this node found invalid when it executed them',
  },
  kryder_equivocations_total: { kind: 'counter', help: 'Pairs of votes that no honest key signs both' },
  kryder_conflicts_total: {
    kind: 'counter',
    help: 'Pairs of certificates that exclude each other: over a third of the stake is dishonest',
  },
  kryder_votes_refused_total: { kind: 'counter', help: 'Votes that the own signer refused to sign' },
  kryder_standstills_total: {
    kind: 'counter',
    help: 'Times that no block became final for long, and all was sent again',
  },
  kryder_messages_total: {
    kind: 'counter',
    help: 'Messages of peers, by what the node made of them',
    labels: {
      lane: ['vote', 'proposal', 'certificate', 'transactions'],
      verdict: ['accept', 'ignore', 'reject', 'busy'],
    },
  },
  kryder_requests_served_total: {
    kind: 'counter',
    help: 'Requests of peers, by outcome',
    labels: {
      method: ['block', 'transactions', 'range', 'certificate', OTHER],
      outcome: ['answered', 'refused', 'failed'],
    },
  },
} as const satisfies Section;

const JOURNAL_AND_DATABASE = {
  kryder_journal_bytes: { kind: 'gauge', help: 'Size of the journal’s active file' },
  kryder_journal_written_bytes_total: { kind: 'counter', help: 'Bytes written to the journal' },
  kryder_journal_fsync_seconds: {
    kind: 'histogram',
    help: 'Duration of one fsync of the journal; no vote leaves before it',
    buckets: FAST,
  },
  kryder_database_commit_seconds: {
    kind: 'histogram',
    help: 'Duration of the write, with fsync, that makes a block final on disk',
    buckets: FAST,
  },
  kryder_storage_bytes: {
    kind: 'gauge',
    help: 'Bytes on disk, looked at every ten seconds',
    labels: { directory: ['database', 'journal'] },
  },
} as const satisfies Section;

const NETWORK = {
  kryder_peers: {
    kind: 'gauge',
    help: 'Peers: connected at all, ready (of the same chain), of these proven validators and persistent ones',
    labels: { state: ['connected', 'ready', 'validator', 'persistent'] },
  },
  kryder_bans: {
    kind: 'gauge',
    help: 'Peers and addresses that are banned at the moment',
    labels: { of: ['peer', 'address'] },
  },
  kryder_bans_total: { kind: 'counter', help: 'Bans so far', labels: { of: ['peer', 'address'] } },
  kryder_inbound_connections: {
    kind: 'gauge',
    help: 'Connections that peers made: all, and those still in their handshake',
    labels: { state: ['open', 'handshake'] },
  },
  kryder_inbound_lost_total: {
    kind: 'counter',
    help: 'Those that failed before their peer was known, and those without a hello that gave way to new ones',
    labels: { why: ['failed', 'evicted'] },
  },
  kryder_connections_refused_total: {
    kind: 'counter',
    help: 'Connections to or from peers that were refused, by reason; docs/network.md explains them',
    labels: { reason: REFUSAL_NAMES },
  },
  kryder_offences_total: {
    kind: 'counter',
    help: 'What peers did wrong; docs/network.md has penalties',
    labels: { offence: OFFENCE_NAMES },
  },
  kryder_dials_total: { kind: 'counter', help: 'Attempts to connect to a peer' },
  kryder_dial_failures_total: { kind: 'counter', help: 'Those that failed' },
  kryder_dial_targets: {
    kind: 'gauge',
    help: 'Addresses that the node dials while it has no connection to them',
  },
  kryder_peer_records: { kind: 'gauge', help: 'Signed records of validators that the node holds' },
  kryder_gossip_peers: {
    kind: 'gauge',
    help: 'Peers that want transactions, and those in the mesh that get them at once',
    labels: { kind: ['subscriber', 'mesh'] },
  },
  kryder_gossip_batches_total: {
    kind: 'counter',
    help: 'Batches of transactions by gossip',
    labels: { direction: ['received', 'published'] },
  },
  kryder_network_bytes_total: {
    kind: 'counter',
    help: 'Bytes of each lane, as framed before encryption',
    labels: { lane: ['hello', 'votes', 'proposals', 'bulk', 'gossip'], direction: ['sent', 'received'] },
  },
  kryder_streams_buffered_bytes: {
    kind: 'gauge',
    help: 'What the streams of all connections hold, not read or not sent yet',
  },
  kryder_stray_errors_total: {
    kind: 'counter',
    help: 'Errors of the network libraries on dying streams that nobody could catch',
  },
  kryder_serving_free_bytes: { kind: 'gauge', help: 'What is left of the budget for large answers to peers' },
} as const satisfies Section;

const QUEUES = {
  kryder_queue_length: {
    kind: 'gauge',
    help: 'Entries in a queue, over all peers; `verify-…` count transactions',
    labels: { queue: QUEUE_NAMES },
  },
  kryder_queue_bytes: {
    kind: 'gauge',
    help: 'Bytes in a queue, where they are counted',
    labels: { queue: ['votes', 'proposals', 'hello', 'bulk-asked', 'bulk-served', 'gossip'] },
  },
  kryder_queue_dropped_total: {
    kind: 'counter',
    help: 'Entries that a full queue dropped or refused',
    labels: {
      queue: ['votes', 'proposals', 'hello', 'bulk-asked', 'gossip', 'discovered', 'lookups', 'verify'],
    },
  },
} as const satisfies Section;

const TRANSACTIONS = {
  kryder_mempool_transactions: { kind: 'gauge', help: 'Transactions that wait for a block' },
  kryder_mempool_bytes: { kind: 'gauge', help: 'Bytes of them' },
  kryder_mempool_claims: { kind: 'gauge', help: 'Claims among the transactions that wait' },
  kryder_mempool_senders: { kind: 'gauge', help: 'Different senders of the transactions that wait' },
  kryder_transactions_included_total: {
    kind: 'counter',
    help: 'Transactions that left the mempool because they are in a final block',
  },
  kryder_transactions_known_total: {
    kind: 'counter',
    help: 'Transactions that came again and were not verified again',
  },
  kryder_transactions_rebatched_total: {
    kind: 'counter',
    help: 'Transactions of peers passed on without the rest of their batch',
  },
  kryder_peer_batches_ignored_total: {
    kind: 'counter',
    help: 'Batches of peers ignored because their budget was empty',
  },
  kryder_peer_transactions_charged_total: {
    kind: 'counter',
    help: 'Verifications charged to peers a second time because they came to nothing',
  },
  kryder_peer_budgets: { kind: 'gauge', help: 'Peers that have a budget of verifications' },
  kryder_own_transactions: {
    kind: 'gauge',
    help: 'Transactions of own users that are published until they are final',
  },
  kryder_own_transactions_republished_total: {
    kind: 'counter',
    help: 'Times that one of them was published again',
  },
  kryder_outbox_transactions: { kind: 'gauge', help: 'Transactions of own users that are kept on disk' },
  kryder_outbox_bytes: { kind: 'gauge', help: 'Bytes of them' },
  kryder_outbox_restoring: {
    kind: 'gauge',
    help: 'Transactions from before the start that are not in the mempool again yet',
  },
  kryder_outbox_restored_total: {
    kind: 'counter',
    help: 'Transactions from before the start that were taken up again',
  },
  kryder_outbox_given_up_total: {
    kind: 'counter',
    help: 'Transactions from before the start that were refused for good',
  },
  kryder_outbox_failures_total: { kind: 'counter', help: 'Submissions that could not be written to disk' },
  kryder_transactions_admitted_total: { kind: 'counter', help: 'Transactions taken into the mempool' },
  kryder_transactions_refused_total: {
    kind: 'counter',
    help: 'Transactions refused, by code; docs/protocol.md and docs/mempool.md explain them',
    labels: { code: REFUSAL_CODES },
  },
  kryder_mempool_dropped_total: {
    kind: 'counter',
    help: 'Transactions that left the mempool without being in a block, by code',
    labels: { code: DROP_CODES },
  },
  kryder_verify_in_flight: {
    kind: 'gauge',
    help: 'Transactions that verification workers have at the moment',
  },
  kryder_verified_total: { kind: 'counter', help: 'Transactions that verification workers have checked' },
  kryder_verify_batch_seconds: {
    kind: 'histogram',
    help: 'Time from giving a batch of at most 128 transactions to a worker to its answer',
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
  },
} as const satisfies Section;

const API = {
  kryder_api_requests_total: {
    kind: 'counter',
    help: 'Answers of the API, by route and HTTP status',
    labels: { route: API_ROUTES, status: API_STATUSES },
  },
  kryder_api_request_seconds: {
    kind: 'histogram',
    help: 'Time to an answer of the API, streams left out',
    buckets: FAST,
  },
  kryder_api_requests_in_flight: { kind: 'gauge', help: 'Requests that the API is answering' },
  kryder_api_connections: {
    kind: 'gauge',
    help: 'Connections of API clients',
    labels: { state: ['open', 'idle'] },
  },
  kryder_api_connections_total: {
    kind: 'counter',
    help: 'Connections of API clients: accepted, refused, and idle ones that gave way to others',
    labels: { outcome: ['accepted', 'refused', 'evicted'] },
  },
  kryder_api_refused_total: {
    kind: 'counter',
    help: 'Requests that the API refused, by code; docs/api.md explains them',
    labels: { code: API_REFUSALS },
  },
  kryder_api_held_bytes: {
    kind: 'gauge',
    help: 'Large bodies that are being read and large answers on their way',
    labels: { what: ['bodies', 'answers'] },
  },
  kryder_api_streams: { kind: 'gauge', help: 'Clients that listen to the stream of final blocks' },
} as const satisfies Section;

const PROCESS = {
  kryder_process_start_time_seconds: { kind: 'gauge', help: 'When the process began, in seconds since 1970' },
  kryder_process_cpu_seconds_total: {
    kind: 'counter',
    help: 'Processor time of all threads',
    labels: { mode: ['user', 'system'] },
  },
  kryder_process_resident_bytes: { kind: 'gauge', help: 'Resident memory' },
  kryder_process_heap_used_bytes: { kind: 'gauge', help: 'JavaScript heap in use, main thread' },
  kryder_process_heap_limit_bytes: { kind: 'gauge', help: 'What the JavaScript heap can grow to' },
  kryder_process_external_bytes: {
    kind: 'gauge',
    help: 'Memory outside the JavaScript heap that it holds: buffers, native objects',
  },
  kryder_process_handles: {
    kind: 'gauge',
    help: 'Timers, sockets and other things that keep the event loop busy',
  },
  kryder_event_loop_lag_seconds: {
    kind: 'gauge',
    help: 'How late the event loop was over the last ten seconds, by quantile',
    labels: { quantile: ['0.5', '0.9', '0.99', '1'] },
  },
  kryder_event_loop_busy_ratio: {
    kind: 'gauge',
    help: 'Share of the last ten seconds that the event loop was busy',
  },
  kryder_gc_pause_seconds: {
    kind: 'histogram',
    help: 'Pauses for garbage collection, by kind',
    labels: { kind: ['minor', 'major', 'incremental', 'weak-callbacks', OTHER] },
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1],
  },
} as const satisfies Section;

const RESOURCES = {
  kryder_disk_free_bytes: { kind: 'gauge', help: 'Free space where the data directory is' },
  kryder_clock_offset_seconds: {
    kind: 'gauge',
    help: 'How far the own clock is ahead (positive) or behind, judged by other leaders’ blocks; 0 while it fits',
  },
  kryder_file_handles: { kind: 'gauge', help: 'Files and sockets that the process has open' },
  kryder_file_handles_limit: { kind: 'gauge', help: 'How many it may have open' },
  kryder_warning: {
    kind: 'gauge',
    help: '1 while the warning is active; docs/operation.md says what to do about each',
    labels: { code: WARNING_CODES },
  },
} as const satisfies Section;

/** In the order of the documentation. */
export const SECTIONS: Readonly<Record<string, Section>> = {
  Chain: CHAIN,
  Consensus: CONSENSUS,
  'Journal and database': JOURNAL_AND_DATABASE,
  Network: NETWORK,
  Queues: QUEUES,
  Transactions: TRANSACTIONS,
  API: API,
  Process: PROCESS,
  Resources: RESOURCES,
};

export const METRICS = {
  ...CHAIN,
  ...CONSENSUS,
  ...JOURNAL_AND_DATABASE,
  ...NETWORK,
  ...QUEUES,
  ...TRANSACTIONS,
  ...API,
  ...PROCESS,
  ...RESOURCES,
};

export type MetricName = keyof typeof METRICS;
/** The names of one kind. */
export type NameOf<Kind extends MetricKind> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];
/** What a metric's labels can be. */
export type LabelsOf<Name extends MetricName> = (typeof METRICS)[Name] extends {
  readonly labels: infer L extends Record<string, readonly string[]>;
}
  ? { readonly [Key in keyof L]: string }
  : undefined;
