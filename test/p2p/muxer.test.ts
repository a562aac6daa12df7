/** What a host may do below the lanes: frames, pings and streams of the multiplexer itself. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { frame } from '../../src/p2p/framing.ts';
import { PROTOCOL } from '../../src/p2p/wire.ts';
import { type Node, startNode, stopAll, until } from './harness.ts';
import { goodHello, greet, rawHost, stopRawHosts } from './raw-host.ts';
import { header, type RawMuxer, rawMuxer } from './raw-muxer.ts';

const MIB = 1024 * 1024;
const DATA = 0;
const WINDOW = 1;
const PING = 2;
const SYN = 1;
const running: RawMuxer[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((raw) => raw.stop()));
  await Promise.all([stopRawHosts(), stopAll()]);
});

async function attack(victim: Node): Promise<RawMuxer> {
  const raw = await rawMuxer(victim);
  running.push(raw);
  await until('it is connected', () => victim.network.peers().length === 1);
  return raw;
}

async function expectCut(victim: Node): Promise<void> {
  await until('it is punished', () => victim.network.metrics()['offences.MUXER_ABUSE'] === 1);
  await until('it is gone', () => victim.network.peers().length === 0);
  expect(victim.network.metrics()['peers.banned']).toBe(1);
}

describe('a host that abuses the multiplexer', () => {
  it.each<[string, (raw: RawMuxer) => void]>([
    ['declares a frame of four gigabytes', (raw) => raw.say(DATA, SYN, 1, 0xffff_ffff)],
    ['declares a frame longer than any window', (raw) => raw.say(DATA, SYN, 1, 4 * MIB + 1)],
    ['sends a header of another version', (raw) => raw.connection.send(new Uint8Array(12).fill(7))],
    ['sends a frame of an unknown type', (raw) => raw.say(9, 0, 1, 0)],
    [
      'pings without end',
      (raw) => {
        for (let i = 0; i < 200; i++) raw.say(PING, SYN, 0, i);
      },
    ],
    [
      'opens streams without end',
      (raw) => {
        for (let i = 0; i < 400; i++) raw.say(WINDOW, SYN, 2 * i + 1, 0);
      },
    ],
    [
      'sends frames without end',
      (raw) => {
        const many = Uint8Array.from(
          Array.from({ length: 1_000 }, () => [...header(WINDOW, 0, 1, 0)]).flat(),
        );
        for (let i = 0; i < 120; i++) raw.connection.send(many);
      },
    ],
  ])('and %s is banned', async (_what, act) => {
    const victim = await startNode({ n: 1 });
    const raw = await attack(victim);
    act(raw);
    await expectCut(victim);
  });

  it('and sends a frame in single bytes is banned before these cost much', async () => {
    const victim = await startNode({ n: 1 });
    const raw = await attack(victim);
    raw.say(DATA, SYN, 1, MIB);
    for (let i = 0; i < 6_000 && raw.connection.status === 'open'; i++) {
      raw.connection.send(Uint8Array.of(1));
      if (i % 500 === 0) await delay(1);
    }
    await expectCut(victim);
  });
});

describe('streams that nobody reads', () => {
  it('cost no more than their first window before the hello', async () => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    const streams = await Promise.all(
      [PROTOCOL.votes, PROTOCOL.proposals, PROTOCOL.bulk].map((lane) => attacker.open(lane)),
    );
    for (const stream of streams) for (let i = 0; i < 8; i++) stream.send(new Uint8Array(MIB));
    await until('they are filled', () => victim.network.metrics()['buffered.bytes']! >= 3 * 256 * 1024);
    await delay(300);
    expect(victim.network.metrics()['buffered.bytes']).toBeLessThan(MIB);
  });

  it('together are bounded for all strangers', async () => {
    const victim = await startNode({ n: 1, limits: { bufferedForStrangers: 512 * 1024 } });
    const attacker = await rawHost(victim);
    const streams = await Promise.all(
      [PROTOCOL.votes, PROTOCOL.proposals, PROTOCOL.bulk].map((lane) => attacker.open(lane)),
    );
    for (const stream of streams) stream.send(new Uint8Array(MIB));
    await until('it is gone', () => victim.network.metrics()['offences.STALLED'] === 1);
    // the one that holds most when many hold a little may be an honest one: it may come back
    expect(victim.network.metrics()['peers.banned']).toBe(0);
  });

  it('count what has come of a frame that is never whole', async () => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    await greet(attacker);
    await until('it is ready', () => victim.network.metrics()['peers.ready'] === 1);
    const stream = await attacker.open(PROTOCOL.proposals);
    stream.send(frame(new Uint8Array(MIB)).subarray(0, MIB));
    await until('it is counted', () => victim.network.metrics()['buffered.bytes']! >= MIB - 4);
    expect(victim.network.peers()[0]?.score).toBe(0);
  });

  it('of one connection are bounded', async () => {
    const victim = await startNode({ n: 1, limits: { bufferedPerConnection: 300 * 1024 } });
    const attacker = await rawHost(victim);
    const streams = await Promise.all(
      [PROTOCOL.votes, PROTOCOL.proposals, PROTOCOL.bulk].map((lane) => attacker.open(lane)),
    );
    for (const stream of streams) stream.send(new Uint8Array(MIB));
    await expectCut(victim);
  });
});

describe('pings', () => {
  it('are answered', async () => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    const stream = await attacker.open('/ipfs/ping/1.0.0');
    let answered = 0;
    stream.addEventListener('message', ({ data }) => {
      answered += data.byteLength;
    });
    stream.send(new Uint8Array(32));
    await until('it is answered', () => answered === 32);
  });

  it('of a peer that sends them without end end their stream, not more', async () => {
    const victim = await startNode({ n: 1 });
    const attacker = await rawHost(victim);
    await greet(attacker, goodHello());
    const stream = await attacker.open('/ipfs/ping/1.0.0');
    for (let i = 0; i < 64; i++) stream.send(new Uint8Array(32));
    await until('the stream is ended', () => stream.status !== 'open');
    expect(victim.network.peers().length).toBe(1);
  });
});
