import { afterEach, describe, expect, it } from 'vitest';
import type { BatchVerdict, Verdict } from '../../src/p2p/types.ts';
import { bytes, type Node, startNode, stopAll, until } from './harness.ts';

afterEach(stopAll);

/** Three hosts in a row: the ends are connected only through the one in the middle. */
async function row(verdict: (batch: Uint8Array) => BatchVerdict): Promise<[Node, Node, Node]> {
  const limits = { gossipPerSecond: 4 };
  const middle = await startNode({ n: 1, limits, verdict });
  const bootstrap = middle.network.addresses();
  const left = await startNode({ n: 2, bootstrap });
  const right = await startNode({ n: 3, bootstrap, limits });
  left.network.penalise(right.network.peerId, 'FRAME_INVALID');
  right.network.penalise(left.network.peerId, 'FRAME_INVALID');
  const mesh = (node: Node): number => node.network.metrics()['gossip.mesh']!;
  await until('the mesh stands', () => mesh(left) === 1 && mesh(middle) === 2 && mesh(right) === 1);
  return [left, middle, right];
}

describe('gossip', () => {
  it('carries a batch to hosts that are not neighbours, once', async () => {
    const [left, middle, right] = await row(() => 'accept');
    const batch = new Uint8Array(256 * 1024).fill(3);
    expect(await left.network.publishTransactions(batch)).toBe(1);
    await until('it is everywhere', () => middle.batches.length === 1 && right.batches.length === 1);
    expect(Buffer.compare(right.batches[0]!, batch)).toBe(0);
    await left.network.publishTransactions(batch);
    await left.network.publishTransactions(bytes(1));
    await until('the next one is everywhere', () => right.batches.length === 2);
    expect(middle.batches).toHaveLength(2);
    expect(left.batches).toEqual([]);
  });

  it('forwards nothing that was ignored or rejected, and punishes only for the latter', async () => {
    const verdicts: Verdict[] = ['ignore', 'reject', 'accept'];
    const [left, middle, right] = await row((batch) => verdicts[batch[0]!]!);
    for (const i of [0, 1, 2]) await left.network.publishTransactions(bytes(i));
    await until('the accepted one has arrived', () => right.batches.length === 1);
    expect(right.batches).toEqual([bytes(2)]);
    expect(middle.batches).toHaveLength(3);
    expect(middle.network.metrics()['offences.TRANSACTIONS_INVALID']).toBe(1);
    for (const i of [1, 2]) await left.network.publishTransactions(bytes(1, i));
    await until('it is banned', () => middle.network.metrics()['peers.banned'] === 1);
  });

  it('takes from another peer what it had no time for when it came first', async () => {
    let busy = true;
    const [left, middle, right] = await row(() => (busy ? 'busy' : 'accept'));
    await left.network.publishTransactions(bytes(1, 2, 3));
    await until('it has come', () => middle.batches.length === 1);
    busy = false;
    await right.network.publishTransactions(bytes(1, 2, 3));
    await until('it has come again, and is passed on', () => middle.batches.length === 2);
    await right.network.publishTransactions(bytes(4));
    await until('it is not taken a third time', () => left.batches.length === 1);
    expect(left.batches).toEqual([bytes(4)]);
  });

  it('refuses batches that are empty or too large where they are made', async () => {
    const [left] = await row(() => 'accept');
    await expect(left.network.publishTransactions(bytes())).rejects.toMatchObject({ code: 'BATCH_SIZE' });
    const large = new Uint8Array(1024 * 1024 + 1);
    await expect(left.network.publishTransactions(large)).rejects.toMatchObject({ code: 'BATCH_SIZE' });
  });

  it('takes no more than its rate from one peer', async () => {
    const [left, middle] = await row(() => 'accept');
    for (let i = 0; i < 60; i++) await left.network.publishTransactions(bytes(i, 7));
    await until('it is banned', () => middle.network.metrics()['peers.banned'] === 1);
    // a burst of twenty, and four a second
    expect(middle.batches.length).toBeGreaterThanOrEqual(20);
    expect(middle.batches.length).toBeLessThan(40);
    expect(middle.network.metrics()['offences.GOSSIP_FLOOD']).toBeGreaterThanOrEqual(5);
  });

  it('passes on no more than its peers allow it, whatever is sent through it', async () => {
    const [left, middle, right] = await row(() => 'accept');
    for (let i = 0; i < 16; i++) await left.network.publishTransactions(bytes(i, 7));
    await until('it has them all', () => middle.batches.length === 16);
    await until('the rest is held back', () => middle.network.metrics()['gossip.dropped']! >= 8);
    await until('the first ones have arrived', () => right.batches.length >= 4);
    // four at once, and three a second
    expect(right.batches.length).toBeLessThan(9);
    expect(right.network.metrics()['offences.GOSSIP_FLOOD']).toBe(0);
    expect(middle.network.metrics()['offences.GOSSIP_FLOOD']).toBe(0);
  });

  it('lets own batches wait for their turn', async () => {
    const [, middle, right] = await row(() => 'accept');
    const began = performance.now();
    await Promise.all(Array.from({ length: 8 }, (_, i) => middle.network.publishTransactions(bytes(i, 9))));
    await until('all are there', () => right.batches.length === 8);
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });
});
