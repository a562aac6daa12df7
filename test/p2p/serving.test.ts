/** What serving costs, and who pays: one peer's requests, however they are made, never starve the others. */
import type { Stream } from '@libp2p/interface';
import { afterEach, describe, expect, it } from 'vitest';
import type { Bytes } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { TokenBucket } from '../../src/p2p/bucket.ts';
import { Budget } from '../../src/p2p/budget.ts';
import { BulkServer, ServingAccount } from '../../src/p2p/bulk-server.ts';
import { DEFAULT_LIMITS } from '../../src/p2p/limits.ts';
import { encodeRequest, PROTOCOL } from '../../src/p2p/wire.ts';
import { bytes, type Node, readyPeers, startNode, stopAll, until } from './harness.ts';
import { greet, rawHost, stopRawHosts } from './raw-host.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SMALL = { timeoutMs: 20_000, maxResponseBytes: 64 * KIB };
const LARGE = { timeoutMs: 20_000, maxResponseBytes: 8 * MIB };

afterEach(async () => {
  await Promise.all([stopRawHosts(), stopAll()]);
});

const offences = (node: Node, offence: string): number => node.network.metrics()[`offences.${offence}`] ?? 0;

describe('a handler', () => {
  it('is told what the asker takes, and its charges make the next requests wait', async () => {
    const told: number[] = [];
    const server = await startNode({
      n: 1,
      limits: { servedPerSecond: 1_000 },
      onRequest: async (_method, _payload, _peer, maxResponseBytes, charge) => {
        told.push(maxResponseBytes);
        charge(1_000_000);
        return bytes();
      },
    });
    const client = await startNode({ n: 2, bootstrap: server.network.addresses() });
    await until('they met', () => readyPeers(server) === 1 && readyPeers(client) === 1);
    const ask = (maxResponseBytes: number, timeoutMs: number) =>
      client.network.request(server.network.peerId, 1, bytes(), { timeoutMs, maxResponseBytes });
    expect(await ask(7, 20_000)).toEqual(bytes());
    await expect(ask(8, 500)).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
    expect(told).toEqual([7]);
  });

  it('that works for strangers works for all of them at one rate, and for validators beside it', async () => {
    const server = await startNode({
      n: 1,
      validator: true,
      limits: { servedPerSecond: 1_000 },
      onRequest: async (method, _payload, _peer, _max, charge) => {
        if (method === 1) charge(1_000_000);
        return bytes();
      },
    });
    const bootstrap = server.network.addresses();
    const [one, other, validator] = await Promise.all([
      startNode({ n: 8, bootstrap }),
      startNode({ n: 9, bootstrap }),
      startNode({ n: 2, validator: true, bootstrap }),
    ]);
    await until('they met', () => readyPeers(server) === 3);
    await until('the validator is known', () => server.network.validatorPeer(1) !== undefined);
    const ask = (node: Node, method: number, timeoutMs: number) =>
      node.network.request(server.network.peerId, method, bytes(), { timeoutMs, maxResponseBytes: 9 });
    expect(await ask(one, 1, 20_000)).toEqual(bytes());
    await expect(ask(other, 2, 500)).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
    expect(await ask(validator, 2, 20_000)).toEqual(bytes());
  });

  it('counts what it sent, over all streams that the peer opens', async () => {
    const server = await startNode({ n: 1, onRequest: async () => new Uint8Array(1_000) });
    const raw = await rawHost(server);
    await greet(raw);
    const sent = (): number => server.network.metrics()['bulk.served.sent.bytes']!;
    for (let stream = 1; stream <= 3; stream++) {
      (await raw.open(PROTOCOL.bulk)).send(encodeRequest(1, 1, 1_000, bytes()));
      await until('it is answered', () => sent() > 1_000 * stream);
      expect(sent()).toBeLessThan(1_000 * (stream + 1));
    }
  });

  it('that is not done yet lets only so many bytes of requests wait', async () => {
    let asked = 0;
    const server = await startNode({
      n: 1,
      onRequest: () => {
        asked++;
        return new Promise(() => undefined);
      },
    });
    const client = await startNode({ n: 2, bootstrap: server.network.addresses() });
    await until('they met', () => readyPeers(server) === 1 && readyPeers(client) === 1);
    const payload = new Uint8Array(MIB - 1);
    for (let i = 0; i < 8; i++) {
      client.network.request(server.network.peerId, 1, payload, SMALL).catch(() => undefined);
    }
    await until('two are there', () => asked === 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked).toBe(2);
  });

  it('that cannot read requests gets their sender banned; one that has no answer does not', async () => {
    // a little is forgiven on the way, so it takes five
    const bad = ['CODEC_TYPE', 'REQUEST_INVALID', 'CODEC_BOUNDS', 'REQUEST_INVALID', 'CODEC_TRUNCATED'];
    const codes = ['NOT_FOUND', ...bad];
    const server = await startNode({
      n: 1,
      onRequest: async (method) => {
        throw new ProtocolError(codes[method]!, 'refused');
      },
    });
    const client = await startNode({ n: 2, bootstrap: server.network.addresses() });
    await until('they met', () => readyPeers(server) === 1 && readyPeers(client) === 1);
    for (let method = 0; method < codes.length; method++) {
      await client.network.request(server.network.peerId, method, bytes(), SMALL).catch(() => undefined);
      expect(offences(server, 'REQUEST_INVALID')).toBe(method);
    }
    await until('it is banned', () => server.network.metrics()['peers.banned'] === 1);
  });

  it('of a small answer does not wait for those of large ones', async () => {
    const server = await startNode({
      n: 1,
      onRequest: (method) => (method === 1 ? new Promise(() => undefined) : Promise.resolve(bytes(method))),
    });
    const client = await startNode({ n: 2, bootstrap: server.network.addresses() });
    await until('they met', () => readyPeers(server) === 1 && readyPeers(client) === 1);
    for (let i = 0; i < 12; i++) {
      client.network.request(server.network.peerId, 1, bytes(), LARGE).catch(() => undefined);
    }
    expect(await client.network.request(server.network.peerId, 2, bytes(), SMALL)).toEqual(bytes(2));
  });
});

