/** What a node's own users were told is pending survives the death of every node at once. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { named } from '../ledger/support.ts';
import { TestNet } from './net.ts';

let net: TestNet;
beforeAll(async () => {
  // Blocks are far apart: what is sent just after one waits for the next.
  net = await TestNet.start(4, { blockInterval: 3_000 });
}, 90_000);
afterAll(() => net?.stop());

interface Results {
  readonly results: { id: string; status: string }[];
}
const statusOf = async (index: number, id: string): Promise<string> =>
  (await net.get<{ status: string }>(index, `/v1/transactions/${id}`)).status;

it('makes transactions final that were pending when all validators were killed before a block', async () => {
  const before = await net.status(0);
  await net.untilHeight(0, before.height + 1);
  const payments = await Promise.all([0, 1, 2].map((i) => net.payment(named(`waits ${i}`), 50_000n)));
  // The first two through one node, the third through another.
  const first = await net.post<Results>(0, { transactions: payments.slice(0, 2).map(({ hex }) => hex) });
  const second = await net.post<Results>(1, { transactions: [payments[2]!.hex] });
  expect([...first.results, ...second.results].map(({ status }) => status)).toEqual(Array(3).fill('pending'));
  await net.kill(0, 1, 2, 3);
  await net.restart([0, 1, 2, 3]);
  for (const [i, { id }] of payments.entries()) {
    const through = i < 2 ? 0 : 1;
    expect(['pending', 'final']).toContain(await statusOf(through, id));
    for (let node = 0; node < 4; node++) await net.untilFinal(node, id);
  }
  expect(await net.get(2, '/v1/supply')).toMatchObject({ balanced: true });
});

it('takes up nothing twice: what is final stays so, and the next start finds nothing to do', async () => {
  const { id, hex } = await net.payment(named('once'), 50_000n);
  await net.post(3, { transactions: [hex] });
  await net.untilFinal(3, id);
  await net.kill(3);
  await net.restart([3]);
  await net.untilFinal(3, id);
  const { height } = await net.status(3);
  await net.untilHeight(3, height + 1);
  expect((await net.get<{ mempool: { transactions: number } }>(3, '/v1/status')).mempool.transactions).toBe(
    0,
  );
});
