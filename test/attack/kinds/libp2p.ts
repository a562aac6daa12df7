/** The services that libp2p brings along: distributed hash table, identify, ping. */
import type { Stream } from '@libp2p/interface';
import type { Bytes } from '../../../src/codec/bytes.ts';
import { PROTOCOL } from '../../../src/p2p/wire.ts';
import { push } from '../hosts.ts';
import { type Hand, type Kind, pause } from '../kind.ts';
import { bytesField, delimited, numberField } from '../protobuf.ts';
import { garbage } from '../world.ts';

const IDENTIFY = '/ipfs/id/1.0.0';
const IDENTIFY_PUSH = '/ipfs/id/push/1.0.0';
const PING = '/ipfs/ping/1.0.0';

const PUT_VALUE = 0;
const ADD_PROVIDER = 2;
const GET_PROVIDERS = 3;
const FIND_NODE = 4;

/** One stream after the other, and several messages on each. */
async function streams(hand: Hand, protocol: string, use: (stream: Stream) => Promise<void>): Promise<void> {
  const session = await hand.ready();
  while (hand.on) {
    const stream = await session.stream(protocol);
    stream.addEventListener('message', () => undefined);
    await use(stream);
    stream.abort(new Error('done'));
    if (!session.alive) throw new Error('cut off');
  }
}

const kad =
  (make: (hand: Hand) => Bytes) =>
  (hand: Hand): Promise<void> =>
    streams(hand, PROTOCOL.kad, async (stream) => {
      for (let i = 0; i < 50 && hand.on; i++) {
        await push(stream, make(hand));
        hand.sent++;
      }
      await pause(1);
    });

export const LIBP2P: readonly Kind[] = [
  {
    name: 'searches for peers without end',
    group: 'libp2p',
    step: kad((hand) => delimited(numberField(1, FIND_NODE), bytesField(2, hand.rng.bytes(38)))),
  },
  {
    name: 'values and providers for the hash table',
    group: 'libp2p',
    step: kad((hand) => {
      const key = hand.rng.bytes(34);
      const peer = bytesField(1, hand.rng.bytes(38));
      switch (hand.rng.int(0, 2)) {
        case 0:
          return delimited(
            numberField(1, PUT_VALUE),
            bytesField(2, key),
            bytesField(
              3,
              Buffer.concat([bytesField(1, key), bytesField(2, garbage(hand.world, hand.rng, 8_000))]),
            ),
          );
        case 1:
          return delimited(numberField(1, ADD_PROVIDER), bytesField(2, key), bytesField(9, peer));
        default:
          return delimited(numberField(1, GET_PROVIDERS), bytesField(2, key));
      }
    }),
  },
  {
    name: 'garbage for the hash table',
    group: 'libp2p',
    step: kad((hand) => delimited(garbage(hand.world, hand.rng, hand.rng.int(1, 4_000)))),
  },
  {
    name: 'who are you, without end',
    group: 'libp2p',
    step: (hand) =>
      streams(hand, IDENTIFY, async () => {
        hand.sent++;
        await pause(1);
      }),
  },
  {
    name: 'long and false answers to who are you',
    group: 'libp2p',
    step: (hand) =>
      streams(hand, IDENTIFY_PUSH, async (stream) => {
        const { rng } = hand;
        const fields = Array.from({ length: 400 }, () =>
          rng.chance(0.5)
            ? bytesField(2, Uint8Array.of(4, rng.int(0, 255), 0, 0, 1, 6, rng.int(0, 255), 1))
            : bytesField(3, `/p/${rng.next()}`),
        );
        await push(
          stream,
          delimited(...fields, bytesField(8, garbage(hand.world, rng, rng.int(0, 200_000)))),
        );
        hand.sent++;
      }),
  },
  {
    name: 'pings without end',
    group: 'libp2p',
    step: (hand) =>
      streams(hand, PING, async (stream) => {
        while (hand.on) {
          await push(stream, garbage(hand.world, hand.rng, 32 * 64));
          hand.sent += 64;
          await pause(0);
        }
      }),
  },
];
