/**
 * The libp2p host: TCP, noise, yamux, identify, ping, a Kademlia DHT of the project's own and gossipsub. This is
 * the one place that knows which defaults of these libraries do not suit a small network, a single machine or a
 * hostile peer, and why.
 */
import './polyfills.ts';
import type { LookupFunction } from 'node:net';
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { type GossipSub, gossipsub, StrictNoSign, type TopicValidatorResult } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p, PeerId } from '@libp2p/interface';
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { type TCPSocketOptions, tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import type { Bytes } from '../codec/bytes.ts';
import { sha256 } from '../codec/hash.ts';
import { BoundedDatastore } from './datastore.ts';
import type { NetworkLimits } from './limits.ts';
import { type GuardOptions, guarded } from './mux-guard.ts';
import { pacedService } from './service-pace.ts';
import { PROTOCOL } from './wire.ts';

const MIB = 1024 * 1024;
/** The most that one stream can have on its way; the read buffer of a paused stream must hold all of it. */
const STREAM_WINDOW = 4 * MIB;

/** For limits of libp2p that must never be the ones that are met. */
const NO_LIMIT = 1_000_000;

export interface HostOptions {
  readonly seed: Bytes;
  readonly listen: readonly string[];
  readonly announce: readonly string[] | undefined;
  readonly topic: string;
  readonly limits: NetworkLimits;
  readonly gater: ConnectionGater;
  readonly lookup: LookupFunction;
  readonly guard: Omit<GuardOptions, 'limits' | 'maxFrame'>;
}

/**
 * The service, with what its interface leaves out: the method of `asyncValidation`, the mesh by topic, and the names of
 * the messages that were seen.
 */
export type GossipService = GossipSub & {
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>;
  readonly seenCache: { readonly entries: Map<string, unknown> };
  reportMessageValidationResult(messageId: string, source: string, result: TopicValidatorResult): void;
};

type GossipComponents = Parameters<ReturnType<typeof gossipsub>>[0];

export type Host = Libp2p<{ gossip: GossipService }>;

/** The peer id that follows from the seed of a host key. */
export async function peerIdOfSeed(seed: Bytes): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed));
}

export async function createHost(options: HostOptions): Promise<Host> {
  const { limits, gater: connectionGater, lookup } = options;
  const never = (): never => {
    throw new Error('this network stores no values in its DHT');
  };
  return await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
    nodeInfo: { name: 'kryder', version: '0.1.0', userAgent: 'kryder/0.1.0' },
    datastore: new BoundedDatastore(limits.storedEntries),
    addresses: { listen: [...options.listen], announce: [...(options.announce ?? [])] },
    // names are looked up by `net.connect`, whose options the type of `dialOpts` leaves out
    transports: [tcp({ dialOpts: { lookup } as TCPSocketOptions })],
    connectionEncrypters: [noise()],
    streamMuxers: [
      guarded(
        yamux({
          maxInboundStreams: 128,
          maxOutboundStreams: 128,
          maxEarlyStreams: 64,
          streamOptions: {
            maxStreamWindowSize: STREAM_WINDOW,
            maxReadBufferLength: 2 * STREAM_WINDOW,
            maxWriteBufferLength: limits.gossipSendBuffer + STREAM_WINDOW,
          },
        }),
        { ...options.guard, limits, maxFrame: STREAM_WINDOW },
      ),
    ],
    connectionManager: {
      maxParallelDials: limits.maxDials,
      // the door (door.ts) counts inbound connections, and tells strangers from others, which these limits cannot
      maxConnections: NO_LIMIT,
      inboundConnectionThreshold: NO_LIMIT,
      maxIncomingPendingConnections: NO_LIMIT,
      dialTimeout: limits.dialTimeoutMs,
      inboundUpgradeTimeout: limits.dialTimeoutMs,
      // reconnecting is done by the dialer, which never gives up
      reconnectRetries: 0,
      connectionCloseTimeout: 500,
    },
    // a busy node may be late to answer a ping; only a dead one is that late
    connectionMonitor: { pingInterval: 10_000, pingTimeout: { minTimeout: 15_000, maxTimeout: 30_000 } },
    connectionGater,
    services: {
      identify: pacedService(identify(), limits.identifyRate),
      ping: ping(),
      dht: pacedService(
        kadDHT({
          protocol: PROTOCOL.kad,
          peerInfoMapper: passthroughMapper,
          clientMode: false,
          allowQueryWithZeroPeers: true,
          initialQuerySelfInterval: 500,
          querySelfInterval: 60_000,
          // nothing but routing: records of strangers would only take up memory
          validators: { pk: never, ipns: never },
        }),
        limits.routingRate,
      ),
      gossip: pacedService(
        gossipsub({
          globalSignaturePolicy: StrictNoSign,
          msgIdFn: (message) => sha256(message.data),
          asyncValidation: true,
          allowedTopics: [options.topic],
          allowPublishToZeroTopicPeers: true,
          ignoreDuplicatePublishError: true,
          fallbackToFloodsub: false,
          floodPublish: true,
          doPX: false,
          D: 6,
          Dlo: 4,
          Dhi: 12,
          heartbeatInterval: 700,
          pruneBackoff: 10_000,
          maxInboundStreams: 4,
          maxOutboundStreams: 4,
          maxInboundDataLength: limits.gossipBytes + 64 * 1024,
          maxOutboundBufferSize: limits.gossipSendBuffer,
          maxTopicBytesPerPeer: 8 * 1024,
          // The door bounds what one address may do. The library's own judgement falls on everybody behind the address,
          // honest hosts among them, and stays for an hour with all that it remembers of peers that are gone.
          scoreParams: { IPColocationFactorWeight: 0, retainScore: 0 },
        }) as (components: GossipComponents) => GossipService,
        limits.gossipRate,
      ),
    },
  });
}
