/** Below the protocol: connections without end, handshakes half done, garbage, streams opened for nothing. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PROTOCOL } from '../../../src/p2p/wire.ts';
import { type Hand, type Kind, pause } from '../kind.ts';
import { garbage, type Target } from '../world.ts';

async function dial({ address }: Target): Promise<Socket> {
  const [, , host, , port] = address.split('/');
  const socket = connect({ host: host!, port: Number(port) });
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

function multistream(text: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(text.length + 1), Buffer.from(`${text}\n`)]);
}

async function withSocket(hand: Hand, use: (socket: Socket) => Promise<void>): Promise<void> {
  const socket = await dial(hand.target());
  hand.sent++;
  try {
    await use(socket);
  } finally {
    socket.destroy();
  }
}

export const TRANSPORT: readonly Kind[] = [
  {
    name: 'garbage instead of a handshake',
    group: 'transport',
    step: (hand) =>
      withSocket(hand, async (socket) => {
        socket.write(garbage(hand.world, hand.rng, hand.rng.int(1, 65_536)));
        await Promise.race([once(socket, 'close'), pause(200)]);
      }),
  },
  {
    name: 'a thousand connections that say nothing',
    group: 'transport',
    hands: 1,
    step: async (hand) => {
      const target = hand.target();
      const sockets: Socket[] = [];
      try {
        while (sockets.length < 1_000 && hand.on) {
          const more = await Promise.all(Array.from({ length: 50 }, () => dial(target)));
          sockets.push(...more);
          hand.sent += more.length;
        }
        while (hand.on) await pause(100);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    },
  },
  {
    name: 'handshakes that stop half way',
    group: 'transport',
    hands: 8,
    step: (hand) =>
      withSocket(hand, async (socket) => {
        socket.write(multistream('/multistream/1.0.0'));
        socket.write(multistream('/noise'));
        if (hand.rng.chance(0.5)) socket.write(Uint8Array.of(0, 32, ...hand.rng.bytes(32)));
        await Promise.race([once(socket, 'close'), pause(hand.rng.int(100, 3_000))]);
      }),
  },
  {
    name: 'protocols that nobody knows, without end',
    group: 'transport',
    step: (hand) =>
      withSocket(hand, async (socket) => {
        socket.write(multistream('/multistream/1.0.0'));
        while (hand.on && !socket.destroyed) {
          for (let i = 0; i < 100; i++) socket.write(multistream(`/x/${hand.rng.next()}`));
          hand.sent += 100;
          await pause(5);
        }
      }),
  },
  {
    name: 'connections made and dropped',
    group: 'transport',
    hands: 4,
    step: async (hand) => {
      const session = await hand.session();
      hand.sent++;
      session.end();
    },
  },
  {
    name: 'streams of lanes opened over and over',
    group: 'transport',
    step: async (hand) => {
      const session = await hand.ready();
      while (hand.on) {
        const stream = await session.stream(
          hand.rng.pick([PROTOCOL.hello, PROTOCOL.votes, PROTOCOL.proposals, PROTOCOL.bulk]),
        );
        hand.sent++;
        if (hand.rng.chance(0.5)) stream.abort(new Error('again'));
      }
    },
  },
  {
    name: 'streams of unknown protocols',
    group: 'transport',
    step: async (hand) => {
      const session = await hand.ready();
      while (hand.on && session.alive) {
        await session.stream(`/unknown/${hand.rng.next()}`).catch(() => undefined);
        hand.sent++;
      }
      if (!session.alive) throw new Error('cut off');
    },
  },
];
