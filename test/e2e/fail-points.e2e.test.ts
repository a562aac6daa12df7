/** A real process dies at every named fail point between two steps of persistence, and comes back whole. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FAIL_POINTS } from '../../src/storage/fail-points.ts';
import { named } from '../ledger/support.ts';
import { TestNet } from './net.ts';

let net: TestNet;
beforeAll(async () => {
  net = await TestNet.start(1, { blockInterval: 100 }, { journalSegmentBytes: 16_384 });
}, 60_000);
afterAll(() => net?.stop());

/** Points that are passed only when the journal begins a new segment, every few blocks here, or once a start. */
const SELDOM = new Set([
  'journal.before-rename',
  'journal.after-rename',
  'journal.before-remove',
  'outbox.before-remove',
]);

/** Points that are passed only when a user sends something. */
const SENDING: ReadonlySet<string> = new Set(['outbox.before-append', 'outbox.after-sync']);

it.each(FAIL_POINTS.filter((point) => !SENDING.has(point)))('dies at %s and recovers', async (point) => {
  const { id, hex } = await net.payment(named(point), 50_000n);
  await net.post(0, { transactions: [hex] });
  await net.untilFinal(0, id);
  const before = await net.status(0);
  await net.kill(0);
  await net.restart([0], SELDOM.has(point) ? `${point}:1` : `${point}:7`);
  await net.gone(0);
  await net.restart([0]);
  expect((await net.status(0)).height).toBeGreaterThanOrEqual(before.height);
  expect(await net.get(0, `/v1/blocks/${before.height}?transactions=0`)).toMatchObject({
    hash: before.blockHash,
  });
  await net.untilFinal(0, id);
  await net.untilHeight(0, before.height + 5);
  expect(await net.get(0, '/v1/supply')).toMatchObject({ balanced: true });
});

it.each(FAIL_POINTS.filter((point) => SENDING.has(point)))('dies at %s before it answers', async (point) => {
  await net.kill(0);
  await net.restart([0], `${point}:1`);
  await net.until('the node answers', async () => (await net.status(0)).height > 0);
  const { id, hex } = await net.payment(named(point), 50_000n);
  await expect(net.post(0, { transactions: [hex] })).rejects.toThrow();
  await net.gone(0);
  await net.restart([0]);
  // What was on disk is taken up; what was not can be sent again, since nothing was said of it.
  if (point === 'outbox.before-append') await net.post(0, { transactions: [hex] });
  await net.untilFinal(0, id);
});
