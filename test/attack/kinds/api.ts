/** Clients of the HTTP API who do not mean well. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { encodeAddress } from '../../../src/codec/address.ts';
import { type Bytes, toHex } from '../../../src/codec/bytes.ts';
import { encodeTransactionList } from '../../../src/node/requests.ts';
import { type Hand, type Kind, pause } from '../kind.ts';
import { invalidTransaction, refusedTransaction } from '../transactions.ts';
import { garbage } from '../world.ts';

const MIB = 1024 * 1024;

/**
 * An address of its own for each client, where the system has a whole net of loopback addresses: else the limits by
 * address would shut out the honest clients, who come from 127.0.0.1, together with the attackers.
 */
function ownAddress({ rng }: Hand): { readonly localAddress?: string } {
  return process.platform === 'linux' ? { localAddress: `127.0.${rng.int(1, 3)}.${rng.int(1, 254)}` } : {};
}

async function dial(hand: Hand): Promise<Socket> {
  const { hostname, port } = new URL(hand.target().api);
  const socket = connect({ host: hostname, port: Number(port), ...ownAddress(hand) });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const DIALS_AT_ONCE = 10;
const DIAL_MS = 5_000;

/** Connections, some at a time; those that do not come about count as refused. */
async function withSockets(
  hand: Hand,
  count: number,
  use: (sockets: Socket[]) => Promise<void>,
): Promise<void> {
  const sockets: Socket[] = [];
  const one = async (): Promise<void> => {
    const dialled = dial(hand).catch(() => undefined);
    const socket = await Promise.race([dialled, pause(DIAL_MS).then(() => undefined)]);
    if (socket !== undefined) sockets.push(socket);
    else {
      hand.refused++;
      void dialled.then((late) => late?.destroy());
    }
  };
  try {
    for (let begun = 0; begun < count && hand.on; begun += DIALS_AT_ONCE)
      await Promise.all(Array.from({ length: Math.min(DIALS_AT_ONCE, count - begun) }, one));
    if (sockets.length > 0) await use(sockets);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

interface Ask {
  readonly path: string;
  readonly body?: string | Bytes;
  readonly type?: string;
}

/** Requests one after the other, over a few connections that are kept. */
function requests(make: (hand: Hand) => Ask): Kind['step'] {
  return async (hand) => {
    const { api } = hand.target();
    const agent = new Agent({ keepAlive: true, maxSockets: 4, ...ownAddress(hand) });
    const one = ({ path, body, type }: Ask): Promise<void> =>
      new Promise((resolve, reject) => {
        const outgoing = request(`${api}${path}`, {
          agent,
          method: body === undefined ? 'GET' : 'POST',
          timeout: 5_000,
          headers: type === undefined ? {} : { 'content-type': type },
        });
        outgoing.on('timeout', () => outgoing.destroy(new Error('silence')));
        outgoing.on('error', reject);
        outgoing.on('response', (response) => {
          response.resume();
          response.on('close', resolve);
        });
        outgoing.end(body);
      });
    try {
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          while (hand.on) {
            await one(make(hand));
            hand.sent++;
          }
        }),
      );
    } finally {
      agent.destroy();
    }
  };
}

const JSON_TYPE = 'application/json';
const submit = (body: string | Bytes, type = JSON_TYPE): Ask => ({ path: '/v1/transactions', body, type });
const head = (length: number): string =>
  `POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: ${JSON_TYPE}\r\ncontent-length: ${length}\r\n\r\n`;

