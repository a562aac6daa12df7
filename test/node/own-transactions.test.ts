/** What users sent before the node ended is taken up again: in order, with patience, and only while it can matter. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { type Bytes, keyOf } from '../../src/codec/bytes.ts';
import type { MempoolLimits } from '../../src/mempool/types.ts';
import { TransactionRelay } from '../../src/node/gossip.ts';
import { OwnTransactions } from '../../src/node/own-transactions.ts';
import { decodeTransactionList } from '../../src/node/requests.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { freshSalt, pay } from '../ledger/support.ts';
import { AdmissionWorld, payment } from './admission-support.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const LOG = { info: () => {}, warn: () => {}, error: () => {} };

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kryder-own-'));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A node's life on the directory; `final` holds ids of what its database says is final. */
async function live(path: string, limits: Partial<MempoolLimits> = {}, final = new Set<string>()) {
  const w: AdmissionWorld = new AdmissionWorld(limits, { onLeft: (wireKey) => own.left(wireKey) });
  const published: Bytes[] = [];
  const relay = new TransactionRelay({ admissions: w.admissions, publish: (batch) => published.push(batch) });
  cleanups.push(() => relay.stop());
  const own: OwnTransactions = await OwnTransactions.open({
    directory: path,
    limits: { maxTransactions: 1_000, maxBytes: 1_000_000 },
    admissions: w.admissions,
    relay,
    isFinal: (id) => final.has(keyOf(id)),
    log: LOG,
    retryMs: 20,
  });
  cleanups.push(() => own.close());
  const submit = async (...transactions: CheckedTransaction[]): Promise<string[]> =>
    (await own.submit(transactions.map((tx) => tx.bytes))).map((result) =>
      result.status === 'refused' ? result.error.code : result.status,
    );
  const block = (...transactions: CheckedTransaction[]): void => {
    w.block(...transactions);
    for (const tx of transactions) final.add(keyOf(tx.id));
  };
  const waiting = (): string[] => w.admissions.mempool.transactions().map((tx) => keyOf(tx.id));
  return { w, own, relay, published, submit, block, waiting };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await delay(5);
  }
}
const ids = (...transactions: CheckedTransaction[]): string[] => transactions.map((tx) => keyOf(tx.id));

it('takes up what waited, verified again and published, and nothing that is final', async () => {
  const path = await directory();
  const list = Array.from({ length: 5 }, () => payment(50_000n));
  const first = await live(path);
  expect(await first.submit(...list)).toEqual(Array(5).fill('admitted'));
  // No farewell: what follows is another process on the same files.
  const second = await live(path, {}, new Set(ids(list[0]!)));
  expect(list.map((tx) => second.own.restoring(tx.id))).toEqual([false, true, true, true, true]);
  second.own.restore();
  await until(() => second.waiting().length === 4);
  expect(second.w.verified).toBe(4);
  expect(list.some((tx) => second.own.restoring(tx.id))).toBe(false);
  await until(() => second.published.length > 0);
  second.block(list[1]!);
  expect(second.own.figures).toMatchObject({ transactions: 3, restored: 4 });
});

it('keeps the order in which replacements came', async () => {
  const path = await directory();
  const salt = freshSalt();
  const old = payment(50_000n, { salt });
  const better = payment(60_000n, { salt, fee: 2n * old.fee });
  const first = await live(path);
  expect(await first.submit(old)).toEqual(['admitted']);
  expect(await first.submit(better)).toEqual(['admitted']);
  const second = await live(path);
  second.own.restore();
  await until(() => second.own.figures.restoring === 0);
  expect(second.waiting()).toEqual(ids(better));
  expect(second.own.figures.transactions).toBe(1);
});

it('tries again what a state that is some blocks behind refuses', async () => {
  const path = await directory();
  const far = payment(50_000n, { validUntil: 12 });
  const first = await live(path);
  first.block();
  first.block();
  expect(await first.submit(far)).toEqual(['admitted']);
  const second = await live(path);
  second.own.restore();
  await until(() => second.w.admissions.fate(far.id)?.code === 'TX_TOO_FAR');
  expect(second.own.restoring(far.id)).toBe(true);
  second.block();
  second.block();
  await until(() => second.waiting().length === 1);
  expect(second.w.verified).toBe(1);
});

it('waits for room in a full mempool, until the transaction expires', async () => {
  const path = await directory();
  const [short, long] = [payment(50_000n, { validUntil: 2 }), payment(50_000n, { validUntil: 9 })];
  const first = await live(path);
  expect(await first.submit(short, long)).toEqual(['admitted', 'admitted']);
  const second = await live(path, { maxTransactions: 4 });
  const filling = Array.from({ length: 3 }, () => payment(50_000n, { fee: 5_000n, validUntil: 4 }));
  await second.w.statuses(filling, 'peer');
  second.own.restore();
  await until(() => second.w.admissions.fate(long.id)?.code === 'MEMPOOL_FULL');
  second.block();
  second.block();
  await until(() => !second.own.restoring(short.id));
  expect(second.w.admissions.fate(short.id)?.code).toBe('TX_EXPIRED');
  expect(second.own.restoring(long.id)).toBe(true);
  second.block(...filling);
  await until(() => second.waiting().length === 1);
  expect(second.waiting()).toEqual(ids(long));
  expect(second.own.figures).toMatchObject({ transactions: 1, givenUp: 1 });
});

it('keeps nothing that was refused, and lets go of what left while it was written', async () => {
  const path = await directory();
  const { submit, block, own, relay, w } = await live(path);
  const dust = payment(1n, { outputs: [pay('without an account', 1n)] });
  expect(await submit(dust)).toEqual(['TX_DUST']);
  expect(own.figures.transactions).toBe(0);
  const quick = payment(50_000n);
  const sending = submit(quick);
  await until(() => w.admissions.mempool.size === 1);
  block(quick);
  expect(await sending).toEqual(['admitted']);
  expect(own.figures.transactions).toBe(0);
  expect(relay.figures.own).toBe(0);
});

it('does not answer when the disk does not take it, and publishes what is sent again afterwards', async () => {
  const path = await directory();
  const { submit, own, published, relay } = await live(path);
  await rm(path, { recursive: true });
  const tx = payment(50_000n);
  await expect(submit(tx)).rejects.toMatchObject({ code: 'OUTBOX_FAILED' });
  expect(own.figures.failures).toBe(1);
  expect(relay.figures.own).toBe(0);
  await mkdir(path);
  expect(await submit(tx, tx)).toEqual(['known', 'known']);
  await until(() => published.length > 0);
  expect(decodeTransactionList(published[0]!, 10)).toEqual([tx.bytes]);
  expect([own.figures.transactions, relay.figures.own]).toEqual([1, 1]);
});

it('keeps publishing what a user sends after a peer has brought it', async () => {
  const { w, submit, relay } = await live(await directory());
  const tx = payment(50_000n);
  await w.statuses([tx], 'peer');
  expect(await submit(tx)).toEqual(['known']);
  expect(await submit(tx)).toEqual(['known']);
  expect(relay.figures.own).toBe(1);
});
