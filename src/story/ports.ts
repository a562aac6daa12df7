/** TCP ports for servers that are to be found again after a restart. */
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { ProtocolError } from '../codec/errors.ts';

/**
 * Below the range from which systems take ports for outgoing connections (32768 and up on Linux, 49152 on
 * others): a port from there could be taken while its server is down.
 */
const FIRST = 10_240;
const LAST = 32_767;
const ATTEMPTS = 200;

function tryPort(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(server));
  });
}

/** `count` different ports of 127.0.0.1 that are free now. Throws `NO_PORTS`. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    for (let attempt = 0; held.size < count && attempt < ATTEMPTS + count; attempt++) {
      const port = randomInt(FIRST, LAST + 1);
      const server = held.has(port) ? undefined : await tryPort(port);
      if (server !== undefined) held.set(port, server);
    }
    if (held.size < count) {
      throw new ProtocolError(
        'NO_PORTS',
        `found no ${count} free ports from ${FIRST} to ${LAST} on 127.0.0.1`,
      );
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map((server) => new Promise((done) => server.close(done))));
  }
}