export const API: readonly Kind[] = [
  {
    name: 'broken JSON',
    group: 'api',
    step: requests((hand) => {
      const whole = '{"transactions":["92970147c408"]}';
      return submit(
        `${whole.slice(0, hand.rng.int(0, whole.length - 1))}${hand.rng.pick(['', '\u0000', ']', '{'])}`,
      );
    }),
  },
  {
    name: 'deep and wide JSON',
    group: 'api',
    step: requests(({ rng }) => {
      const piece = rng.pick(['[', '{"a":', '[],', '0,']);
      return submit(piece.repeat(MIB / piece.length));
    }),
  },
  {
    name: 'as much JSON as may come, and more',
    group: 'api',
    step: requests(({ rng }) =>
      submit(
        `{"transactions":["${'00'.repeat(65_000)}"${`,"${'ab'.repeat(60_000)}"`.repeat(rng.pick([7, 120]))}]}`,
      ),
    ),
  },
  {
    name: 'four megabytes of transactions that are none',
    group: 'api',
    step: requests(({ rng }) =>
      submit(
        encodeTransactionList(
          rng.chance(0.5)
            ? Array.from({ length: 62 }, () => new Uint8Array(65_000).fill(0x92))
            : Array.from({ length: 13_000 }, () => new Uint8Array(300).fill(0x92)),
        ),
        'application/octet-stream',
      ),
    ),
  },
  {
    name: 'transactions that are invalid or refused, many at once',
    group: 'api',
    step: requests((hand) => {
      const { world, rng } = hand;
      const make = rng.chance(0.5) ? invalidTransaction : refusedTransaction;
      const some = Array.from({ length: 50 }, () => make(world, rng));
      const many = Array.from({ length: 2_000 }, () => rng.pick(some));
      return rng.chance(0.5)
        ? submit(encodeTransactionList(many), 'application/octet-stream')
        : submit(JSON.stringify({ transactions: many.map(toHex) }));
    }),
  },
  {
    name: 'headers and bodies that never end',
    group: 'api',
    step: (hand) =>
      withSockets(hand, 30, async (sockets) => {
        for (const socket of sockets)
          socket.write(hand.rng.chance(0.5) ? head(1_000_000) : 'GET / HTTP/1.1\r\n');
        while (hand.on) {
          for (const socket of sockets) {
            socket.write('x: y\r\n');
            hand.sent++;
          }
          await pause(100);
        }
      }),
  },
  {
    name: 'bodies of four gigabytes',
    group: 'api',
    step: (hand) =>
      withSockets(hand, 1, async ([socket]) => {
        socket!.write(head(4_294_967_295));
        while (hand.on && !socket!.destroyed) {
          socket!.write(garbage(hand.world, hand.rng, 65_536));
          hand.sent++;
          await pause(1);
        }
      }),
  },
  {
    name: 'streams that nobody reads',
    group: 'api',
    step: (hand) =>
      withSockets(hand, 100, async (sockets) => {
        for (const socket of sockets) {
          socket.pause();
          socket.write('GET /v1/blocks/stream HTTP/1.1\r\nhost: x\r\n\r\n');
          hand.sent++;
        }
        while (hand.on) await pause(100);
      }),
  },
  {
    name: 'a thousand connections to the API',
    group: 'api',
    hands: 1,
    step: (hand) =>
      withSockets(hand, 1_000, async (sockets) => {
        hand.sent += sockets.length;
        while (hand.on) await pause(100);
      }),
  },
  {
    name: 'answers that nobody reads, a thousand in a row',
    group: 'api',
    step: (hand) =>
      withSockets(hand, 20, async (sockets) => {
        for (const socket of sockets) {
          socket.pause();
          socket.write(
            `GET /v1/blocks/${hand.rng.int(1, hand.world.height + 1)} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(
              1_000,
            ),
          );
          hand.sent += 1_000;
        }
        await pause(200);
      }),
  },
  {
    name: 'bytes that are no HTTP',
    group: 'api',
    step: (hand) =>
      withSockets(hand, 1, async ([socket]) => {
        socket!.write(garbage(hand.world, hand.rng, hand.rng.int(1, 20_000)));
        hand.sent++;
        await Promise.race([once(socket!, 'close'), pause(100)]);
      }),
  },
  {
    name: 'proofs of many accounts',
    group: 'api',
    step: requests((hand) => ({ path: `/v1/accounts/${encodeAddress(hand.rng.bytes(32))}?proof=1` })),
  },
  { name: 'recounts', group: 'api', step: requests(() => ({ path: '/v1/supply' })) },
  {
    name: 'questions of every kind',
    group: 'api',
    hands: 4,
    step: requests(({ rng, world }) => ({
      path: rng.pick([
        '/v1/status',
        '/healthz',
        `/v1/blocks/${rng.int(0, world.height + 10)}`,
        `/v1/blocks/${rng.int(0, world.height)}/raw`,
        `/v1/tags/${toHex(rng.bytes(32))}/bounties?proof=1`,
        `/v1/transactions/${toHex(rng.bytes(32))}?proof=1&validUntil=1`,
        `/v1/accounts/${'x'.repeat(rng.int(0, 300))}`,
        `/%${rng.int(0, 255).toString(16)}%`,
        `/${'../'.repeat(20)}etc/passwd`,
      ]),
    })),
  },
];
