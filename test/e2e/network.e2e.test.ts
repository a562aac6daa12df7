/** Four validators as real processes: transfers become final, and deaths of every kind are survived. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeAddress } from '../../src/codec/address.ts';
import { named } from '../ledger/support.ts';
import { TestNet } from './net.ts';

let net: TestNet;
beforeAll(async () => {
  net = await TestNet.start(4);
}, 90_000);
afterAll(() => net?.stop());

interface Account {
  readonly balance: string;
}
interface Supply {
  readonly balanced: boolean;
  readonly sum: string;
}
interface Results {
  readonly results: { id: string; status: string; code?: string }[];
}

const balance = async (index: number, name: string): Promise<string> =>
  (await net.get<Account>(index, `/v1/accounts/${encodeAddress(named(name))}`)).balance;

describe('a network of four validators', () => {
  it('makes a transfer final at every node, and takes it twice without harm', async () => {
    const { id, hex } = await net.payment(named('receiver'), 50_000n);
    expect(await net.post<Results>(0, { transactions: [hex] })).toMatchObject({
      results: [{ id, status: 'pending' }],
    });
    const again = await net.post<Results>(1, { transactions: [hex, hex] });
    expect(again.results.map(({ status }) => status)).toEqual([
      expect.stringMatching(/pending|final/),
      expect.stringMatching(/pending|final/),
    ]);
    for (let i = 0; i < 4; i++) await net.untilFinal(i, id);
    for (let i = 0; i < 4; i++) expect(await balance(i, 'receiver')).toBe('50000');
    expect(await net.post<Results>(2, { transactions: [hex] })).toMatchObject({
      results: [{ id, status: 'final' }],
    });
    expect(await net.get<Supply>(3, '/v1/supply')).toMatchObject({ balanced: true, sum: expect.any(String) });
  });

  it('goes on with one validator killed, which catches up when it is back', async () => {
    await net.kill(1);
    const { height } = await net.status(0);
    const { id, hex } = await net.payment(named('while one is away'), 60_000n);
    await net.post(2, { transactions: [hex] });
    await net.untilFinal(3, id);
    await net.untilHeight(0, height + 12);
    await net.restart([1]);
    await net.untilHeight(1, height + 12);
    await net.untilFinal(1, id);
    expect(await balance(1, 'while one is away')).toBe('60000');
  });

  it('goes on from where it was when all four are killed at once', async () => {
    const { id, hex } = await net.payment(named('before the end'), 70_000n);
    await net.post(0, { transactions: [hex] });
    await net.untilFinal(0, id);
    const before = await Promise.all([0, 1, 2, 3].map((i) => net.status(i)));
    const highest = Math.max(...before.map(({ height }) => height));
    await net.kill(0, 1, 2, 3);
    await net.restart([0, 1, 2, 3]);
    for (let i = 0; i < 4; i++) {
      expect((await net.status(i)).height).toBeGreaterThanOrEqual(before[i]!.height);
      await net.untilHeight(i, highest + 3);
      await net.untilFinal(i, id);
      for (const { height, blockHash } of before) {
        if (height > 0)
          expect(await net.get(i, `/v1/blocks/${height}?transactions=0`)).toMatchObject({ hash: blockHash });
      }
      expect(await net.get<Supply>(i, '/v1/supply')).toMatchObject({ balanced: true });
    }
  });

  it('ends a node on SIGTERM within five seconds, with nothing left to repair', async () => {
    const { code, ms } = await net.terminate(2);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(5_000);
    await net.restart([2]);
    const { height } = await net.status(0);
    await net.untilHeight(2, height + 3);
  });

  it('tells what is wrong with a transaction', async () => {
    const { hex } = await net.payment(named('receiver'), 50_000n);
    const broken = `${hex.slice(0, -2)}${hex.endsWith('00') ? '01' : '00'}`;
    const answer = await net.post<Results>(0, { transactions: [broken, '00', hex.slice(2)] });
    expect(answer.results.map(({ status, code }) => [status, code])).toEqual([
      ['rejected', 'TX_SIGNATURE'],
      ['rejected', 'CODEC_TYPE'],
      ['rejected', expect.stringMatching(/^CODEC_/)],
    ]);
    const dust = await net.payment(named('too little to open an account'), 1n);
    expect(await net.post<Results>(1, { transactions: [dust.hex] })).toMatchObject({
      results: [{ id: dust.id, status: 'rejected', code: 'TX_DUST' }],
    });
    expect(await net.get(1, `/v1/transactions/${dust.id}`)).toMatchObject({
      status: 'rejected',
      code: 'TX_DUST',
    });
    const unknown = 'ab'.repeat(32);
    expect(await net.get(0, `/v1/transactions/${unknown}`)).toMatchObject({ status: 'unknown' });
    expect(await net.get(0, `/v1/transactions/${unknown}?validUntil=1`)).toMatchObject({ status: 'expired' });
  });
});
