/** What a soak measured, summed up: each node at two moments, and how fast what it holds grows between them. */

export interface NodeSample {
  readonly minute: number;
  /** Bytes. */
  readonly rss: number;
  /** Used heap of the main thread in bytes, where the node's metrics tell it. */
  readonly heap: number | undefined;
  readonly handles: number;
  readonly threads: number;
  readonly cpuSeconds: number;
  readonly databaseBytes: number;
  readonly journalBytes: number;
  readonly height: number;
  readonly mempool: number;
}

export interface NodeSeries {
  readonly name: string;
  readonly samples: readonly NodeSample[];
}

interface NodeSummary {
  readonly name: string;
  /** The samples nearest to the two moments. */
  readonly early: NodeSample;
  readonly late: NodeSample;
  readonly highestRss: number;
  /** Least squares over the samples from the early moment on, a minute; undefined for fewer than three samples. */
  readonly rssSlope: number | undefined;
  readonly handlesSlope: number | undefined;
}

/** By how much `y` grows with each unit of `x`, by least squares; undefined when that is not defined. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number | undefined {
  const n = points.length;
  if (n < 3) return undefined;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  let above = 0;
  let below = 0;
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below === 0 ? undefined : above / below;
}

/** The early moment of a soak: ten minutes, or a sixth of a shorter one. */
export function earlyMoment(minutes: number): number {
  return minutes >= 60 ? 10 : minutes / 6;
}

function nearest(samples: readonly NodeSample[], minute: number): NodeSample {
  return samples.reduce((best, sample) =>
    Math.abs(sample.minute - minute) < Math.abs(best.minute - minute) ? sample : best,
  );
}

/** `minutes` is how long the load lasted; nodes without a sample are left out. */
export function summarise(nodes: readonly NodeSeries[], minutes: number): NodeSummary[] {
  const from = earlyMoment(minutes);
  return nodes
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, samples }) => {
      const early = nearest(samples, from);
      const settled = samples.filter(({ minute }) => minute >= early.minute);
      return {
        name,
        early,
        late: nearest(samples, minutes),
        highestRss: Math.max(...samples.map(({ rss }) => rss)),
        rssSlope: slope(settled.map(({ minute, rss }) => [minute, rss])),
        handlesSlope: slope(settled.map(({ minute, handles }) => [minute, handles])),
      };
    });
}

const MIB = 1_024 * 1_024;
const mib = (bytes: number): string => (bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0);
const minuteOf = ({ minute }: NodeSample): string => `minute ${Math.round(minute * 10) / 10}`;

/** The table for people, in Markdown. */
export function soakTable(summaries: readonly NodeSummary[]): string {
  const first = summaries[0];
  if (first === undefined) return 'nothing was sampled';
  const pair = (of: (sample: NodeSample) => string, { early, late }: NodeSummary): string =>
    `${of(early)} → ${of(late)}`;
  const rows = summaries.map((node) => [
    node.name,
    pair(({ rss }) => mib(rss), node),
    mib(node.highestRss),
    node.rssSlope === undefined ? '–' : ((node.rssSlope * 60) / MIB).toFixed(1),
    node.late.heap === undefined || node.early.heap === undefined
      ? '–'
      : pair(({ heap }) => mib(heap ?? 0), node),
    pair(({ handles }) => String(handles), node),
    pair(({ databaseBytes }) => mib(databaseBytes), node),
    pair(({ journalBytes }) => mib(journalBytes), node),
    pair(({ height }) => String(height), node),
  ]);
  const head = [
    `${minuteOf(first.early)} → ${minuteOf(first.late)}`,
    'resident MiB',
    'highest',
    'MiB an hour',
    'heap MiB',
    'open handles',
    'database MiB',
    'journal MiB',
    'height',
  ];
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
