import { afterEach, describe, expect, it } from 'vitest';
import type { Bytes } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import type { NetworkHandlers } from '../../src/p2p/types.ts';
import { bytes, type Node, readyPeers, startNode, stopAll, until } from './harness.ts';

afterEach(stopAll);

const MIB = 1024 * 1024;
const options = { timeoutMs: 20_000, maxResponseBytes: MIB };

async function pair(
  onRequest: NetworkHandlers['onRequest'],
  limits: Parameters<typeof startNode>[0]['limits'] = {},
): Promise<{ server: Node; client: Node; at: string }> {
  const server = await startNode({ n: 1, onRequest, limits });
  const client = await startNode({ n: 2, bootstrap: server.network.addresses(), limits });
  await until('they met', () => readyPeers(server) === 1 && readyPeers(client) === 1);
  return { server, client, at: server.network.peerId };
}

function counting(length: number): Bytes {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = i ^ (i >> 8);
  return out;
}

describe('bulk lane', () => {
  it('answers many requests at a time, whatever their sizes and the order of their answers', async () => {
    const { server, client, at } = await pair(async (method, payload, peer) => {
      expect(peer).toBe(client.network.peerId);
      await new Promise((resolve) => setTimeout(resolve, method % 7));
      return counting(method * 4_001 + payload.length);
    });
    const sizes = Array.from({ length: 60 }, (_, i) => i * 4_001 + (i % 3));
    const answers = await Promise.all(
      sizes.map((_, i) => client.network.request(at, i, new Uint8Array(i % 3), options)),
    );
    expect(answers.map((answer) => answer.length)).toEqual(sizes);
    expect(answers[59]).toEqual(counting(sizes[59]!));
    expect(answers[0]).toEqual(bytes());
    expect(client.network.metrics()['bulk.asked.inflight']).toBe(0);
    expect(server.network.metrics()['bulk.served.inflight']).toBe(0);
  });

  it('carries requests of 1 MiB and responses of 16 MiB, in both directions', async () => {
    const { server, client, at } = await pair(async (_method, payload) => counting(16 * payload.length));
    const largest = { timeoutMs: 30_000, maxResponseBytes: 16 * MIB };
    const [answer, echo] = await Promise.all([
      client.network.request(at, 1, new Uint8Array(MIB), largest),
      server.network.request(client.network.peerId, 1, counting(MIB), options),
    ]);
    expect(Buffer.compare(answer, counting(16 * MIB))).toBe(0);
    expect(Buffer.compare(echo, counting(MIB))).toBe(0);
    await expect(client.network.request(at, 1, new Uint8Array(MIB + 1), options)).rejects.toMatchObject({
      code: 'REQUEST_TOO_LARGE',
    });
  });

  it('hands on the code of an error, and hides what went wrong by a bug', async () => {
    const { client, at } = await pair(async (method) => {
      if (method === 1) throw new ProtocolError('NOT_FOUND', 'there is no such block');
      throw new Error('a secret of the server');
    });
    await expect(client.network.request(at, 1, bytes(), options)).rejects.toMatchObject({
      code: 'REMOTE_ERROR',
      message: 'NOT_FOUND: there is no such block',
      details: { code: 'NOT_FOUND' },
    });
    const hidden = client.network.request(at, 2, bytes(), options);
    await expect(hidden).rejects.toMatchObject({ details: { code: 'INTERNAL' } });
    await expect(hidden).rejects.not.toThrow(/secret/);
  });

  it('gives up at the deadline or when told to, and goes on with the next request', async () => {
    const late: (() => void)[] = [];
    const { server, client, at } = await pair(async (method) => {
      if (method === 1) await new Promise<void>((resolve) => late.push(resolve));
      return bytes(method);
    });
    expect(await client.network.request(at, 0, bytes(), options)).toEqual(bytes(0));
    const timed = client.network.request(at, 1, bytes(), { ...options, timeoutMs: 2_000 });
    timed.catch(() => undefined);
    await until('it is with the server', () => late.length === 1);
    await expect(timed).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT', details: { method: 1 } });
    const abort = new AbortController();
    const aborted = client.network.request(at, 1, bytes(), { ...options, signal: abort.signal });
    aborted.catch(() => undefined);
    await until('both are with the server', () => late.length === 2);
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'REQUEST_CANCELLED' });
    // a cancelled request keeps its place until its handler is done
    expect(server.network.metrics()['bulk.served.inflight']).toBe(2);
    for (const resolve of late) resolve();
    expect(await client.network.request(at, 2, bytes(), options)).toEqual(bytes(2));
    await until('the places are free', () => server.network.metrics()['bulk.served.inflight'] === 0);
    expect(client.network.metrics()['offences.REQUEST_TIMEOUT']).toBe(1);
    expect(client.network.metrics()['peers.ready']).toBe(1);
  });

  it('refuses on the serving side what is larger than was asked for', async () => {
    const { client, at } = await pair(async () => new Uint8Array(101));
    await expect(
      client.network.request(at, 1, bytes(), { ...options, maxResponseBytes: 100 }),
    ).rejects.toMatchObject({
      details: { code: 'RESPONSE_TOO_LARGE' },
    });
  });

  it('gives up when nothing arrives for a while, and not while something does', async () => {
    const server = await startNode({
      n: 1,
      limits: { servedPerSecond: 256 * 1024 },
      onRequest: async (method) => (method === 1 ? new Promise(() => undefined) : new Uint8Array(MIB)),
    });
    const client = await startNode({ n: 2, bootstrap: server.network.addresses() });
    await until('they met', () => readyPeers(client) === 1);
    const ask = (method: number): Promise<Bytes> =>
      client.network.request(server.network.peerId, method, bytes(), {
        timeoutMs: 20_000,
        idleMs: 2_500,
        maxResponseBytes: MIB,
      });
    const before = Date.now();
    await expect(ask(1)).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
    expect(Date.now() - before).toBeLessThan(15_000);
    expect((await ask(2)).length).toBe(MIB);
  });

  it('bounds what waits for one peer, and fails it all when the peer goes', async () => {
    const { server, client, at } = await pair(() => new Promise(() => undefined), {
      requestsInFlight: 2,
      requestsWaiting: 3,
    });
    const results = Array.from({ length: 6 }, () => client.network.request(at, 1, bytes(), options));
    const codes = Promise.all(results.map((result) => result.catch((error: ProtocolError) => error.code)));
    await expect(results[5]).rejects.toMatchObject({ code: 'REQUEST_QUEUE_FULL' });
    await until('two are under way', () => client.network.metrics()['bulk.asked.inflight'] === 2);
    expect(client.network.metrics()['bulk.asked.queue.length']).toBe(3);
    server.network.penalise(client.network.peerId, 'RESPONSE_TOO_LARGE');
    expect(await codes).toEqual([...Array(5).fill('PEER_GONE'), 'REQUEST_QUEUE_FULL']);
    await expect(client.network.request(at, 1, bytes(), options)).rejects.toMatchObject({
      code: 'PEER_GONE',
    });
  });

  it('keeps votes quick while megabytes are under way', async () => {
    const { server, client, at } = await pair(async () => new Uint8Array(16 * MIB));
    const bulk = client.network.request(at, 1, bytes(), { timeoutMs: 30_000, maxResponseBytes: 16 * MIB });
    let done = false;
    const finished = bulk.then(() => {
      done = true;
    });
    await until('the response has begun', () => server.network.metrics()['bulk.served.sent.bytes']! > 0);
    server.network.broadcastCertificate(bytes(1));
    await until('the certificate is there', () => client.certificates.length === 1);
    expect(done).toBe(false);
    await finished;
  });
});
