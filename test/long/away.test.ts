/** A validator that was away for ten minutes catches up by itself, while the others go on under load. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestNet } from '../e2e/net.ts';
import { named } from '../ledger/support.ts';

const AWAY_MS = 10 * 60_000;

let net: TestNet;
beforeAll(async () => {
  net = await TestNet.start(4, { blockInterval: 1_000 });
});
afterAll(() => net?.stop());

it('catches up after ten minutes', async () => {
  await net.kill(3);
  const began = performance.now();
  const ids: string[] = [];
  while (performance.now() - began < AWAY_MS) {
    const { id, hex } = await net.payment(named(`receiver ${ids.length}`), 50_000n);
    await net.post(0, { transactions: [hex] });
    await net.untilFinal(1, id);
    ids.push(id);
  }
  const { height, blockHash } = await net.status(0);
  expect(height).toBeGreaterThan(400);
  const back = performance.now();
  await net.restart([3]);
  const readyMs = Math.round(performance.now() - back);
  await net.untilHeight(3, height, 60_000);
  const levelMs = Math.round(performance.now() - back);
  console.log(JSON.stringify({ awayMs: AWAY_MS, height, readyMs, levelMs }));
  expect(await net.get(3, `/v1/blocks/${height}?transactions=0`)).toMatchObject({ hash: blockHash });
  for (const id of ids) expect(await net.get(3, `/v1/transactions/${id}`)).toMatchObject({ status: 'final' });
  await net.untilHeight(3, (await net.status(0)).height + 3);
  expect(await net.get(3, '/v1/supply')).toMatchObject({ balanced: true });
});
