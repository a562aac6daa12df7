/** A host that speaks libp2p well, and above it whatever a test makes it say. */
import { lookup } from 'node:dns';
import type { Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Bytes } from '../../src/codec/bytes.ts';
import { FrameDecoder } from '../../src/p2p/framing.ts';
import { createHost, type Host } from '../../src/p2p/host.ts';
import { DEFAULT_LIMITS } from '../../src/p2p/limits.ts';
import {
  decodeHelloMessage,
  encodeHello,
  type Hello,
  type HelloMessage,
  PROTOCOL,
} from '../../src/p2p/wire.ts';
import { GENESIS, hostSeed, type Node } from './harness.ts';

export interface RawHost {
  readonly host: Host;
  readonly id: string;
  /** Hellos that the victim said, oldest first. */
  readonly hellos: Hello[];
  /** Signed records that the victim told, in hellos and later. */
  readonly records: Bytes[];
  /** Streams that the victim opened, by protocol. */
  readonly opened: Map<string, Stream[]>;
  /** Connects once more. */
  connect(): Promise<{ open(protocol: string): Promise<Stream> }>;
  /** Opens a lane over the first connection. */
  open(protocol: string): Promise<Stream>;
}

const hosts: Host[] = [];

export async function stopRawHosts(): Promise<void> {
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
}

export async function rawHost(
  victim: Node,
  n = 50,
  prepare: (host: Host) => Promise<void> = async () => {},
): Promise<RawHost> {
  const host = await createHost({
    seed: hostSeed(n),
    listen: [],
    announce: undefined,
    topic: 'none',
    limits: DEFAULT_LIMITS,
    gater: {},
    lookup,
    guard: { now: Date.now, offend: () => {} },
  });
  hosts.push(host);
  const hellos: Hello[] = [];
  const records: Bytes[] = [];
  const opened = new Map<string, Stream[]>();
  for (const lane of [PROTOCOL.hello, PROTOCOL.votes, PROTOCOL.proposals, PROTOCOL.bulk]) {
    await host.handle(lane, (stream) => {
      opened.set(lane, [...(opened.get(lane) ?? []), stream]);
      if (lane !== PROTOCOL.hello) return;
      readMessages(stream, (message) => {
        if (message.type === 'hello') hellos.push(message.hello);
        const told = message.type === 'hello' ? message.hello : { own: undefined, records: message.records };
        records.push(...told.records, ...(told.own === undefined ? [] : [told.own]));
      });
    });
  }
  await host.start();
  await prepare(host);
  const connect: RawHost['connect'] = async () => {
    const addresses = victim.network.addresses().map((address) => multiaddr(address));
    const connection = await host.dial(addresses, { force: true });
    return { open: (protocol) => connection.newStream(protocol) };
  };
  const { open } = await connect();
  return { host, id: host.peerId.toString(), hellos, records, opened, connect, open };
}

function readMessages(stream: Stream, onMessage: (message: HelloMessage) => void): void {
  const decoder = new FrameDecoder(DEFAULT_LIMITS.helloFrameBytes);
  stream.addEventListener('message', ({ data }) => {
    decoder.push(data.subarray());
    for (let next = decoder.next(); next !== undefined; next = decoder.next())
      onMessage(decodeHelloMessage(next));
  });
}

export function goodHello(over: Partial<Hello> = {}): Bytes {
  return encodeHello({
    version: 1,
    genesisHash: GENESIS,
    instance: new Uint8Array(8),
    own: undefined,
    records: [],
    ...over,
  });
}

/** Says hello and leaves the stream open. */
export async function greet(raw: Pick<RawHost, 'open'>, hello = goodHello()): Promise<Stream> {
  const stream = await raw.open(PROTOCOL.hello);
  stream.send(hello);
  return stream;
}
