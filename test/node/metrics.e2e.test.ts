/**
 * Every metric of the table, asserted once: by a network of four validators that is paid, stopped, lied to and
 * repaired, or, where nothing honest provokes it, by feeding the recorder. A name of the table without a check does
 * not compile, and a check that cannot fail is none.
 */

import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/consensus/events.ts';
import { recordNode } from '../../src/node/metrics/collect.ts';
import { recordFinal, recordReport } from '../../src/node/metrics/consensus.ts';
import { recordNetwork } from '../../src/node/metrics/network.ts';
import { Metrics } from '../../src/node/metrics/registry.ts';
import { METRICS, type MetricName } from '../../src/node/metrics/table.ts';
import { DEFAULT_LIMITS } from '../../src/p2p/limits.ts';
import { encodeRequest, PROTOCOL } from '../../src/p2p/wire.ts';
import { TestNet } from '../e2e/net.ts';
import { named } from '../ledger/support.ts';
import type { Node } from '../p2p/harness.ts';
import { goodHello, greet, rawHost, stopRawHosts } from '../p2p/raw-host.ts';
import { Samples } from './prometheus.ts';

let net: TestNet;
/** Node 0 in its best days; with two of four dead; after a hostile peer came by; at the end. */
let well: Samples;
let stalled: Samples;
let attacked: Samples;
let last: Samples;
/** A recorder that was fed by hand. */
let fed: Samples;
const UNKNOWN_METHOD = 'kryder_requests_served_total{method="other",outcome="refused"}';
const listening = new AbortController();

async function scrape(index = 0): Promise<Samples> {
  const response = await fetch(`${net.api(index)}/metrics`, { signal: AbortSignal.timeout(5_000) });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return new Samples(await response.text());
}

/** Scrapes until `condition` holds, which may throw meanwhile. */
async function scrapeUntil(what: string, condition: (samples: Samples) => boolean): Promise<Samples> {
  let samples: Samples | undefined;
  await net.until(what, async () => {
    samples = await scrape();
    return condition(samples);
  });
  return samples!;
}

/** A peer that asks nonsense, then speaks rubbish, is banned, and comes again; and one that hangs up at once. */
async function misbehave(): Promise<void> {
  const addresses = (await net.get<{ addresses: string[] }>(0, '/v1/status')).addresses;
  const raw = await rawHost({ network: { addresses: () => addresses } } as unknown as Node);
  try {
    const hello = await greet(raw, goodHello({ genesisHash: net.genesisHash }));
    const requests = await raw.open(PROTOCOL.bulk);
    requests.send(encodeRequest(1, 99, 1_000, new Uint8Array(1)));
    await scrapeUntil('an answer', (s) => s.at(UNKNOWN_METHOD) === 1);
    hello.send(Uint8Array.of(0, 0, 0, 1, 0xff));
    await scrapeUntil('a ban', (s) => s.at('kryder_bans{of="peer"}') === 1);
    await raw.connect().catch(() => undefined);
  } finally {
    await stopRawHosts();
  }
  const [, port] = /\/tcp\/(\d+)/.exec(addresses[0]!)!;
  const socket = connect(Number(port), '127.0.0.1', () => socket.end('GET / HTTP/1.0\r\n\r\n'));
  socket.on('error', () => undefined);
}

const REPORTS: readonly Report[] = [
  { type: 'equivocation', view: 1, signer: 0, votes: [] as never },
  { type: 'conflict', view: 1, certificates: [] as never },
  { type: 'refused', view: 1, code: 'SIGNER_FLOOR' },
  { type: 'certified', view: 1, ok: false, reason: 'BLOCK_STATE_ROOT' },
  { type: 'certified', view: 1, ok: true, reason: undefined },
];

