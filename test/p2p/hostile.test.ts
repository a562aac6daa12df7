/** What a host may do that speaks libp2p well and everything above it badly. */
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, describe, expect, it } from 'vitest';
import { type Bytes, concat } from '../../src/codec/bytes.ts';
import type { ProtocolError } from '../../src/codec/errors.ts';
import { frame } from '../../src/p2p/framing.ts';
import { peerIdOfSeed } from '../../src/p2p/host.ts';
import { DEFAULT_LIMITS } from '../../src/p2p/limits.ts';
import { signRecord } from '../../src/p2p/record.ts';
import { encodeFailure, encodePartHeader, encodeRequest, encodeVote, PROTOCOL } from '../../src/p2p/wire.ts';
import { bytes, GENESIS, hostSeed, type Node, signingKey, startNode, stopAll, until } from './harness.ts';
import { goodHello, greet, rawHost, stopRawHosts } from './raw-host.ts';

const MIB = 1024 * 1024;
afterEach(async () => {
  await Promise.all([stopRawHosts(), stopAll()]);
});

const isReady = (victim: Node): boolean => victim.network.peers().some((peer) => peer.status === 'ready');
const offences = (victim: Node, offence: string): number =>
  victim.network.metrics()[`offences.${offence}`] ?? 0;

async function expectBan(victim: Node, offence: string): Promise<void> {
  await until(`${offence} is punished`, () => offences(victim, offence) === 1);
  await until('the peer is banned', () => victim.network.metrics()['peers.banned'] === 1);
  await until('the peer is gone', () => victim.network.peers().length === 0);
}

const peerIds = await Promise.all([50, 51].map((n) => peerIdOfSeed(hostSeed(n))));

/** A record of validator `key` at attacker `host`, signed by `signer`. */
const recordOf = (key: number, host: 0 | 1, signer: number): Bytes =>
  signRecord(
    {
      consensusKey: signingKey(key).publicKey,
      peerId: peerIds[host]!.toMultihash().bytes,
      addresses: [],
      sequence: 1,
    },
    GENESIS,
    signingKey(signer),
  );

