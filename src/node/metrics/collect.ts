/** What is read from the node's parts at every scrape: lengths, sizes and states, none of it dear. */
import type { ApiLoad } from '../../api/observe.ts';
import type { ReplicaMetrics } from '../../consensus/replica.ts';
import type { VerifyLoad } from '../verify-pool.ts';
import type { Metrics } from './registry.ts';
import { recordTransactions, type TransactionFigures } from './transactions.ts';

export interface NodeFigures {
  readonly height: number;
  /** Since a block became final here, ms. */
  readonly finalAgeMs: number;
  readonly openBlocks: number;
  readonly syncing: boolean;
  readonly finalisationsQueued: number;
  readonly replica: ReplicaMetrics;
  readonly transactions: TransactionFigures;
  readonly verify: VerifyLoad;
  readonly api: ApiLoad & { readonly counts: Readonly<Record<string, number>> };
}

export function recordNode(metrics: Metrics, figures: NodeFigures): void {
  const { replica, verify, api } = figures;
  metrics.set('kryder_height', figures.height);
  metrics.set('kryder_last_final_age_seconds', figures.finalAgeMs / 1_000);
  metrics.set('kryder_blocks_open', figures.openBlocks);
  metrics.set('kryder_syncing', figures.syncing ? 1 : 0);
  metrics.set('kryder_view', replica.view);
  metrics.set('kryder_view_final', replica.lastFinalized);
  metrics.set('kryder_views_held', replica.rounds);
  metrics.set('kryder_journal_bytes', replica.journalBytes);
  metrics.set('kryder_queue_length', replica.outgoing, { queue: 'consensus-commit' });
  metrics.set('kryder_queue_length', figures.finalisationsQueued, { queue: 'finalisation' });
  recordTransactions(metrics, figures.transactions);
  for (const [priority, waiting] of Object.entries(verify.waiting)) {
    metrics.set('kryder_queue_length', waiting, { queue: `verify-${priority}` });
  }
  metrics.set('kryder_verify_in_flight', verify.inFlight);
  metrics.total('kryder_verified_total', verify.done);
  metrics.total('kryder_queue_dropped_total', verify.refused, { queue: 'verify' });
  metrics.set('kryder_api_requests_in_flight', api.inFlight);
  metrics.set('kryder_api_streams', api.streams);
  recordApi(metrics, api.counts);
}

/** What the API's door counts. */
function recordApi(metrics: Metrics, counts: Readonly<Record<string, number>>): void {
  const at = (name: string): number => counts[name] ?? 0;
  metrics.set('kryder_api_connections', at('connections'), { state: 'open' });
  metrics.set('kryder_api_connections', at('connections.idle'), { state: 'idle' });
  for (const outcome of ['accepted', 'refused', 'evicted']) {
    metrics.total('kryder_api_connections_total', at(`connections.${outcome}`), { outcome });
  }
  metrics.set('kryder_api_held_bytes', at('bodies.held.bytes'), { what: 'bodies' });
  metrics.set('kryder_api_held_bytes', at('answers.held.bytes'), { what: 'answers' });
  metrics.set('kryder_queue_length', at('dear.waiting'), { queue: 'api-dear' });
  for (const [name, count] of Object.entries(counts)) {
    if (!name.startsWith('refused.')) continue;
    metrics.total('kryder_api_refused_total', count, { code: name.slice('refused.'.length) });
  }
}
