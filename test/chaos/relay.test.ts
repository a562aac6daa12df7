/** The relay hands on every byte in order, with the caller's known address, and passes on how a connection ends. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../src/story/ports.ts';
import type { Place } from './conditions.ts';
import { type RelayCounts, startRelay } from './relay.ts';

const PLACES: Place[] = [
  { own: '127.77.0.1', known: '127.88.0.1' },
  { own: '127.77.0.2', known: '127.88.0.2' },
];
const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** All bytes until the other side says that nothing follows; the own direction stays open. */
function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  return once(socket, 'end').then(() => Buffer.concat(chunks));
}

/** A relay in front of node 1, which does with each connection what it is told; then a connection of node 0 to it. */
async function relayed(
  onConnection: (socket: Socket) => void,
  late: (from: number, to: number) => number,
): Promise<{ socket: Socket; counts: RelayCounts }> {
  const [port = 0] = await freePorts(1);
  const counts: RelayCounts = { connections: 0, bytes: 0, delayedBytes: 0 };
  const node = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    onConnection(socket);
  });
  servers.push(node, ...(await startRelay(PLACES, port, late, counts)));
  await new Promise<void>((done) => node.listen({ host: PLACES[1]!.own, port }, done));
  const socket = connect({
    host: PLACES[1]!.known,
    port,
    localAddress: PLACES[0]!.own,
    allowHalfOpen: true,
  });
  sockets.push(socket);
  await once(socket, 'connect');
  return { socket, counts };
}

describe.runIf(process.platform === 'linux')('the relay', () => {
  it('carries both directions in order, however the delay changes, and their ends one by one', async () => {
    let calls = 0;
    let caller: string | undefined;
    const data = new Uint8Array(3_000_000).map((_, i) => (i * 7919) >> 8);
    const { socket, counts } = await relayed(
      (far) => {
        caller = far.remoteAddress;
        void received(far).then((all) => far.end(all));
      },
      () => [30, 0, 5][calls++ % 3]!,
    );
    socket.end(data);
    expect(Buffer.compare(await received(socket), data)).toBe(0);
    expect(caller).toBe(PLACES[0]!.known);
    expect(counts.connections).toBe(1);
    expect(counts.bytes).toBe(2 * data.length);
    expect(counts.delayedBytes).toBeGreaterThan(0);
  });

  it('asks for the delay of the right direction', async () => {
    const asked = new Set<string>();
    const { socket } = await relayed(
      (far) => far.pipe(far),
      (from, to) => {
        asked.add(`${from}>${to}`);
        return 0;
      },
    );
    socket.write('there');
    await once(socket, 'data');
    expect([...asked]).toEqual(['0>1', '1>0']);
  });

  it('is felt by a sender whose receiver does not read', async () => {
    const { socket, counts } = await relayed(
      (far) => far.pause(),
      () => 0,
    );
    const chunk = new Uint8Array(1 << 20);
    let taken = 0;
    // Kernel buffers and the relay hold some megabytes, and no more than that.
    while (taken < 256 && socket.writableLength === 0) {
      socket.write(chunk);
      taken += 1;
      await Promise.race([once(socket, 'drain'), new Promise((done) => setTimeout(done, 200))]);
    }
    expect(socket.writableLength).toBeGreaterThan(0);
    expect(counts.bytes).toBeLessThan(128 << 20);
  });

  it('ends a connection whose other side is gone', async () => {
    const { socket } = await relayed(
      (far) => far.resetAndDestroy(),
      () => 0,
    );
    socket.on('error', () => {});
    socket.resume();
    socket.write('to nobody');
    await new Promise((done) => socket.once('close', done));
    expect(socket.destroyed).toBe(true);
  });
});
