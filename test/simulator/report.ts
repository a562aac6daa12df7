/** A series of runs as tables, for docs/consensus.md. */
import { ADVERSARIES, CLOCKS, COMMITTEES, DISKS, NETWORKS } from './facets.ts';
import type { Cell, Progress } from './progress.ts';

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  return [row(head), row(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(row)];
}

const count = (value: number): string => Math.round(value).toLocaleString('en-GB');

function figures({ runs, views, finalizations, duration, seconds, findings }: Cell): string[] {
  return [
    count(runs),
    count(views),
    count(finalizations),
    (duration / 3_600_000).toFixed(1),
    count(seconds),
    (runs / Math.max(seconds, 1e-9)).toFixed(1),
    count(findings),
  ];
}

const FIGURES = [
  'runs',
  'views',
  'finalizations',
  'virtual hours',
  'core seconds',
  'runs a core second',
  'findings',
];

/** Markdown. */
export function reportOf(progress: Progress): string {
  const { cells, total, from, next, faults } = progress;
  const sum = (names: readonly string[]): Cell | undefined => {
    const found = names.map((name) => cells[name]).filter((cell) => cell !== undefined);
    if (found.length === 0) return undefined;
    return found.reduce((a, b) => ({
      runs: a.runs + b.runs,
      finalizations: a.finalizations + b.finalizations,
      views: a.views + b.views,
      duration: a.duration + b.duration,
      seconds: a.seconds + b.seconds,
      findings: a.findings + b.findings,
    }));
  };
  const committees = Object.keys(COMMITTEES);
  const facet = (
    title: string,
    values: readonly string[],
    keys: (value: string) => readonly string[],
  ): string[] => {
    const rows = values.flatMap((value) => {
      const cell = sum(keys(value));
      return cell === undefined ? [] : [[value, ...figures(cell)]];
    });
    return ['', ...table([title, ...FIGURES], rows)];
  };
  const present = ADVERSARIES.filter((adversary) => committees.some((name) => cells[`${name} ${adversary}`]));
  const cross = committees.flatMap((committee) => {
    const runs = present.map((adversary) => cells[`${committee} ${adversary}`]?.runs ?? 0);
    return runs.some((number) => number > 0) ? [[committee, ...runs.map(count)]] : [];
  });
  return [
    `Seeds ${from} to ${next - 1}, trace hash \`${progress.traceHash}\`.`,
    '',
    ...table(['', ...FIGURES], [['all', ...figures(total)]]),
    ...facet('committee', committees, (value) => ADVERSARIES.map((adversary) => `${value} ${adversary}`)),
    ...facet('adversary', ADVERSARIES, (value) => committees.map((committee) => `${committee} ${value}`)),
    ...facet('network', NETWORKS, (value) => [value]),
    ...facet('disk', DISKS, (value) => [value]),
    ...facet('clocks', CLOCKS, (value) => [value]),
    '',
    'Runs by committee and adversary:',
    '',
    ...table(['', ...present], cross),
    '',
    'What was done to them:',
    '',
    ...table(
      ['fault', 'times'],
      Object.entries(faults)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, times]) => [name, count(times)]),
    ),
    '',
  ].join('\n');
}
