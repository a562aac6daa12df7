/**
 * What a replica needs from the node around it: the application (blocks and state), the network, the clock,
 * and somebody to tell. The node implements these on real parts, the simulator on seeded ones.
 */
import type { Bytes } from '../codec/bytes.ts';
import type { CertificateQuery, Finalization, Report } from './events.ts';
import type { Certificate, Proposal, ValidatorSet, Vote } from './types.ts';

/** What the application's database holds at the start. */
export interface Floor {
  /** For the genesis block: view 0, parentView 0, the genesis block's hash. */
  readonly proposal: Proposal;
  /** The F certificate of this very proposal; undefined exactly for the genesis block. */
  readonly finalization: Certificate | undefined;
}

export interface RecoveredBody {
  readonly view: number;
  readonly payload: Bytes;
  readonly body: Bytes;
}

export interface BuildRequest {
  readonly view: number;
  /** The genesis block has view 0. */
  readonly parent: Proposal;
  /** The parent's N certificate, to be carried in the body; undefined exactly for the genesis block. */
  readonly parentCertificate: Certificate | undefined;
  /** On the replica's clock: a block that is built later comes too late. */
  readonly deadlineMs: number;
}

export interface VerifyRequest {
  readonly proposal: Proposal;
  readonly parent: Proposal;
  /** Index of the proposer: it has the body. */
  readonly leader: number;
  readonly signal: AbortSignal;
}

export interface CertifyRequest {
  readonly proposal: Proposal;
  readonly parent: Proposal;
  readonly signal: AbortSignal;
}

export type VerifyResult =
  | { readonly outcome: 'valid'; readonly body: Bytes }
  | { readonly outcome: 'invalid'; readonly reason: string };

export interface CertifyResult {
  readonly ok: boolean;
  readonly body: Bytes;
  readonly reason?: string;
}

export interface Application {
  /**
   * Called once at the start, before anything else: the bodies that the journal holds above the floor, by
   * ascending view. Verdicts about them stand: the application executes them again when it needs their state.
   */
  recover(bodies: readonly RecoveredBody[]): Promise<void>;
  /** Builds a block; resolves undefined if it cannot. The body is durable before its vote leaves. */
  build(request: BuildRequest): Promise<{ readonly payload: Bytes; readonly body: Bytes } | undefined>;
  /**
   * Waits for the body, then for the stateless checks and the timestamp, including that the block names epoch,
   * view, parent view, proposer and `parent.payload` as the proposal does. Pending while data is missing.
   */
  verify(request: VerifyRequest): Promise<VerifyResult>;
  /** Executes the block. Deterministic; pending, never `ok: false`, while data is missing. */
  certify(request: CertifyRequest): Promise<CertifyResult>;
  finalize(finalization: Finalization): void;
}

export interface ConsensusNetwork {
  /** To all validators. */
  broadcastVote(vote: Vote): void;
  /** The leader's N vote, together with its block, to everybody. `body` is undefined if it is not at hand. */
  sendProposal(vote: Vote, body: Bytes | undefined): void;
  /** To everybody; `except` is the peer that it came from. */
  broadcastCertificate(certificate: Certificate, except: string | undefined): void;
  sendCertificate(peer: string, certificate: Certificate): void;
  /** Asks the preferred validator, or any peer; the answer comes in as an ordinary certificate. */
  requestCertificate(query: CertificateQuery, preferredValidator: number | undefined): void;
}

export interface Clock {
  /** Milliseconds that never go back; the origin does not matter. */
  now(): number;
  /** Calls `callback` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

export interface Host {
  /** The replica has stopped for good, for instance because an fsync failed: the process has to end. */
  fatal(error: unknown): void;
  /** Something worth a metric or a log line happened. Must not throw. */
  report(report: Report): void;
}

/** Timing policy, in milliseconds. None of it touches safety. */
export interface Timing {
  /** The pace: a proposal goes out no sooner than this after its parent's. */
  readonly blockInterval: number;
  /** The assumed bound of a message's delay. */
  readonly delta: number;
  readonly executionBudget: number;
  /** T_R: how often a nullify vote is sent again while its view lasts. Default 1,000. */
  readonly resendInterval?: number;
  /** Without a finalization for this long, everything above the floor is sent again. Default 5,000. */
  readonly standstill?: number;
  /** Bound on what a standstill sends. Default 262,144. */
  readonly standstillBytesPerSecond?: number;
}

/** Identifies the protocol instance that a replica takes part in. */
export interface Instance {
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
}
