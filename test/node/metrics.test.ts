/** The table of metrics and the registry that is made of it. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { MISS_REASONS } from '../../src/consensus/events.ts';
import { isMapped } from '../../src/node/metrics/network.ts';
import { metricsPage } from '../../src/node/metrics/page.ts';
import { Metrics } from '../../src/node/metrics/registry.ts';
import { METRICS, type MetricSpec } from '../../src/node/metrics/table.ts';
import { WARNING_CODES } from '../../src/node/resources/finding.ts';
import { NETWORK_METRICS } from '../../src/p2p/metrics.ts';

const specs = Object.entries<MetricSpec>(METRICS);

describe('the table of metrics', () => {
  it.each(specs)('%s has a name that says its unit', (name, { kind, help, buckets }) => {
    expect(name).toMatch(/^kryder_[a-z0-9]+(_[a-z0-9]+)*$/);
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    if (kind === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(buckets === undefined).toBe(kind !== 'histogram');
    expect(help).toMatch(/[^.]$/);
  });

  it('has room for every figure of the network', () => {
    expect(NETWORK_METRICS.map(({ name }) => name).filter((name) => !isMapped(name))).toEqual([]);
  });
});

it('docs/metrics.md is what the table says: run `npm run docs`', async () => {
  expect(await readFile('docs/metrics.md', 'utf8')).toBe(metricsPage());
});

it('docs/operation.md knows every warning, every reason for a missed view, and no metric that there is not', async () => {
  const page = await readFile('docs/operation.md', 'utf8');
  for (const word of [...WARNING_CODES, ...MISS_REASONS]) expect(page).toContain(`| \`${word}\` |`);
  const names = [...page.matchAll(/kryder_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, ''));
  expect(names.filter((name) => !(name in METRICS))).toEqual([]);
});

describe('the registry', () => {
  it('shows every metric of the table, and series with one label from the start', async () => {
    const text = await new Metrics().text();
    for (const [name, { kind, help, labels }] of specs) {
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`);
      const [first, ...more] = Object.entries(labels ?? {});
      if (first === undefined || more.length > 0) continue;
      const suffix = kind === 'histogram' ? '_count' : '';
      for (const value of first[1]) expect(text).toContain(`${name}${suffix}{${first[0]}="${value}"} 0\n`);
    }
  });

  it('counts what its labels do not know as other, so that no client makes series', async () => {
    const metrics = new Metrics();
    for (let i = 0; i < 1_000; i++) {
      metrics.inc('kryder_api_requests_total', 1, { route: `/${i}`, status: String(1_000 + i) });
    }
    const text = await metrics.text();
    expect(text).toContain('kryder_api_requests_total{route="other",status="other"} 1000\n');
    expect(text.match(/^kryder_api_requests_total\{/gm)).toHaveLength(1);
  });

  it('follows totals that are kept elsewhere, also when those begin anew', async () => {
    const metrics = new Metrics();
    for (const total of [5, 5, 9, 2]) metrics.total('kryder_dials_total', total);
    expect(await metrics.text()).toContain('kryder_dials_total 11\n');
  });

  it('adds up totals that share a series, and counts nothing twice', async () => {
    const metrics = new Metrics();
    for (let scrape = 0; scrape < 3; scrape++) {
      metrics.total('kryder_transactions_refused_total', 10, { code: 'NEW_CODE' });
      metrics.total('kryder_transactions_refused_total', 3, { code: 'NEWER_CODE' });
    }
    expect(await metrics.text()).toContain('kryder_transactions_refused_total{code="other"} 13\n');
  });

  it('takes no nonsense', async () => {
    const metrics = new Metrics();
    metrics.set('kryder_height', Number.NaN);
    metrics.inc('kryder_dials_total', -5);
    metrics.observe('kryder_finality_seconds', Number.POSITIVE_INFINITY);
    metrics.observe('kryder_finality_seconds', -0.5);
    const text = await metrics.text();
    expect(text).toContain('kryder_height 0\n');
    expect(text).toContain('kryder_dials_total 0\n');
    expect(text).toContain('kryder_finality_seconds_sum 0\nkryder_finality_seconds_count 1\n');
  });
});
