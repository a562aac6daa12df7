import { afterEach, expect, it } from 'vitest';
import { REFUSALS } from '../../src/p2p/door.ts';
import { NETWORK_METRICS } from '../../src/p2p/metrics.ts';
import { OFFENCES } from '../../src/p2p/offences.ts';
import { startNode, stopAll } from './harness.ts';

afterEach(stopAll);

it('gives exactly the figures of its table, numbers all of them', async () => {
  const { network } = await startNode({ n: 1 });
  const figures = network.metrics();
  expect(Object.keys(figures).sort()).toEqual(NETWORK_METRICS.map(({ name }) => name).sort());
  expect(Object.values(figures).every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
});

it('has a counter for each offence and each refusal, and says what each figure means', () => {
  const names = new Set(NETWORK_METRICS.map(({ name }) => name));
  expect(names.size).toBe(NETWORK_METRICS.length);
  for (const offence of Object.keys(OFFENCES)) expect(names).toContain(`offences.${offence}`);
  for (const reason of Object.keys(REFUSALS)) expect(names).toContain(`refused.${reason}`);
  for (const { name, unit, help } of NETWORK_METRICS) {
    expect(help.length).toBeGreaterThan(3);
    expect(unit === 'bytes').toBe(name.endsWith('.bytes'));
  }
});
