/** The services of libp2p are read no faster than their rates. */
import { afterEach, expect, it } from 'vitest';
import { PROTOCOL } from '../../src/p2p/wire.ts';
import { bytes, startNode, stopAll, until } from './harness.ts';
import { greet, rawHost, stopRawHosts } from './raw-host.ts';

afterEach(async () => {
  await Promise.all([stopRawHosts(), stopAll()]);
});

/** A search for the peers near a key, as the hash table's protocol has it, with its length in front. */
const SEARCH = bytes(38, 8, 4, 18, 34, ...new Array<number>(34).fill(7));
const SEARCHES = 200;

/** Answers to two hundred searches, until all are there or the stream is gone. */
async function search(bytesPerSecond: number): Promise<{ answers: number; cut: boolean }> {
  const victim = await startNode({ n: 1, limits: { routingRate: { bytesPerSecond } } });
  const attacker = await rawHost(victim);
  await greet(attacker);
  await until('it is ready', () => victim.network.peers()[0]?.status === 'ready');
  const stream = await attacker.open(PROTOCOL.kad);
  let answers = 0;
  let cut = false;
  stream.addEventListener('message', () => {
    answers++;
  });
  stream.addEventListener('close', () => {
    cut = true;
  });
  for (let i = 0; i < SEARCHES && stream.status === 'open'; i++) {
    stream.send(SEARCH);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until('it has ended', () => cut || answers === SEARCHES);
  expect(victim.network.peers()[0]?.status).toBe('ready');
  return { answers, cut };
}

it('searches far beyond the rate are cut off, most of them unanswered', async () => {
  const { answers, cut } = await search(SEARCH.length);
  expect(cut).toBe(true);
  expect(answers).toBeLessThan(SEARCHES / 2);
});

it('searches within the rate are answered', async () => {
  expect(await search(1_000_000)).toEqual({ answers: SEARCHES, cut: false });
});
