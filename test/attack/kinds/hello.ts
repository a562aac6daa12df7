/** The first thing that is said, wrong in every way, and records that are not what they seem. */
import type { Bytes } from '../../../src/codec/bytes.ts';
import { frame } from '../../../src/p2p/framing.ts';
import { decodeSignedRecord, signRecord } from '../../../src/p2p/record.ts';
import { encodeRecords, PROTOCOL } from '../../../src/p2p/wire.ts';
import { goodHello, push } from '../hosts.ts';
import { type Hand, type Kind, pause } from '../kind.ts';
import { mutate } from '../world.ts';

const LANES = [PROTOCOL.hello, PROTOCOL.votes, PROTOCOL.proposals, PROTOCOL.bulk];

/** One message on a lane of a connection that has said hello, unless the lane is that of hellos; then it waits. */
async function say(hand: Hand, lane: string, message: Bytes): Promise<void> {
  const session = lane === PROTOCOL.hello ? await hand.session() : await hand.ready();
  const stream = await session.stream(lane);
  await push(stream, message);
  hand.sent++;
  for (let i = 0; i < 20 && session.alive; i++) await pause(25);
  if (!session.alive) throw new Error('cut off');
}

export const HELLO: readonly Kind[] = [
  {
    name: 'hellos flipped and cut',
    group: 'hello',
    step: (hand) => {
      const { rng, world } = hand;
      const hello = goodHello(world, { records: world.capture.records.slice(-4) });
      const message = rng.chance(0.2) ? mutate(rng, hello) : frame(mutate(rng, hello.subarray(4)));
      return say(hand, PROTOCOL.hello, message);
    },
  },
  {
    name: 'hellos of other chains and versions',
    group: 'hello',
    step: (hand) => {
      const over = hand.rng.chance(0.5)
        ? { genesisHash: hand.rng.bytes(32) }
        : { version: hand.rng.int(0, 65_535) };
      return say(hand, PROTOCOL.hello, goodHello(hand.world, over));
    },
  },
  {
    name: 'frames of four gigabytes',
    group: 'hello',
    step: (hand) => say(hand, hand.rng.pick(LANES), Uint8Array.of(255, 255, 255, 255, 0x91, 0x91)),
  },
  {
    name: 'nesting bombs',
    group: 'hello',
    step: (hand) => {
      const { rng } = hand;
      const bomb = new Uint8Array(rng.int(10, 60_000)).fill(rng.pick([0x91, 0x81, 0xdd, 0xc7]));
      bomb[0] = rng.int(1, 4);
      return say(hand, rng.pick(LANES), frame(bomb));
    },
  },
  {
    name: 'hellos byte by byte',
    group: 'hello',
    hands: 4,
    step: async (hand) => {
      const session = await hand.session();
      const stream = await session.stream(PROTOCOL.hello);
      for (const byte of goodHello(hand.world)) {
        if (!hand.on || !session.alive) break;
        await push(stream, Uint8Array.of(byte));
        hand.sent++;
        await pause(300);
      }
    },
  },
  {
    name: 'no hello at all',
    group: 'hello',
    hands: 16,
    step: async (hand) => {
      const session = await hand.session();
      hand.sent++;
      while (hand.on && session.alive) await pause(100);
    },
  },
  {
    name: 'forged records and records of others',
    group: 'hello',
    step: async (hand) => {
      const { world, rng } = hand;
      const real = world.capture.records;
      const session = await hand.session();
      const signed = real.length > 0 ? rng.pick(real) : undefined;
      const record = signed && decodeSignedRecord(signed).record;
      const forged =
        record &&
        signRecord({ ...record, sequence: Date.now() + 60_000 }, world.genesisHash, rng.pick(world.accounts));
      const over = rng.pick([
        { own: signed },
        { own: forged },
        { records: forged === undefined ? [] : [forged] },
        { records: signed === undefined ? [] : [mutate(rng, signed)] },
      ]);
      await session.greet(world, over);
      hand.sent++;
      await pause(200);
    },
  },
  {
    name: 'true records without end',
    group: 'hello',
    step: async (hand) => {
      const session = await hand.session();
      const stream = await session.greet(hand.world);
      const { records } = hand.world.capture;
      const many = Array.from({ length: 250 }, (_, i) => records[i % Math.max(1, records.length)]!);
      const message = encodeRecords(records.length === 0 ? [] : many);
      while (hand.on) {
        await push(stream, message);
        hand.sent++;
      }
    },
  },
  {
    name: 'hellos of ever new processes',
    group: 'hello',
    step: async (hand) => {
      const session = await hand.session();
      const stream = await session.greet(hand.world);
      while (hand.on && session.alive) {
        await push(stream, goodHello(hand.world, { instance: hand.rng.bytes(8) }));
        hand.sent++;
        await pause(20);
      }
    },
  },
];
