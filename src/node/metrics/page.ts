/** docs/metrics.md, made from the table of metrics. */
import { type MetricSpec, SECTIONS } from './table.ts';

const HEAD = `# Metrics

This page is made from \`src/node/metrics/table.ts\` by \`npm run docs\`; do not edit it.

A node serves these at \`/metrics\` of its API, in Prometheus' text format, unless the setting \`metrics\` is off. Names end
with their unit; a counter ends with \`_total\` and begins anew with the process. The values of every label are a closed set:
what is not listed is counted as \`other\`. [operation.md](operation.md) has an example of a scrape, and alerts.`;

function labelsOf({ labels }: MetricSpec): string {
  return Object.entries(labels ?? {})
    .map(([label, values]) => `\`${label}\`: ${values.map((value) => `\`${value}\``).join(', ')}`)
    .join('; ');
}

function rowOf([name, spec]: readonly [string, MetricSpec]): string {
  const labels = labelsOf(spec);
  return `| \`${name}\` | ${spec.kind} | ${spec.help}${labels === '' ? '' : `<br>${labels}`} |`;
}

export function metricsPage(): string {
  const sections = Object.entries(SECTIONS).map(([title, section]) =>
    [
      `## ${title}`,
      '',
      '| metric | kind | what it says |',
      '| --- | --- | --- |',
      ...Object.entries(section).map(rowOf),
    ].join('\n'),
  );
  return `${[HEAD, ...sections].join('\n\n')}\n`;
}
