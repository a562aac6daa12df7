/** The process in metrics: processor time, memory, event loop, garbage collection. */
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { LagWindow } from '../resources/event-loop.ts';
import type { Metrics } from './registry.ts';

const GC_KINDS = new Map<unknown, string>([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weak-callbacks'],
]);

/** What the runtime adds to entries of type `gc`. */
type GcEntry = PerformanceEntry & { readonly detail?: { readonly kind?: number } };

/** Counts pauses for garbage collection from now on; returns how to stop. */
export function observeGarbageCollection(metrics: Metrics): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries() as GcEntry[]) {
      const kind = detail?.kind;
      metrics.observe('kryder_gc_pause_seconds', duration / 1_000, { kind: GC_KINDS.get(kind) ?? 'other' });
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}

export function recordProcess(metrics: Metrics, { p50, p90, p99, max, busy }: LagWindow): void {
  const { user, system } = process.cpuUsage();
  metrics.total('kryder_process_cpu_seconds_total', user / 1e6, { mode: 'user' });
  metrics.total('kryder_process_cpu_seconds_total', system / 1e6, { mode: 'system' });
  metrics.set('kryder_process_start_time_seconds', performance.timeOrigin / 1_000);
  const { rss, external } = process.memoryUsage();
  const heap = getHeapStatistics();
  metrics.set('kryder_process_resident_bytes', rss);
  metrics.set('kryder_process_external_bytes', external);
  metrics.set('kryder_process_heap_used_bytes', heap.used_heap_size);
  metrics.set('kryder_process_heap_limit_bytes', heap.heap_size_limit);
  metrics.set('kryder_process_handles', process.getActiveResourcesInfo().length);
  for (const [quantile, lag] of [
    ['0.5', p50],
    ['0.9', p90],
    ['0.99', p99],
    ['1', max],
  ] as const) {
    metrics.set('kryder_event_loop_lag_seconds', lag, { quantile });
  }
  metrics.set('kryder_event_loop_busy_ratio', busy);
}
