/** Many hosts behind one address: what a crowd does there costs the honest ones nothing. */
import { afterEach, expect, it } from 'vitest';
import { bytes, startNode, stopAll, until } from './harness.ts';
import { greet, rawHost, stopRawHosts } from './raw-host.ts';

const CROWD = 16;

afterEach(async () => {
  await Promise.all([stopRawHosts(), stopAll()]);
});

it('takes gossip from a host that shares its address with a crowd', async () => {
  const victim = await startNode({ n: 1 });
  const honest = await startNode({ n: 2, bootstrap: victim.network.addresses() });
  for (let n = 0; n < CROWD; n++) await greet(await rawHost(victim, 50 + n));
  await until('all are there', () => victim.network.metrics()['peers.ready'] === CROWD + 1);
  await until('the mesh stands', () => honest.network.metrics()['gossip.mesh'] === 1, 10_000);
  // scores are reckoned anew once a second
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await honest.network.publishTransactions(bytes(1, 2, 3));
  await until('the batch is there', () => victim.batches.length === 1, 5_000);
  expect(victim.batches).toEqual([bytes(1, 2, 3)]);
});
