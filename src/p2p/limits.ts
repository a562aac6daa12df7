/**
 * Every bound of the network layer in one place. Nothing that a peer sends or fails to read grows beyond these
 * figures; docs/network.md shows them as tables. Sizes are bytes, times are milliseconds.
 */
const KIB = 1024;
const MIB = 1024 * KIB;

/** What one connection may send a second, and twice that in a burst. */
export interface ServiceRate {
  readonly bytesPerSecond: number;
}

export interface NetworkLimits {
  /** Inbound connections in all; ready peers that are neither validators nor persistent; connections of one peer. */
  readonly maxConnections: number;
  readonly maxStrangers: number;
  readonly connectionsPerPeer: number;
  /** Ready peers below which discovered peers are dialled. */
  readonly targetPeers: number;
  /** Inbound connections from one address, and new ones a second (four times that in a burst). */
  readonly connectionsPerAddress: number;
  readonly inboundPerSecondPerAddress: number;
  /** The same for a loopback address: a whole network may run on one machine. */
  readonly connectionsFromLoopback: number;
  readonly inboundPerSecondFromLoopback: number;
  /** New inbound connections a second (twice that in a burst) from all addresses that have proved nothing. */
  readonly inboundPerSecond: number;
  /** Inbound connections in their handshake. */
  readonly inboundPending: number;
  readonly maxDials: number;
  /** Peers learnt from the DHT that are remembered for dialling. */
  readonly maxDiscovered: number;
  readonly dialTimeoutMs: number;
  readonly redialMs: number;
  readonly redialCapMs: number;
  /** A peer that was ready for so long and is gone is dialled as if it had never failed. */
  readonly settledMs: number;
  /** How long the peer with the greater id leaves the first dial between two validators to the other. */
  readonly tieBreakMs: number;
  /** Between two searches of the DHT for more peers, while there are too few. */
  readonly lookupIntervalMs: number;
  readonly helloTimeoutMs: number;
  /** A peer that reads nothing for so long while something waits for it is disconnected. */
  readonly stallMs: number;
  /** Streams that a peer may open for one lane within a minute. */
  readonly streamsPerMinute: number;

  readonly voteFrameBytes: number;
  readonly voteQueueLength: number;
  readonly voteQueueBytes: number;
  readonly proposalFrameBytes: number;
  readonly proposalQueueLength: number;
  readonly proposalQueueBytes: number;
  readonly helloFrameBytes: number;
  readonly helloQueueLength: number;
  readonly helloQueueBytes: number;

  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly partBytes: number;
  /** Requests under way to one peer, and those waiting for a place. */
  readonly requestsInFlight: number;
  readonly requestsWaiting: number;
  /**
   * Requests of one peer that are served at a time, so many with small and so many with large responses. What a
   * large one may take is reserved before it is made; small ones are bounded by their places alone.
   */
  readonly servedInFlight: number;
  readonly smallResponseBytes: number;
  readonly servedBytesPerPeer: number;
  readonly servedBytes: number;
  /** The part of `servedBytes` that only proven validators can reserve; at least `responseBytes`. */
  readonly servedBytesForValidators: number;
  /** Rate at which one peer is sent responses, and at which what it asks for is read and encoded. */
  readonly servedPerSecond: number;
  /** A peer that takes less than this while responses wait for it, over such a time, is disconnected. */
  readonly leastServedPerSecond: number;
  readonly leastServedMs: number;
  /** The same for a stranger with a large response, while other strangers wait for what is reserved. */
  readonly leastServedWhenContended: number;
  /** Rates at which frames of one peer are read. */
  readonly votesPerSecond: number;
  readonly voteBytesPerSecond: number;
  readonly proposalBytesPerSecond: number;
  readonly helloBytesPerSecond: number;
  readonly requestsPerSecond: number;
  readonly requestBytesPerSecond: number;
  /** A frame of a peer that is no validator counts as so many: there may be many such peers, and they need fewer. */
  readonly frameCostOfStrangers: number;

  /** How fast one connection's streams to libp2p's services are read. */
  readonly gossipRate: ServiceRate;
  readonly routingRate: ServiceRate;
  readonly identifyRate: ServiceRate;

  readonly gossipBytes: number;
  /** Messages and bytes of gossip under validation at a time, and a second and peer. */
  readonly gossipPending: number;
  readonly gossipPendingBytes: number;
  readonly gossipPerSecond: number;
  readonly gossipBytesPerSecond: number;
  readonly gossipSendBuffer: number;
  /** A ready peer to which there is no gossip stream for so long has lost it: the connection is made anew. */
  readonly gossipGraceMs: number;