/** Asks for 16 MiB and reads nothing of it. */
async function greedy(victim: Node) {
  const attacker = await rawHost(victim);
  await greet(attacker);
  const stream = await attacker.open(PROTOCOL.bulk);
  stream.pause();
  for (let id = 1; id <= 2; id++) stream.send(encodeRequest(id, 1, 8 * MIB, bytes()));
}

const SCARCE = { servedBytes: 24 * MIB, servedBytesForValidators: 16 * MIB, servedBytesPerPeer: 8 * MIB };

describe('a stranger that reads nothing', () => {
  it('keeps neither validators nor small answers waiting', async () => {
    let made = 0;
    const victim = await startNode({
      n: 1,
      validator: true,
      limits: { ...SCARCE, leastServedMs: 60_000, stallMs: 60_000 },
      onRequest: async (method) => {
        made++;
        return new Uint8Array(method === 1 ? 8 * MIB : 16);
      },
    });
    await greedy(victim);
    await until('it holds what strangers may hold', () => made === 1);
    const bootstrap = victim.network.addresses();
    const validator = await startNode({ n: 2, validator: true, bootstrap });
    const stranger = await startNode({ n: 9, bootstrap });
    await until('they met', () => readyPeers(validator) > 0 && readyPeers(stranger) > 0);
    await until('the validator is known', () => victim.network.validatorPeer(1) !== undefined);
    const at = victim.network.peerId;
    expect((await stranger.network.request(at, 2, bytes(), SMALL)).length).toBe(16);
    const [whole, small] = await Promise.all([
      validator.network.request(at, 1, bytes(), LARGE),
      validator.network.request(at, 2, bytes(), SMALL),
    ]);
    expect([whole.length, small.length]).toEqual([8 * MIB, 16]);
    const late = stranger.network.request(at, 1, bytes(), { ...LARGE, timeoutMs: 500 });
    await expect(late).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
    expect(offences(victim, 'STALLED')).toBe(0);
  });

  it('is dropped when it has taken less than the least rate', async () => {
    const victim = await startNode({
      n: 1,
      limits: { ...SCARCE, leastServedMs: 1_000, stallMs: 600_000 },
      onRequest: async () => new Uint8Array(8 * MIB),
    });
    await greedy(victim);
    await until(
      'it is dropped',
      () => offences(victim, 'STALLED') > 0 && victim.network.peers().length === 0,
    );
    await until(
      'its bytes are free',
      () => victim.network.metrics()['bulk.served.free.bytes'] === SCARCE.servedBytes,
    );
  });
});

