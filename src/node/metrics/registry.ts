/**
 * The node's own Prometheus registry, made from the table: nothing global, no default labels. It promises that
 * recording never throws and that the number of series is bounded by the table: a label value that the table does
 * not know is counted as `other`. Metrics with one label are there from the start with 0, so that the first
 * increase is seen.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { OTHER } from './labels.ts';
import { type LabelsOf, METRICS, type MetricName, type MetricSpec, type NameOf } from './table.ts';

/** The labels' place in the arguments, only for metrics that have labels. */
type Rest<Name extends MetricName> = LabelsOf<Name> extends undefined ? [] : [labels: LabelsOf<Name>];

export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  /** What counters that are kept elsewhere had when they were last read, by series. */
  readonly #totals = new Map<string, number>();
  readonly #collectors = new Set<() => void>();

  constructor() {
    for (const [name, spec] of Object.entries<MetricSpec>(METRICS)) this.#register(name, spec);
  }

  #register(name: string, spec: MetricSpec): void {
    const labelNames = Object.keys(spec.labels ?? {});
    const common = { name, help: spec.help, labelNames, registers: [this.#registry] };
    const [label, ...more] = Object.entries(spec.labels ?? {});
    const first =
      label === undefined || more.length > 0 ? [] : label[1].map((value) => ({ [label[0]]: value }));
    if (spec.kind === 'counter') {
      const counter = new Counter(common);
      for (const labels of first) counter.inc(labels, 0);
      this.#counters.set(name, counter);
    } else if (spec.kind === 'gauge') {
      const gauge = new Gauge(common);
      for (const labels of first) gauge.set(labels, 0);
      this.#gauges.set(name, gauge);
    } else {
      const histogram = new Histogram({ ...common, buckets: [...(spec.buckets ?? [])] });
      for (const labels of first) histogram.zero(labels);
      this.#histograms.set(name, histogram);
    }
  }

  inc<Name extends NameOf<'counter'>>(name: Name, by: number, ...[labels]: Rest<Name>): void {
    if (by > 0) this.#counters.get(name)?.inc(known(name, labels), by);
  }

  /** Brings a counter that is kept elsewhere up to its total; a total that fell back begins anew. */
  total<Name extends NameOf<'counter'>>(name: Name, total: number, ...[labels]: Rest<Name>): void {
    const checked = known(name, labels);
    // By the labels as they came: several totals may share the series `other`.
    const series = `${name} ${Object.values(labels ?? {}).join(' ')}`;
    const before = this.#totals.get(series) ?? 0;
    this.#totals.set(series, total);
    const more = total >= before ? total - before : total;
    if (more > 0) this.#counters.get(name)?.inc(checked, more);
  }

  set<Name extends NameOf<'gauge'>>(name: Name, value: number, ...[labels]: Rest<Name>): void {
    if (Number.isFinite(value)) this.#gauges.get(name)?.set(known(name, labels), value);
  }

  observe<Name extends NameOf<'histogram'>>(name: Name, value: number, ...[labels]: Rest<Name>): void {
    if (Number.isFinite(value)) this.#histograms.get(name)?.observe(known(name, labels), Math.max(0, value));
  }

  /** Calls `collect` before every scrape; it must be quick and must not throw. */
  onScrape(collect: () => void): void {
    this.#collectors.add(collect);
  }

  /** All metrics in Prometheus' text format, version 0.0.4. */
  text(): Promise<string> {
    for (const collect of this.#collectors) collect();
    return this.#registry.metrics();
  }
}

/** The labels as the table allows them. */
function known(
  name: MetricName,
  labels: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  if (labels === undefined) return {};
  const spec: MetricSpec = METRICS[name];
  const out: Record<string, string> = {};
  for (const [label, values] of Object.entries(spec.labels ?? {})) {
    const value = labels[label] ?? OTHER;
    out[label] = values.includes(value) ? value : OTHER;
  }
  return out;
}