  /** What a connection's multiplexer may be sent: frames, pings and new streams a second (in bursts, more). */
  readonly muxFramesPerSecond: number;
  readonly muxPingsPerSecond: number;
  readonly muxStreamsPerSecond: number;
  /** Bytes that the streams of one connection may hold unread or unsent, and those of all strangers together. */
  readonly bufferedPerConnection: number;
  readonly bufferedForStrangers: number;

  readonly banScore: number;
  readonly banMs: number;
  /** The same for a persistent peer. */
  readonly persistentBanMs: number;
  readonly maxBans: number;
  /** So many bans of its peers, each within `strikeMemoryMs` of the one before, ban an address. */
  readonly addressStrikes: number;
  readonly strikeMemoryMs: number;
  /** The first ban of an address; every further strike doubles it. Local and private addresses apart: 0 is never. */
  readonly addressBanMs: number;
  readonly addressBanCapMs: number;
  readonly localAddressBanMs: number;
  /** Addresses that are remembered. */
  readonly maxAddresses: number;
  readonly forgivenPerMinute: number;
  readonly storedEntries: number;
}

export const DEFAULT_LIMITS: NetworkLimits = {
  maxConnections: 256,
  maxStrangers: 96,
  connectionsPerPeer: 8,
  targetPeers: 24,
  connectionsPerAddress: 16,
  inboundPerSecondPerAddress: 8,
  connectionsFromLoopback: 160,
  inboundPerSecondFromLoopback: 32,
  inboundPerSecond: 48,
  inboundPending: 128,
  maxDials: 16,
  maxDiscovered: 256,
  dialTimeoutMs: 5_000,
  redialMs: 250,
  redialCapMs: 15_000,
  settledMs: 5_000,
  tieBreakMs: 750,
  lookupIntervalMs: 60_000,
  helloTimeoutMs: 10_000,
  stallMs: 30_000,
  streamsPerMinute: 30,

  voteFrameBytes: 72 * KIB,
  voteQueueLength: 1_024,
  voteQueueBytes: 4 * MIB,
  proposalFrameBytes: 2 * MIB,
  proposalQueueLength: 4,
  proposalQueueBytes: 4 * MIB,
  helloFrameBytes: 384 * KIB,
  helloQueueLength: 256,
  helloQueueBytes: MIB,

  requestBytes: MIB,
  responseBytes: 16 * MIB,
  partBytes: 256 * KIB,
  requestsInFlight: 16,
  requestsWaiting: 64,
  servedInFlight: 8,
  servedBytesPerPeer: 32 * MIB,
  smallResponseBytes: 64 * KIB,
  servedBytes: 256 * MIB,
  servedBytesForValidators: 128 * MIB,
  servedPerSecond: 64 * MIB,
  leastServedPerSecond: 16 * KIB,
  leastServedMs: 10_000,
  leastServedWhenContended: 128 * KIB,
  votesPerSecond: 4_000,
  voteBytesPerSecond: 4 * MIB,
  proposalBytesPerSecond: 8 * MIB,
  helloBytesPerSecond: 128 * KIB,
  requestsPerSecond: 4_000,
  requestBytesPerSecond: 16 * MIB,
  frameCostOfStrangers: 10,

  gossipRate: { bytesPerSecond: 16 * MIB },
  routingRate: { bytesPerSecond: 8 * KIB },
  identifyRate: { bytesPerSecond: 32 * KIB },

  gossipBytes: MIB,
  gossipPending: 64,
  gossipPendingBytes: 32 * MIB,
  gossipPerSecond: 200,
  gossipBytesPerSecond: 16 * MIB,
  gossipSendBuffer: 16 * MIB,
  gossipGraceMs: 15_000,

  muxFramesPerSecond: 20_000,
  muxPingsPerSecond: 8,
  muxStreamsPerSecond: 32,
  bufferedPerConnection: 32 * MIB,
  bufferedForStrangers: 192 * MIB,

  banScore: 100,
  banMs: 5 * 60_000,
  persistentBanMs: 30_000,
  maxBans: 1_024,
  addressStrikes: 3,
  strikeMemoryMs: 30 * 60_000,
  addressBanMs: 60_000,
  addressBanCapMs: 30 * 60_000,
  localAddressBanMs: 0,
  maxAddresses: 4_096,
  forgivenPerMinute: 20,
  storedEntries: 4_096,
};

/** What a frame of votes or proposals, or a request, takes of its peer's rate. */
export function frameCost(limits: NetworkLimits, validator: boolean): number {
  return validator ? 1 : limits.frameCostOfStrangers;
}

/** The largest part of a response that is accepted, whatever `partBytes` this node sends in. */
export const MAX_PART_BYTES = MIB;
/**
 * The slices in which frames are handed to the multiplexer, so that no lane holds up the others for long. With its
 * header, one fits in one message of noise (65,535 bytes with tag).
 */
export const CHUNK_BYTES = 65_000;
