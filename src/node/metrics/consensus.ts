/** Consensus and chain in metrics: the replica's reports, final blocks, and the journal's disk. */
import type { FinalEvent } from '../../api/backend.ts';
import type { Report } from '../../consensus/events.ts';
import type { Disk } from '../../consensus/journal/disk.ts';
import type { Metrics } from './registry.ts';

export function recordReport(metrics: Metrics, report: Report): void {
  switch (report.type) {
    case 'missed':
      metrics.inc('kryder_views_missed_total', 1, { reason: report.reason });
      break;
    case 'proposed':
      metrics.inc('kryder_proposals_total', 1);
      break;
    case 'notarized':
      metrics.inc('kryder_certificates_total', 1, { kind: 'N' });
      break;
    case 'nullified':
      metrics.inc('kryder_certificates_total', 1, { kind: 'X' });
      break;
    case 'finalized':
      metrics.inc('kryder_certificates_total', 1, { kind: 'F' });
      break;
    case 'certified':
      metrics.inc('kryder_certifications_failed_total', report.ok ? 0 : 1);
      break;
    case 'equivocation':
      metrics.inc('kryder_equivocations_total', 1);
      break;
    case 'conflict':
      metrics.inc('kryder_conflicts_total', 1);
      break;
    case 'refused':
      metrics.inc('kryder_votes_refused_total', 1);
      break;
    case 'standstill':
      metrics.inc('kryder_standstills_total', 1);
      break;
    default:
  }
}

/** `live`: the block became final now, and was not caught up with long after. */
export function recordFinal(metrics: Metrics, event: FinalEvent, live: boolean): void {
  if (live) metrics.observe('kryder_finality_seconds', event.finalityMs / 1_000);
  metrics.inc('kryder_blocks_final_total', 1);
  metrics.inc('kryder_transactions_final_total', event.transactions);
  metrics.inc('kryder_block_bytes_final_total', event.bytes);
}

/** The same disk, with written bytes and fsyncs counted. */
export function measuredDisk(disk: Disk, metrics: Metrics): Disk {
  return {
    list: () => disk.list(),
    size: (name) => disk.size(name),
    read: (name, offset, length) => disk.read(name, offset, length),
    truncate: (name, length) => disk.truncate(name, length),
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncDirectory: () => disk.syncDirectory(),
    append: async (name, bytes) => {
      await disk.append(name, bytes);
      metrics.inc('kryder_journal_written_bytes_total', bytes.length);
    },
    overwrite: async (name, bytes) => {
      await disk.overwrite(name, bytes);
      metrics.inc('kryder_journal_written_bytes_total', bytes.length);
    },
    sync: async (name) => {
      const began = performance.now();
      await disk.sync(name);
      metrics.observe('kryder_journal_fsync_seconds', (performance.now() - began) / 1_000);
    },
  };
}
