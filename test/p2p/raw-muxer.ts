/** A host that shakes hands properly and then says what a test likes where the multiplexer should speak. */
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { MessageStream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Bytes } from '../../src/codec/bytes.ts';
import { PROTOCOL } from '../../src/p2p/wire.ts';
import { hostSeed, type Node } from './harness.ts';

export interface RawMuxer {
  readonly id: string;
  readonly connection: MessageStream;
  /** Says one frame: its header, and data if there is any. */
  say(type: number, flags: number, stream: number, length: number, data?: Bytes): void;
  stop(): Promise<void>;
}

export function header(type: number, flags: number, stream: number, length: number): Bytes {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  bytes[1] = type;
  view.setUint16(2, flags);
  view.setUint32(4, stream);
  view.setUint32(8, length);
  return bytes;
}

export async function rawMuxer(victim: Node, n = 60): Promise<RawMuxer> {
  let connection: MessageStream | undefined;
  const host = await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', hostSeed(n)),
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    connectionMonitor: { enabled: false },
    streamMuxers: [
      () => {
        const inner = yamux({ enableKeepAlive: false })();
        return {
          protocol: inner.protocol,
          createStreamMuxer: (stream) => {
            connection = stream;
            return inner.createStreamMuxer(stream);
          },
        };
      },
    ],
  });
  // otherwise it would be sent away for not speaking the protocol
  await host.handle(PROTOCOL.hello, () => {});
  await host.dial(victim.network.addresses().map((address) => multiaddr(address)));
  if (connection === undefined) throw new Error('no connection');
  const raw = connection;
  return {
    id: host.peerId.toString(),
    connection: raw,
    say: (type, flags, stream, length, data) => {
      const head = header(type, flags, stream, length);
      raw.send(head);
      if (data !== undefined) raw.send(data);
    },
    stop: async () => {
      await host.stop();
    },
  };
}
