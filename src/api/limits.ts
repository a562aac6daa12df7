/** Every bound of the HTTP API in one place; docs/api.md shows them as a table. Sizes are bytes, times milliseconds. */
const KIB = 1024;
const MIB = 1024 * KIB;

export interface ApiLimits {
  /** Open connections in all and from one address (of IPv6, one /64). */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** New connections a second, in all (twice that at once) and of one address (four times that at once). */
  readonly connectionsPerSecond: number;
  readonly connectionsPerSecondPerAddress: number;
  /** Requests a second of one address; twice that at once. What comes faster waits, up to `maxWaitMs`. */
  readonly requestsPerSecond: number;
  /** An address may always ask so often; what it asks beyond that shares `sharedRequestsPerSecond` with all others. */
  readonly calmRequestsPerSecond: number;
  readonly sharedRequestsPerSecond: number;
  readonly maxWaitMs: number;
  readonly maxHeaderBytes: number;
  /** Until all headers are there; until the body is there, too; between two requests. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;

  /** Of a body; JSON, which costs far more to read than it says, may have fewer. */
  readonly maxBodyBytes: number;
  readonly maxJsonBytes: number;
  /** Transactions in one request. */
  readonly maxSubmitted: number;
  /** Large bodies, and large answers, that are held at a time. */
  readonly heldBodyBytes: number;
  readonly heldAnswerBytes: number;
  /** Bodies and answers up to this size are bounded by the connections alone. */
  readonly smallBytes: number;
  /** A client that takes its answer more slowly than this, after ten seconds, is cut off. */
  readonly leastAnswerBytesPerSecond: number;

  readonly maxStreams: number;
  readonly maxStreamsPerAddress: number;
  readonly maxStreamBacklog: number;
  readonly streamKeepAliveMs: number;

  /** Part of the main thread's time that reading large bodies, and transactions that are refused, may take. */
  readonly submissionShare: number;
  readonly submissionBurstMs: number;
  readonly maxSubmissions: number;
  /** Bodies of less than this are read at once. */
  readonly shortBodyBytes: number;

  /** Dear queries (proofs, whole blocks) that wait; they are answered one at a time. */
  readonly maxDear: number;
  /** Part of the node's main thread that they may take, and milliseconds of it at once. */
  readonly dearShare: number;
  readonly dearBurstMs: number;
}

export const DEFAULT_API_LIMITS: ApiLimits = {
  maxConnections: 512,
  maxConnectionsPerAddress: 256,
  connectionsPerSecond: 500,
  connectionsPerSecondPerAddress: 100,
  requestsPerSecond: 1_000,
  calmRequestsPerSecond: 20,
  sharedRequestsPerSecond: 2_000,
  maxWaitMs: 2_000,
  maxHeaderBytes: 8 * KIB,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 10_000,

  maxBodyBytes: 4 * MIB,
  maxJsonBytes: MIB,
  maxSubmitted: 20_000,
  heldBodyBytes: 32 * MIB,
  heldAnswerBytes: 64 * MIB,
  smallBytes: 64 * KIB,
  leastAnswerBytesPerSecond: 64 * KIB,

  maxStreams: 64,
  maxStreamsPerAddress: 32,
  maxStreamBacklog: MIB,
  streamKeepAliveMs: 15_000,

  submissionShare: 0.2,
  submissionBurstMs: 200,
  maxSubmissions: 256,
  shortBodyBytes: 4 * KIB,

  maxDear: 64,
  dearShare: 0.25,
  dearBurstMs: 500,
};
