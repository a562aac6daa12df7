/**
 * The load of the throughput benchmark, as a process of its own: signs everything first, reports that it is
 * ready, then pushes batches through a node's binary door, a few in flight, as fast as the node takes them.
 * What is refused for lack of room is offered again.
 */
import { fromHex } from '../src/codec/bytes.ts';
import { installHashBackend } from '../src/codec/hash.ts';
import { selectSigningKeys } from '../src/node/crypto/select.ts';
import { nodeHashBackend } from '../src/node/hash.ts';
import { encodeTransactionList } from '../src/node/requests.ts';
import { judged, openDoor } from './door.ts';
import { type SignedTransfer, senderKey, signTransfer } from './workload.ts';

interface Plan {
  readonly api: string;
  readonly genesisHash: string;
  readonly senders: number;
  readonly transfers: number;
  readonly validUntil: number;
  readonly seconds: number;
}

const BATCH = 1_000;
const IN_FLIGHT = 4;
const PAUSE_MS = 100;

const say = (message: unknown): void => {
  process.stdout.write(`${JSON.stringify(message)}\n`);
};

installHashBackend(nodeHashBackend());
const plan = JSON.parse(process.argv[2] ?? '{}') as Plan;
const genesisHash = fromHex(plan.genesisHash, 32);
const factory = selectSigningKeys();
const keys = Array.from({ length: plan.senders }, (_, i) => senderKey(factory, i));
const queue: SignedTransfer[] = [];
for (let serial = 0; serial < plan.transfers; serial++) {
  const from = keys[serial % keys.length]!;
  const to = keys[(serial + 1) % keys.length]!;
  queue.push(signTransfer(from, to.publicKey, serial, plan.validUntil, genesisHash));
}
say({ ready: queue.length });
await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()));

const post = openDoor(plan.api, IN_FLIGHT);
let next = 0;
let offered = 0;
let accepted = 0;
const again: SignedTransfer[] = [];
const refusals: Record<string, number> = {};
const end = performance.now() + plan.seconds * 1_000;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

async function push(): Promise<void> {
  while (performance.now() < end) {
    const batch = again.splice(0, BATCH);
    while (batch.length < BATCH && next < queue.length) batch.push(queue[next++]!);
    if (batch.length === 0) return;
    const answer = await post(encodeTransactionList(batch.map(({ bytes }) => bytes)));
    if (answer.status === 503) {
      again.push(...batch);
      await pause();
      continue;
    }
    const verdict = judged(answer);
    offered += batch.length;
    accepted += verdict.accepted;
    for (const { index, code } of verdict.refused) {
      refusals[code] = (refusals[code] ?? 0) + 1;
      if (code === 'MEMPOOL_FULL') {
        again.push(batch[index]!);
        offered -= 1;
      }
    }
    if (verdict.refused.length > 0) await pause();
  }
}

const started = performance.now();
await Promise.all(Array.from({ length: IN_FLIGHT }, push));
say({
  offered,
  accepted,
  refusals,
  unsent: queue.length - next + again.length,
  seconds: (performance.now() - started) / 1_000,
});
process.exit(0);
