/** Transactions on their way: mempool, admission, relay and outbox, as they stand at a scrape. */
import type { AdmissionFigures } from '../admission.ts';
import type { RelayFigures } from '../gossip.ts';
import type { OutboxFigures } from '../own-transactions.ts';
import type { Metrics } from './registry.ts';

export interface TransactionFigures {
  readonly admission: AdmissionFigures;
  readonly relay: RelayFigures;
  readonly outbox: OutboxFigures;
}

export function recordTransactions(metrics: Metrics, { admission, relay, outbox }: TransactionFigures): void {
  metrics.set('kryder_mempool_transactions', admission.transactions);
  metrics.set('kryder_mempool_bytes', admission.bytes);
  metrics.set('kryder_mempool_claims', admission.claims);
  metrics.set('kryder_mempool_senders', admission.senders);
  metrics.total('kryder_transactions_admitted_total', admission.admitted);
  metrics.total('kryder_transactions_included_total', admission.included);
  metrics.total('kryder_transactions_known_total', admission.known);
  for (const [code, count] of admission.refused)
    metrics.total('kryder_transactions_refused_total', count, { code });
  for (const [code, count] of admission.dropped)
    metrics.total('kryder_mempool_dropped_total', count, { code });
  metrics.total('kryder_peer_batches_ignored_total', admission.ignoredBatches);
  metrics.total('kryder_peer_transactions_charged_total', admission.charged);
  metrics.set('kryder_peer_budgets', admission.peersWithBudget);
  metrics.set('kryder_own_transactions', relay.own);
  metrics.total('kryder_own_transactions_republished_total', relay.republished);
  metrics.total('kryder_transactions_rebatched_total', relay.rebatched);
  metrics.set('kryder_outbox_transactions', outbox.transactions);
  metrics.set('kryder_outbox_bytes', outbox.bytes);
  metrics.set('kryder_outbox_restoring', outbox.restoring);
  metrics.total('kryder_outbox_restored_total', outbox.restored);
  metrics.total('kryder_outbox_given_up_total', outbox.givenUp);
  metrics.total('kryder_outbox_failures_total', outbox.failures);
}