/** A stream whose other side takes exactly what it is told to. */
class Outlet extends EventTarget {
  status = 'open';
  writeStatus = 'writable';
  readStatus = 'readable';
  remoteWriteStatus = 'writable';
  writableNeedsDrain = false;
  #room = 0;

  send(chunk: Bytes): void {
    this.#room -= chunk.length;
    this.writableNeedsDrain = this.#room <= 0;
  }

  pause(): void {
    this.readStatus = 'paused';
  }

  resume(): void {
    this.readStatus = 'readable';
  }

  abort(): void {
    this.status = 'aborted';
    this.dispatchEvent(new Event('close'));
  }

  receive(data: Bytes): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  async take(count: number): Promise<void> {
    this.#room += count;
    this.writableNeedsDrain = this.#room <= 0;
    this.dispatchEvent(new Event('drain'));
    await new Promise(setImmediate);
  }
}

describe('the least rate', () => {
  it.each([
    ['less, but for the slices', 12 * KIB, 0, true],
    ['more, but for the slices', 24 * KIB, 0, false],
    ['more, while others wait for what is reserved', 24 * KIB, 1, true],
    ['much more, while others wait for what is reserved', 192 * KIB, 1, false],
  ])('is taken over ten seconds: %s', async (_name, perSecond, others, slow) => {
    let now = 0;
    const budget = new Budget(DEFAULT_LIMITS.servedBytes);
    const account = new ServingAccount(
      DEFAULT_LIMITS,
      budget,
      new TokenBucket(1e9, 1e9, () => now),
      () => now,
    );
    const server = new BulkServer({
      limits: DEFAULT_LIMITS,
      now: () => now,
      account,
      isValidator: () => false,
      handle: async () => new Uint8Array(2 * MIB),
      onRefusal: () => undefined,
      onBug: () => undefined,
    });
    const outlet = new Outlet();
    const running = server.run(outlet as unknown as Stream);
    outlet.receive(encodeRequest(1, 1, 2 * MIB, bytes()));
    await until('the answer is there', () => server.queuedBytes > 0);
    for (let i = 0; i < others; i++) void budget.acquire(DEFAULT_LIMITS.servedBytes + 1);
    const verdicts: boolean[] = [];
    for (let second = 0; second <= 40; second++) {
      verdicts.push(server.tooSlow());
      now += 1_000;
      await outlet.take(perSecond);
    }
    outlet.abort();
    await running;
    expect(verdicts.slice(0, 10)).not.toContain(true);
    expect(verdicts.includes(true)).toBe(slow);
  });
});

describe('the votes lane', () => {
  it('carries the certificate of 1,024 signers', async () => {
    const server = await startNode({ n: 1 });
    const client = await startNode({ n: 2, bootstrap: server.network.addresses() });
    await until('they met', () => readyPeers(server) === 1 && readyPeers(client) === 1);
    server.network.broadcastCertificate(new Uint8Array(65_710));
    await until('it is there', () => client.certificates.length === 1);
    expect(client.certificates[0]!.certificate.length).toBe(65_710);
  });
});