/** What no honest network does, and what is over before anybody can look. */
async function feed(): Promise<Samples> {
  const metrics = new Metrics();
  for (const report of REPORTS) recordReport(metrics, report);
  const block = { height: 1, hash: new Uint8Array(32), view: 1, time: 0, transactions: 0, bytes: 300 };
  recordFinal(metrics, { ...block, finalityMs: 250 }, true);
  // A day late: it was caught up with, and says nothing about finality.
  recordFinal(metrics, { ...block, finalityMs: 86_400_000 }, false);
  recordNetwork(metrics, {
    'votes.queue.length': 3,
    'votes.queue.bytes': 300,
    'proposals.dropped': 2,
    'inbound.evicted': 4,
    'buffered.bytes': 14,
    'stray.errors': 15,
    'peers.persistent': 5,
  });
  recordNode(metrics, {
    height: 1,
    finalAgeMs: 0,
    openBlocks: 0,
    syncing: true,
    finalisationsQueued: 6,
    replica: { view: 1, lastFinalized: 0, rounds: 1, outgoing: 7, journalBytes: 0, fsyncs: 0 },
    transactions: {
      admission: {
        transactions: 20,
        bytes: 21,
        claims: 22,
        senders: 23,
        admitted: 24,
        included: 25,
        refused: new Map(),
        dropped: new Map([['MEMPOOL_EVICTED', 26]]),
        fresh: 27,
        known: 28,
        ignoredBatches: 29,
        charged: 30,
        peersWithBudget: 31,
      },
      relay: { own: 32, republished: 33, rebatched: 34 },
      outbox: { transactions: 35, bytes: 36, restoring: 37, restored: 38, givenUp: 39, failures: 40 },
    },
    verify: {
      waiting: { block: 8, own: 9, validator: 14, stranger: 15 },
      inFlight: 10,
      done: 0,
      refused: 11,
    },
    api: { inFlight: 0, streams: 0, counts: { 'dear.waiting': 12, 'bodies.held.bytes': 13 } },
  });
  metrics.set('kryder_clock_offset_seconds', -60);
  return new Samples(await metrics.text());
}

beforeAll(async () => {
  fed = await feed();
  net = await TestNet.start(4, {}, { diskWarnBytes: '1048576GiB' });
  const payments = [await net.payment(named('rich'), 50_000n), await net.payment(named('richer'), 60_000n)];
  await net.post(0, { transactions: [payments[0]!.hex] });
  await net.post(1, { transactions: [payments[1]!.hex] });
  for (const { id } of payments) await net.untilFinal(0, id);
  const { hex } = payments[0]!;
  await net.post(0, { transactions: [`${hex.slice(0, -2)}${hex.endsWith('00') ? '01' : '00'}`] });
  await fetch(`${net.api(0)}/nowhere`);
  const stream = await fetch(`${net.api(0)}/v1/blocks/stream`, { signal: listening.signal });
  void stream.text().catch(() => undefined);
  well = await scrapeUntil(
    'ten blocks and all peers',
    (s) => s.at('kryder_blocks_final_total') >= 10 && s.at('kryder_peers{state="validator"}') === 3,
  );
  await net.kill(2, 3);
  const { hex: waiting } = await net.payment(named('patient'), 70_000n);
  await net.post(0, { transactions: [waiting] });
  stalled = await scrapeUntil(
    'a standstill',
    (s) =>
      s.at('kryder_standstills_total') > well.at('kryder_standstills_total') &&
      s.at('kryder_last_final_age_seconds') > 3 &&
      s.at('kryder_dial_failures_total') > 0,
  );
  await misbehave();
  attacked = await scrapeUntil(
    'all that was done',
    (s) =>
      s.sum('kryder_connections_refused_total') > 0 &&
      s.at('kryder_inbound_lost_total{why="failed"}') > 0 &&
      s.at('kryder_event_loop_lag_seconds{quantile="1"}') > 0 &&
      s.at('kryder_storage_bytes{directory="database"}') > 0,
  );
  await net.restart([2, 3]);
  const { height } = await net.status(0);
  await net.untilHeight(0, height + 2);
  await net.untilHeight(3, height + 2);
  last = await scrapeUntil(
    'a nullified view',
    (s) => s.sum('kryder_views_missed_total') > 0 && s.at('kryder_certificates_total{kind="X"}') > 0,
  );
}, 180_000);

