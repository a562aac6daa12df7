/** Gossip by hand: batches that are garbage, invalid or refused, floods of subscriptions and of control messages. */
import type { Stream } from '@libp2p/interface';
import type { Bytes } from '../../../src/codec/bytes.ts';
import { encodeTransactionList } from '../../../src/node/requests.ts';
import { transactionTopic } from '../../../src/p2p/gossip.ts';
import { MESHSUB, push, type Session } from '../hosts.ts';
import { type Hand, type Kind, pause } from '../kind.ts';
import { bytesField, delimited, numberField } from '../protobuf.ts';
import { invalidTransaction, refusedTransaction, shuffled } from '../transactions.ts';
import { garbage, mutate, type World } from '../world.ts';

const MIB = 1024 * 1024;

const subscription = (topic: string, on = 1): Bytes =>
  bytesField(1, Buffer.concat([numberField(1, on), bytesField(2, topic)]));
const publication = (topic: string, data: Bytes): Bytes =>
  bytesField(2, Buffer.concat([bytesField(2, data), bytesField(4, topic)]));

async function mesh(hand: Hand, target = hand.target()): Promise<{ session: Session; stream: Stream }> {
  const session = await hand.ready(target);
  const stream = await session.stream(MESHSUB);
  await push(stream, delimited(subscription(transactionTopic(hand.world.genesisHash))));
  return { session, stream };
}

async function flood(hand: Hand, make: () => Bytes, restMs = 0): Promise<void> {
  const { session, stream } = await mesh(hand);
  while (hand.on) {
    await push(stream, make());
    hand.sent++;
    await pause(restMs);
    if (!session.alive) throw new Error('cut off');
  }
}

const batch = (world: World, transactions: readonly Bytes[]): Bytes =>
  delimited(publication(transactionTopic(world.genesisHash), encodeTransactionList(transactions)));

/** Made once and sent in ever new orders: what costs the sender nothing costs the receiver its checks. */
const made = new WeakMap<World, Map<string, Bytes[]>>();
function stock(hand: Hand, name: string, count: number, make: (hand: Hand) => Bytes): Bytes[] {
  const all = made.get(hand.world) ?? new Map<string, Bytes[]>();
  made.set(hand.world, all);
  let list = all.get(name);
  if (list === undefined) {
    list = Array.from({ length: count }, () => make(hand));
    all.set(name, list);
  }
  return list;
}

export const GOSSIP: readonly Kind[] = [
  {
    name: 'batches of garbage, a megabyte each',
    group: 'gossip',
    step: (hand) =>
      flood(hand, () =>
        delimited(
          publication(transactionTopic(hand.world.genesisHash), garbage(hand.world, hand.rng, MIB - 100)),
        ),
      ),
  },
  {
    name: 'batches with an invalid transaction',
    group: 'gossip',
    step: (hand) =>
      flood(hand, () => {
        const { world, rng } = hand;
        const good = stock(hand, 'refused', 1_000, (h) => refusedTransaction(h.world, h.rng));
        return batch(world, [...shuffled(rng, good).slice(0, 50), invalidTransaction(world, rng)]);
      }),
  },
  {
    name: 'batches of well signed transactions that are refused',
    group: 'gossip',
    hands: 4,
    step: (hand) =>
      flood(hand, () => {
        const list = stock(hand, 'refused', 1_000, (h) => refusedTransaction(h.world, h.rng));
        return batch(hand.world, shuffled(hand.rng, list).slice(0, 500));
      }),
  },
  {
    name: 'one batch from ten peers',
    group: 'gossip',
    hands: 1,
    step: async (hand) => {
      const target = hand.target();
      const list = stock(hand, 'refused', 1_000, (h) => refusedTransaction(h.world, h.rng));
      const others = Array.from({ length: 9 }, () => hand.another());
      try {
        const streams = await Promise.all([hand, ...others].map((one) => mesh(one, target)));
        while (hand.on) {
          const message = batch(hand.world, shuffled(hand.rng, list).slice(0, 100));
          await Promise.all(streams.map(({ stream }) => push(stream, message)));
          hand.sent += streams.length;
          await pause(5);
        }
      } finally {
        await Promise.all(others.map((other) => other.leave()));
      }
    },
  },
  {
    name: 'the same megabyte without end',
    group: 'gossip',
    step: (hand) => {
      const list = stock(hand, 'refused', 1_000, (h) => refusedTransaction(h.world, h.rng));
      const message = batch(hand.world, list);
      return flood(hand, () => message);
    },
  },
  {
    name: 'gossip flipped and cut',
    group: 'gossip',
    step: (hand) =>
      flood(hand, () => {
        const { gossip } = hand.world.capture;
        return gossip.length === 0
          ? garbage(hand.world, hand.rng, 100)
          : mutate(hand.rng, hand.rng.pick(gossip));
      }),
  },
  {
    name: 'subscriptions and topics without end',
    group: 'gossip',
    step: (hand) =>
      flood(hand, () => {
        const topics = Array.from({ length: 500 }, () => `/t/${hand.rng.next()}`);
        return delimited(
          ...topics.map((topic) => subscription(topic, hand.rng.int(0, 1))),
          publication(topics[0]!, hand.rng.bytes(100)),
        );
      }),
  },
  {
    name: 'floods of control messages',
    group: 'gossip',
    step: (hand) =>
      flood(hand, () => {
        const topic = bytesField(1, transactionTopic(hand.world.genesisHash));
        const ids = Array.from({ length: 200 }, () => garbage(hand.world, hand.rng, 32));
        const controls = [
          bytesField(1, Buffer.concat([topic, ...ids.map((id) => bytesField(2, id))])),
          bytesField(2, Buffer.concat(ids.map((id) => bytesField(1, id)))),
          bytesField(3, topic),
          bytesField(4, topic),
          bytesField(5, Buffer.concat(ids.map((id) => bytesField(1, id)))),
        ];
        return delimited(bytesField(3, Buffer.concat(controls)));
      }),
  },
];