describe('a hostile host', () => {
  const FOUR_GIGABYTES = bytes(255, 255, 255, 255);
  it.each([
    ['a frame of four gigabytes instead of a hello', FOUR_GIGABYTES, 'FRAME_INVALID'],
    ['an empty frame', bytes(0, 0, 0, 0), 'FRAME_INVALID'],
    ['garbage instead of a hello', frame(bytes(1, 2, 3)), 'HELLO_INVALID'],
    ['records before a hello', frame(bytes(2, 0x90)), 'HELLO_INVALID'],
    ['a hello of another version', goodHello({ version: 9 }), 'CHAIN_MISMATCH'],
    ['its own record signed by another key', goodHello({ own: recordOf(1, 0, 2) }), 'RECORD_INVALID'],
    ['the record of another host as its own', goodHello({ own: recordOf(2, 1, 2) }), 'RECORD_INVALID'],
    ['a forged record of somebody else', goodHello({ records: [recordOf(1, 0, 2)] }), 'RECORD_INVALID'],
  ])('that sends %s is banned', async (_name, message, offence) => {
    const victim = await startNode({ n: 1 });
    await greet(await rawHost(victim), message);
    await expectBan(victim, offence);
    expect(victim.events.filter((event) => event.startsWith('ready'))).toEqual([]);
  });

  it.each([
    ['a frame over the bound of the votes lane', PROTOCOL.votes, bytes(0, 1, 0x20, 1), 'FRAME_INVALID'],
    ['a vote of unknown type', PROTOCOL.votes, frame(bytes(9, 9)), 'ENVELOPE_INVALID'],
    [
      'a frame over the bound of the proposals lane',
      PROTOCOL.proposals,
      bytes(0, 0x20, 0, 1),
      'FRAME_INVALID',
    ],
    ['a frame over the bound of requests', PROTOCOL.bulk, bytes(0, 0x10, 0, 12), 'FRAME_INVALID'],
    ['a response that is a request', PROTOCOL.bulk, frame(bytes(3, 0, 0, 0, 1, 1)), 'ENVELOPE_INVALID'],
    [
      'two requests with one id',
      PROTOCOL.bulk,
      concat(encodeRequest(1, 1, 10, bytes()), encodeRequest(1, 1, 10, bytes())),
      'ENVELOPE_INVALID',
    ],
  ])('that is ready and sends %s is banned', async (_name, protocol, message, offence) => {
    const victim = await startNode({ n: 1, onRequest: () => new Promise(() => undefined) });
    const attacker = await rawHost(victim);
    await greet(attacker);
    const stream = await attacker.open(protocol);
    stream.send(message);
    await expectBan(victim, offence);
  });

  it('that says no hello in time is disconnected, and nothing else of it is read', async () => {
    const victim = await startNode({ n: 1, validator: true, limits: { helloTimeoutMs: 300 } });
    const attacker = await rawHost(victim);
    const stream = await attacker.open(PROTOCOL.votes);
    stream.send(encodeVote(bytes(1)));
    await until(
      'it is gone',
      () => offences(victim, 'HELLO_TIMEOUT') === 1 && victim.network.peers().length === 0,
    );
    expect(offences(victim, 'VOTE_FROM_STRANGER')).toBe(0);
  });

  it('that opens streams over and over is disconnected', async () => {
    const victim = await startNode({ n: 1, limits: { streamsPerMinute: 5 } });
    const attacker = await rawHost(victim);
    await greet(attacker);
    for (let i = 0; i < 6; i++) await attacker.open(PROTOCOL.votes).catch(() => undefined);
    await until(
      'it is gone',
      () => offences(victim, 'STREAM_CHURN') > 0 && victim.network.peers().length === 0,
    );
  });

  it('that was banned is not let in again', async () => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    await greet(attacker, frame(bytes(1)));
    await expectBan(victim, 'HELLO_INVALID');
    const again = attacker.host.dial(victim.network.addresses().map((address) => multiaddr(address)));
    const refused = again.then((connection) => connection.newStream(PROTOCOL.hello));
    await expect(refused).rejects.toThrow();
    expect(victim.network.peers()).toEqual([]);
  });

  it('that lost its process says hello anew over a new connection, and is talked to there', async () => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    await greet(attacker, goodHello({ instance: new Uint8Array(8).fill(1) }));
    await until('it is ready', () => isReady(victim));
    await until('the victim has said hello', () => attacker.hellos.length === 1);
    await greet(await attacker.connect(), goodHello({ instance: new Uint8Array(8).fill(2) }));
    await until('the victim says hello again', () => attacker.hellos.length === 2);
    expect(victim.events.map((event) => event.split(' ')[0])).toEqual([
      'connected',
      'ready',
      'gone',
      'connected',
    ]);
  });

  it('that asks for much and reads nothing makes the victim hold a bounded amount, and is dropped', async () => {
    let made = 0;
    const victim = await startNode({
      n: 1,
      limits: { servedBytesPerPeer: 8 * MIB, stallMs: 1_500 },
      onRequest: async () => {
        made++;
        return new Uint8Array(4 * MIB);
      },
    });
    const attacker = await rawHost(victim);
    await greet(attacker);
    const stream = await attacker.open(PROTOCOL.bulk);
    stream.pause();
    for (let id = 1; id <= 200; id++) stream.send(encodeRequest(id, 1, 4 * MIB, new Uint8Array(1_000)));
    await until('the victim has begun', () => made > 0);
    let most = 0;
    await until('the attacker is dropped', () => {
      const metrics = victim.network.metrics();
      most = Math.max(most, metrics['bulk.served.queue.bytes']!);
      return offences(victim, 'STALLED') > 0 && victim.network.peers().length === 0;
    });
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(8 * MIB);
    // what its flow-control window took, and two more that fit in what it may have reserved
    expect(made).toBeLessThanOrEqual(5);
    expect(victim.network.metrics()['bulk.served.free.bytes']).toBe(DEFAULT_LIMITS.servedBytes);
  });

  it.each([
    [
      'a part that nobody asked for',
      PROTOCOL.bulk,
      concat(encodePartHeader(9, true, 1), bytes(1)),
      'RESPONSE_UNEXPECTED',
    ],
    ['an error that nobody asked for', PROTOCOL.bulk, encodeFailure(9, 'BUSY', 'no'), 'RESPONSE_UNEXPECTED'],
    [
      'more than it was asked for',
      PROTOCOL.bulk,
      concat(encodePartHeader(1, false, 11), new Uint8Array(11)),
      'RESPONSE_TOO_LARGE',
    ],
    ['a response frame over its bound', PROTOCOL.bulk, bytes(0, 0x10, 0, 7), 'FRAME_INVALID'],
    ['a request as a response', PROTOCOL.bulk, encodeRequest(1, 1, 1, bytes(1)), 'ENVELOPE_INVALID'],
    ['votes on a stream that it did not open', PROTOCOL.votes, encodeVote(bytes(1)), 'ENVELOPE_INVALID'],
  ])('that is asked and sends %s is banned', async (_name, protocol, message, offence) => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    await greet(attacker);
    await until('the lane is there', () => attacker.opened.has(protocol));
    const request = victim.network.request(attacker.id, 1, bytes(), {
      timeoutMs: 9_000,
      maxResponseBytes: 10,
    });
    const outcome = request.then(
      () => 'answered',
      (error: ProtocolError) => error.code,
    );
    await until('the request is under way', () => victim.network.metrics()['bulk.asked.sent.bytes']! > 0);
    attacker.opened.get(protocol)![0]!.send(message);
    await expectBan(victim, offence);
    expect(await outcome).toBe(offence === 'RESPONSE_TOO_LARGE' ? offence : 'PEER_GONE');
  });

  it('that resets a lane gets a new one, and misses only what was on its way', async () => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    await greet(attacker);
    const streams = () => attacker.opened.get(PROTOCOL.votes) ?? [];
    await until('the lane is there', () => streams().length === 1);
    streams()[0]!.abort(new Error('reset by the test'));
    await until('there is a new one', () => streams().length === 2);
    let received = 0;
    streams()[1]!.addEventListener('message', ({ data }) => {
      received += data.byteLength;
    });
    expect(victim.network.sendCertificate(attacker.id, bytes(1))).toBe(true);
    await until('the certificate is there', () => received === 6);
  });

  it('that reads no votes costs a bounded queue, and is dropped', async () => {
    const victim = await startNode({ n: 1, limits: { stallMs: 1_500 } });
    const attacker = await rawHost(victim);
    await greet(attacker);
    await until('the lane is there', () => attacker.opened.has(PROTOCOL.votes));
    attacker.opened.get(PROTOCOL.votes)![0]!.pause();
    let most = 0;
    for (let i = 0; i < 400; i++) {
      victim.network.broadcastCertificate(new Uint8Array(50_000));
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, victim.network.metrics()['votes.queue.bytes']!);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(DEFAULT_LIMITS.voteQueueBytes);
    expect(victim.network.metrics()['votes.dropped']).toBeGreaterThan(200);
    await until(
      'it is dropped',
      () => offences(victim, 'STALLED') > 0 && victim.network.peers().length === 0,
    );
  });

  it('that takes no gossip is disconnected, without a penalty', async () => {
    const victim = await startNode({ n: 1, limits: { gossipGraceMs: 300 } });
    const attacker = await rawHost(victim, 50, async (host) => {
      await host.unhandle(host.getProtocols().filter((protocol) => protocol.startsWith('/meshsub/')));
    });
    await greet(attacker);
    await until('it was ready', () => victim.events.includes(`ready ${attacker.id}`));
    await until('it is gone', () => victim.events.includes(`gone ${attacker.id}`));
    expect(victim.network.metrics()['peers.banned']).toBe(0);
  });

  it('is never sent a frame that its lane does not allow', async () => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    await greet(attacker);
    await until('it is ready', () => isReady(victim));
    expect(victim.network.sendCertificate(attacker.id, new Uint8Array(DEFAULT_LIMITS.voteFrameBytes))).toBe(
      false,
    );
    expect(victim.network.sendProposalTo(attacker.id, new Uint8Array(2 * MIB + 1))).toBe(false);
    expect(victim.network.sendProposalTo(attacker.id, new Uint8Array(2 * MIB))).toBe(true);
  });
});