afterAll(async () => {
  listening.abort();
  await net?.stop();
});

const positive = (value: number): void => expect(value).toBeGreaterThan(0);

const CHECKS: Record<MetricName, () => void | Promise<void>> = {
  kryder_height: () => {
    positive(well.at('kryder_height'));
    expect(last.at('kryder_height')).toBeGreaterThan(well.at('kryder_height'));
  },
  kryder_finality_seconds: () => {
    const count = well.at('kryder_finality_seconds_count');
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(well.at('kryder_blocks_final_total'));
    expect(fed.at('kryder_finality_seconds_count')).toBe(1);
    expect(fed.at('kryder_finality_seconds_sum')).toBe(0.25);
    expect(fed.at('kryder_blocks_final_total')).toBe(2);
    const mean = well.at('kryder_finality_seconds_sum') / count;
    expect(mean).toBeGreaterThan(0);
    expect(mean).toBeLessThan(30);
  },
  kryder_last_final_age_seconds: () => {
    const age = stalled.at('kryder_last_final_age_seconds');
    expect(age).toBeGreaterThan(3);
    expect(age).toBeLessThan(120);
  },
  kryder_blocks_final_total: () => expect(well.at('kryder_blocks_final_total')).toBeGreaterThanOrEqual(10),
  kryder_transactions_final_total: () => expect(well.at('kryder_transactions_final_total')).toBe(2),
  kryder_block_bytes_final_total: () =>
    expect(well.at('kryder_block_bytes_final_total')).toBeGreaterThan(
      200 * well.at('kryder_blocks_final_total'),
    ),
  kryder_blocks_open: () => expect(well.at('kryder_blocks_open')).toBeLessThan(5),
  kryder_syncing: () => {
    expect(fed.at('kryder_syncing')).toBe(1);
    expect(well.at('kryder_syncing')).toBe(0);
  },
  kryder_view: () => expect(well.at('kryder_view')).toBeGreaterThanOrEqual(well.at('kryder_height')),
  kryder_view_final: () => {
    positive(well.at('kryder_view_final'));
    expect(well.at('kryder_view_final')).toBeLessThanOrEqual(well.at('kryder_view'));
  },
  kryder_views_missed_total: () => positive(last.sum('kryder_views_missed_total')),
  kryder_views_held: () => positive(well.at('kryder_views_held')),
  kryder_proposals_total: () => positive(well.at('kryder_proposals_total')),
  kryder_certificates_total: () => {
    for (const kind of ['N', 'X', 'F']) positive(last.at(`kryder_certificates_total{kind="${kind}"}`));
  },
  kryder_certifications_failed_total: () => expect(fed.at('kryder_certifications_failed_total')).toBe(1),
  kryder_equivocations_total: () => expect(fed.at('kryder_equivocations_total')).toBe(1),
  kryder_conflicts_total: () => expect(fed.at('kryder_conflicts_total')).toBe(1),
  kryder_votes_refused_total: () => expect(fed.at('kryder_votes_refused_total')).toBe(1),
  kryder_standstills_total: () =>
    expect(stalled.at('kryder_standstills_total')).toBeGreaterThan(well.at('kryder_standstills_total')),
  kryder_messages_total: () => {
    for (const lane of ['vote', 'proposal', 'transactions']) {
      positive(well.at(`kryder_messages_total{lane="${lane}",verdict="accept"}`));
    }
    positive(well.sum('kryder_messages_total'));
  },
  kryder_requests_served_total: () => expect(attacked.at(UNKNOWN_METHOD)).toBe(1),

  kryder_journal_bytes: () => positive(well.at('kryder_journal_bytes')),
  kryder_journal_written_bytes_total: () =>
    expect(well.at('kryder_journal_written_bytes_total')).toBeGreaterThanOrEqual(
      well.at('kryder_blocks_final_total') * 100,
    ),
  kryder_journal_fsync_seconds: () =>
    expect(well.at('kryder_journal_fsync_seconds_count')).toBeGreaterThanOrEqual(10),
  kryder_database_commit_seconds: () => {
    expect(well.at('kryder_database_commit_seconds_count')).toBe(well.at('kryder_blocks_final_total'));
    positive(well.at('kryder_database_commit_seconds_sum'));
  },
  kryder_storage_bytes: () => {
    for (const directory of ['database', 'journal']) {
      positive(attacked.at(`kryder_storage_bytes{directory="${directory}"}`));
    }
  },

  kryder_peers: () => {
    for (const state of ['connected', 'ready', 'validator']) {
      expect(well.at(`kryder_peers{state="${state}"}`)).toBe(3);
      expect(stalled.at(`kryder_peers{state="${state}"}`)).toBe(1);
    }
    expect(fed.at('kryder_peers{state="persistent"}')).toBe(5);
  },
  kryder_bans: () => expect(attacked.at('kryder_bans{of="peer"}')).toBe(1),
  kryder_bans_total: () => expect(attacked.at('kryder_bans_total{of="peer"}')).toBe(1),
  kryder_inbound_connections: () => positive(well.at('kryder_inbound_connections{state="open"}')),
  kryder_inbound_lost_total: () => {
    positive(attacked.at('kryder_inbound_lost_total{why="failed"}'));
    expect(fed.at('kryder_inbound_lost_total{why="evicted"}')).toBe(4);
  },
  kryder_connections_refused_total: () => positive(attacked.sum('kryder_connections_refused_total')),
  kryder_offences_total: () => {
    const bad = ['ENVELOPE_INVALID', 'FRAME_INVALID', 'HELLO_INVALID'];
    const count = (samples: Samples): number =>
      bad.reduce((sum, offence) => sum + samples.at(`kryder_offences_total{offence="${offence}"}`), 0);
    expect(count(well)).toBe(0);
    expect(count(attacked)).toBe(1);
  },
  kryder_dials_total: () => positive(stalled.at('kryder_dials_total')),
  kryder_dial_failures_total: () => positive(stalled.at('kryder_dial_failures_total')),
  kryder_dial_targets: () => positive(well.at('kryder_dial_targets')),
  kryder_peer_records: () => expect(well.at('kryder_peer_records')).toBe(4),
  kryder_gossip_peers: () => expect(well.at('kryder_gossip_peers{kind="subscriber"}')).toBe(3),
  kryder_gossip_batches_total: () => {
    positive(well.at('kryder_gossip_batches_total{direction="received"}'));
    positive(well.at('kryder_gossip_batches_total{direction="published"}'));
  },
  kryder_network_bytes_total: () => {
    for (const lane of ['hello', 'votes', 'proposals', 'gossip']) {
      for (const direction of ['sent', 'received']) {
        positive(well.at(`kryder_network_bytes_total{lane="${lane}",direction="${direction}"}`));
      }
    }
  },
  kryder_streams_buffered_bytes: () => expect(fed.at('kryder_streams_buffered_bytes')).toBe(14),
  kryder_stray_errors_total: () => expect(fed.at('kryder_stray_errors_total')).toBe(15),
  kryder_serving_free_bytes: () =>
    expect(well.at('kryder_serving_free_bytes')).toBe(DEFAULT_LIMITS.servedBytes),

  kryder_queue_length: () => {
    const expected = {
      votes: 3,
      finalisation: 6,
      'consensus-commit': 7,
      'verify-block': 8,
      'verify-own': 9,
      'verify-validator': 14,
      'verify-stranger': 15,
      'api-dear': 12,
    };
    for (const [queue, length] of Object.entries(expected)) {
      expect(fed.at(`kryder_queue_length{queue="${queue}"}`)).toBe(length);
    }
    expect(well.sum('kryder_queue_length')).toBeLessThan(1_000);
  },
  kryder_queue_bytes: () => expect(fed.at('kryder_queue_bytes{queue="votes"}')).toBe(300),
  kryder_queue_dropped_total: () => {
    expect(fed.at('kryder_queue_dropped_total{queue="proposals"}')).toBe(2);
    expect(fed.at('kryder_queue_dropped_total{queue="verify"}')).toBe(11);
  },

  kryder_mempool_transactions: () => {
    expect(well.at('kryder_mempool_transactions')).toBe(0);
    expect(stalled.at('kryder_mempool_transactions')).toBe(1);
  },
  kryder_mempool_bytes: () => expect(stalled.at('kryder_mempool_bytes')).toBeGreaterThan(100),
  kryder_transactions_admitted_total: () => expect(well.at('kryder_transactions_admitted_total')).toBe(2),
  kryder_transactions_refused_total: () => {
    expect(well.at('kryder_transactions_refused_total{code="TX_SIGNATURE"}')).toBe(1);
    expect(well.sum('kryder_transactions_refused_total')).toBe(1);
  },
  kryder_mempool_dropped_total: () =>
    expect(fed.at('kryder_mempool_dropped_total{code="MEMPOOL_EVICTED"}')).toBe(26),
  kryder_mempool_claims: () => expect(fed.at('kryder_mempool_claims')).toBe(22),
  kryder_mempool_senders: () => {
    expect(fed.at('kryder_mempool_senders')).toBe(23);
    expect(stalled.at('kryder_mempool_senders')).toBe(1);
  },
  kryder_transactions_included_total: () => expect(well.at('kryder_transactions_included_total')).toBe(2),
  kryder_transactions_known_total: () => expect(fed.at('kryder_transactions_known_total')).toBe(28),
  kryder_transactions_rebatched_total: () => expect(fed.at('kryder_transactions_rebatched_total')).toBe(34),
  kryder_peer_batches_ignored_total: () => {
    expect(fed.at('kryder_peer_batches_ignored_total')).toBe(29);
    expect(well.at('kryder_peer_batches_ignored_total')).toBe(0);
  },
  kryder_peer_transactions_charged_total: () =>
    expect(fed.at('kryder_peer_transactions_charged_total')).toBe(30),
  kryder_peer_budgets: () => {
    expect(fed.at('kryder_peer_budgets')).toBe(31);
    positive(well.at('kryder_peer_budgets'));
  },
  kryder_own_transactions: () => {
    expect(fed.at('kryder_own_transactions')).toBe(32);
    expect(stalled.at('kryder_own_transactions')).toBe(1);
  },
  kryder_own_transactions_republished_total: () =>
    expect(fed.at('kryder_own_transactions_republished_total')).toBe(33),
  kryder_outbox_transactions: () => {
    expect(fed.at('kryder_outbox_transactions')).toBe(35);
    expect(stalled.at('kryder_outbox_transactions')).toBe(1);
  },
  kryder_outbox_bytes: () => expect(stalled.at('kryder_outbox_bytes')).toBeGreaterThan(100),
  kryder_outbox_restoring: () => expect(fed.at('kryder_outbox_restoring')).toBe(37),
  kryder_outbox_restored_total: () => expect(fed.at('kryder_outbox_restored_total')).toBe(38),
  kryder_outbox_given_up_total: () => expect(fed.at('kryder_outbox_given_up_total')).toBe(39),
  kryder_outbox_failures_total: () => expect(fed.at('kryder_outbox_failures_total')).toBe(40),
  kryder_verify_in_flight: () => expect(fed.at('kryder_verify_in_flight')).toBe(10),
  kryder_verified_total: () => expect(well.at('kryder_verified_total')).toBeGreaterThanOrEqual(3),
  kryder_verify_batch_seconds: () => positive(well.at('kryder_verify_batch_seconds_sum')),

  kryder_api_requests_total: () => {
    positive(well.at('kryder_api_requests_total{route="/v1/transactions",status="200"}'));
    expect(well.at('kryder_api_requests_total{route="other",status="404"}')).toBe(1);
  },
  kryder_api_request_seconds: () => positive(well.at('kryder_api_request_seconds_count')),
  kryder_api_requests_in_flight: () => positive(well.at('kryder_api_requests_in_flight')),
  kryder_api_connections: () => positive(well.at('kryder_api_connections{state="open"}')),
  kryder_api_connections_total: () => positive(well.at('kryder_api_connections_total{outcome="accepted"}')),
  kryder_api_refused_total: () => expect(well.at('kryder_api_refused_total{code="NOT_FOUND"}')).toBe(1),
  kryder_api_held_bytes: () => expect(fed.at('kryder_api_held_bytes{what="bodies"}')).toBe(13),
  kryder_api_streams: () => expect(well.at('kryder_api_streams')).toBe(1),

  kryder_process_start_time_seconds: () => {
    const age = Date.now() / 1_000 - well.at('kryder_process_start_time_seconds');
    expect(age).toBeGreaterThan(0);
    expect(age).toBeLessThan(600);
  },
  kryder_process_cpu_seconds_total: () => {
    positive(well.at('kryder_process_cpu_seconds_total{mode="user"}'));
    expect(last.sum('kryder_process_cpu_seconds_total')).toBeGreaterThan(
      well.sum('kryder_process_cpu_seconds_total'),
    );
  },
  kryder_process_resident_bytes: () => expect(well.at('kryder_process_resident_bytes')).toBeGreaterThan(1e7),
  kryder_process_heap_used_bytes: () =>
    expect(well.at('kryder_process_heap_used_bytes')).toBeGreaterThan(1e6),
  kryder_process_heap_limit_bytes: () =>
    expect(well.at('kryder_process_heap_limit_bytes')).toBeGreaterThan(
      well.at('kryder_process_heap_used_bytes'),
    ),
  kryder_process_external_bytes: () => positive(well.at('kryder_process_external_bytes')),
  kryder_process_handles: () => expect(well.at('kryder_process_handles')).toBeGreaterThan(3),
  kryder_event_loop_lag_seconds: () =>
    expect(attacked.at('kryder_event_loop_lag_seconds{quantile="1"}')).toBeGreaterThanOrEqual(
      attacked.at('kryder_event_loop_lag_seconds{quantile="0.5"}'),
    ),
  kryder_event_loop_busy_ratio: () => {
    positive(attacked.at('kryder_event_loop_busy_ratio'));
    expect(attacked.at('kryder_event_loop_busy_ratio')).toBeLessThanOrEqual(1);
  },
  kryder_gc_pause_seconds: () => {
    positive(last.at('kryder_gc_pause_seconds_count{kind="minor"}'));
    positive(last.at('kryder_gc_pause_seconds_sum{kind="minor"}'));
  },

  kryder_disk_free_bytes: () => positive(well.at('kryder_disk_free_bytes')),
  kryder_clock_offset_seconds: () => {
    expect(fed.at('kryder_clock_offset_seconds')).toBe(-60);
    expect(Math.abs(well.at('kryder_clock_offset_seconds'))).toBeLessThan(10);
  },
  kryder_file_handles: () => expect(well.at('kryder_file_handles')).toBeGreaterThan(10),
  kryder_file_handles_limit: () =>
    expect(well.at('kryder_file_handles_limit')).toBeGreaterThan(well.at('kryder_file_handles')),
  kryder_warning: async () => {
    expect(well.at('kryder_warning{code="DISK_LOW"}')).toBe(1);
    expect(well.at('kryder_warning{code="MEMORY_LOW"}')).toBe(0);
    const warnings = [
      { code: 'DISK_LOW', message: expect.stringMatching(/MiB are free/), since: expect.any(Number) },
    ];
    expect(await net.get(0, '/healthz')).toEqual({ ok: true, warnings });
    expect(await net.get(0, '/v1/status')).toMatchObject({ warnings });
  },
};

describe('every metric tells what it says', () => {
  it.each(Object.keys(METRICS) as MetricName[])('%s', async (name) => {
    await CHECKS[name]();
  });
});
