/** Hosts that speak libp2p well and, above it, whatever an attack makes them say. */
import '../../src/p2p/polyfills.ts';
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Bytes } from '../../src/codec/bytes.ts';
import { FrameDecoder } from '../../src/p2p/framing.ts';
import {
  decodeHelloMessage,
  decodeToServer,
  decodeVoteMessage,
  encodeHello,
  type Hello,
  PROTOCOL,
} from '../../src/p2p/wire.ts';
import type { Capture, Target, World } from './world.ts';

export const MESHSUB = '/meshsub/1.1.0';
const DIAL_MS = 4_000;
const DRAIN_MS = 4_000;
const MAX_FRAME = 16 * 1024 * 1024;

export type Host = Libp2p;

export interface HostOptions {
  readonly seed: Bytes;
  /** Where what nodes send is kept. */
  readonly capture?: Capture;
  /** What is said to requests; by default nothing at all. */
  readonly answer?: (id: number, method: number) => readonly Bytes[];
  /** Nothing that a node sends is read. */
  readonly deaf?: boolean;
}

export async function hostileHost(options: HostOptions): Promise<Host> {
  const host = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxInboundStreams: 4_096, maxOutboundStreams: 4_096 })],
    connectionManager: { maxConnections: 10_000, maxParallelDials: 1_000, reconnectRetries: 0 },
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  });
  const { capture } = options;
  const on = (protocol: string, onFrame: (payload: Bytes, stream: Stream) => void): Promise<void> =>
    host.handle(protocol, (stream) => {
      if (options.deaf === true) stream.pause();
      else readFrames(stream, onFrame);
    });
  await on(PROTOCOL.hello, (payload) => {
    const message = decodeHelloMessage(payload);
    const { records, own } = message.type === 'hello' ? message.hello : { ...message, own: undefined };
    for (const record of [...records, ...(own === undefined ? [] : [own])]) capture?.keep('records', record);
  });
  await on(PROTOCOL.votes, (payload) => {
    const { type, body } = decodeVoteMessage(payload);
    capture?.keep(type === 'vote' ? 'votes' : 'certificates', body);
  });
  await on(PROTOCOL.proposals, (payload) => capture?.keep('proposals', payload));
  await on(PROTOCOL.bulk, (payload, stream) => {
    const message = decodeToServer(payload);
    if (message.type !== 'request') return;
    for (const part of options.answer?.(message.id, message.method) ?? []) stream.send(part);
  });
  await host.handle(MESHSUB, (stream) => {
    if (options.deaf === true) stream.pause();
    else stream.addEventListener('message', ({ data }) => capture?.keep('gossip', data.subarray()));
  });
  await host.start();
  return host;
}

function readFrames(stream: Stream, onFrame: (payload: Bytes, stream: Stream) => void): void {
  const decoder = new FrameDecoder(MAX_FRAME);
  stream.addEventListener('message', ({ data }) => {
    try {
      decoder.push(data.subarray());
      for (let next = decoder.next(); next !== undefined; next = decoder.next()) onFrame(next, stream);
    } catch {
      stream.abort(new Error('not understood'));
    }
  });
}

/** A connection to a node. */
export class Session {
  readonly connection: Connection;

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  static async open(host: Host, target: Target): Promise<Session> {
    const signal = AbortSignal.timeout(DIAL_MS);
    return new Session(await host.dial(multiaddr(target.address), { signal, force: true }));
  }

  get alive(): boolean {
    return this.connection.status === 'open';
  }

  stream(protocol: string): Promise<Stream> {
    return this.connection.newStream(protocol, {
      signal: AbortSignal.timeout(DIAL_MS),
      maxOutboundStreams: 4_096,
    });
  }

  /** Says hello, as an honest stranger would unless told otherwise. */
  async greet(world: World, over: Partial<Hello> = {}): Promise<Stream> {
    const stream = await this.stream(PROTOCOL.hello);
    stream.send(goodHello(world, over));
    return stream;
  }

  end(): void {
    this.connection.abort(new Error('done'));
  }
}

export function goodHello(world: World, over: Partial<Hello> = {}): Bytes {
  return encodeHello({
    version: 1,
    genesisHash: world.genesisHash,
    instance: new Uint8Array(8),
    own: undefined,
    records: [],
    ...over,
  });
}

/** Sends; waits while the other side does not take more. Throws when the stream is gone, or stands for long. */
export async function push(stream: Stream, bytes: Bytes): Promise<void> {
  if (stream.status !== 'open') throw new Error('the stream is gone');
  if (stream.send(bytes)) return;
  await new Promise<void>((resolve, reject) => {
    const end = (error?: Error): void => {
      clearTimeout(timer);
      stream.removeEventListener('drain', onDrain);
      stream.removeEventListener('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onDrain = (): void => end();
    const onClose = (): void => end(new Error('the stream is gone'));
    const timer = setTimeout(() => end(new Error('the other side takes nothing')), DRAIN_MS);
    stream.addEventListener('drain', onDrain);
    stream.addEventListener('close', onClose);
  });
}
