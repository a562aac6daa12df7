/**
 * What the network layer offers to the node, and what it wants of it. Peers are named by the text of their peer
 * id; messages are opaque bytes here. Handlers are called one message at a time and a stream; whatever they throw
 * is logged and never reaches a peer.
 */
import type { Bytes } from '../codec/bytes.ts';
import type { SignatureVerifier, SigningKey } from '../crypto/interfaces.ts';
import type { NetworkLimits } from './limits.ts';
import type { Offence } from './offences.ts';
import type { Resolve } from './resolver.ts';

/** `accept` forwards where that applies, `ignore` drops silently, `reject` also punishes the sender. */
export type Verdict = 'accept' | 'ignore' | 'reject';

/** `busy`: the node did not look at it, so it is as if it had not come, and may come from another peer. */
export type BatchVerdict = Verdict | 'busy';

export type PeerEvent = 'connected' | 'ready' | 'gone';

/** Fits pino: fields first, then the message. */
export interface NetworkLog {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

export interface NetworkHandlers {
  /**
   * A vote from the peer that has proved to be validator `fromValidator`. That the vote is this validator's own,
   * and well signed, is for the node to check.
   */
  onVote(vote: Bytes, fromValidator: number, peer: string): Verdict;
  /** `fromValidator` is absent when the peer is no validator: it relays. */
  onProposal(proposal: Bytes, peer: string, fromValidator: number | undefined): Verdict;
  onCertificate(certificate: Bytes, peer: string): Verdict;
  /**
   * A gossiped batch, passed on by `peer`, which has proved to be validator `fromValidator` or is none. It is
   * forwarded only after the promise resolves to `accept`.
   */
  onTransactions(batch: Bytes, peer: string, fromValidator: number | undefined): Promise<BatchVerdict>;
  /**
   * Answers a request with at most `maxResponseBytes`; a handler compares sizes before it allocates. It tells
   * `charge` how many bytes it reads and encodes, as soon as it knows: beyond the peer's rate, or that of all that are
   * no validators, its next requests wait. A `ProtocolError` becomes an error response with its code (`CODEC_*` and `REQUEST_INVALID` cost the
   * asker `REQUEST_INVALID`); anything else, `INTERNAL`.
   */
  onRequest(
    method: number,
    payload: Bytes,
    peer: string,
    maxResponseBytes: number,
    charge: (bytes: number) => void,
  ): Promise<Bytes>;
  onPeer(peer: string, event: PeerEvent): void;
}

export interface NetworkOptions {
  /** Seed of the Ed25519 host key, 32 bytes. The peer id follows from it. */
  readonly privateKey: Bytes;
  /** Multiaddrs to listen on; the default is any port of 127.0.0.1. */
  readonly listen?: readonly string[];
  /** Multiaddrs to announce instead of those listened on. */
  readonly announce?: readonly string[];
  /** Multiaddrs, with or without `/p2p/…`, that are dialled for ever. */
  readonly bootstrap: readonly string[];
  /**
   * The same, of peers that are kept whatever happens: beyond the limits on strangers, never dropped for room, and banned
   * for half a minute at most.
   */
  readonly persistent?: readonly string[];
  /**
   * Who is let in and dialled, if not everybody: peer ids, addresses, ranges (`10.0.0.0/8`), and the word
   * `validators`. Persistent and bootstrap peers are, too.
   */
  readonly allow?: readonly string[];
  /** Peer ids, addresses and ranges that are neither let in nor dialled, whatever else names them. */
  readonly deny?: readonly string[];
  /** All addresses of a name; by default the system's resolver. */
  readonly resolve?: Resolve;
  readonly genesisHash: Bytes;
  /** Signs the record that binds the consensus key to this host. Only for validators. */
  readonly consensusKey?: SigningKey;
  /** Consensus keys of the validator set, by index. */
  readonly validatorKeys: readonly Bytes[];
  readonly verifier: SignatureVerifier;
  readonly handlers: NetworkHandlers;
  readonly log: NetworkLog;
  readonly limits?: Partial<NetworkLimits>;
  /** Milliseconds since 1970, for record sequences, rates and back-off. */
  readonly now?: () => number;
}

export interface RequestOptions {
  /** From the call to the last byte of the answer. */
  readonly timeoutMs: number;
  /** If nothing arrives for so long after the request was sent, or between two parts, it has failed as well. */
  readonly idleMs?: number;
  /** At most 16 MiB. */
  readonly maxResponseBytes: number;
  readonly signal?: AbortSignal;
}

export interface PeerInfo {
  readonly id: string;
  /** Index in the validator set that the peer has proved to be. */
  readonly validator: number | undefined;
  readonly address: string;
  readonly direction: 'inbound' | 'outbound';
  /** Penalties that are not forgiven yet; at 100 the peer is banned. */
  readonly score: number;
  readonly status: 'connected' | 'ready';
  readonly persistent: boolean;
}

export interface Network {
  readonly peerId: string;
  /** What other hosts dial, each ending in `/p2p/…`. */
  addresses(): string[];
  peers(): PeerInfo[];
  /** The ready peer that is validator `index`. */
  validatorPeer(index: number): string | undefined;
  /** To every ready validator. */
  broadcastVote(vote: Bytes): void;
  /** To ready validators first, then to all other ready peers. */
  sendProposal(proposal: Bytes, except?: string): void;
  /** To every ready peer. */
  broadcastCertificate(certificate: Bytes, except?: string): void;
  /** False when the peer is not ready. */
  sendVote(peer: string, vote: Bytes): boolean;
  sendCertificate(peer: string, certificate: Bytes): boolean;
  sendProposalTo(peer: string, proposal: Bytes): boolean;
  /**
   * Gossips a batch (at most 1 MiB) when its turn has come: a host sends less than its peers allow it. Resolves to the
   * number of peers that it was sent to at once, 0 when too many wait already.
   */
  publishTransactions(batch: Bytes): Promise<number>;
  /**
   * One request on the bulk lane. Rejects with a `ProtocolError`: `PEER_GONE`, `REQUEST_TIMEOUT`,
   * `REQUEST_CANCELLED`, `REQUEST_QUEUE_FULL`, `REQUEST_TOO_LARGE`, `RESPONSE_TOO_LARGE`, or
   * `REMOTE_ERROR` with the peer's own code in `details.code`.
   */
  request(peer: string, method: number, payload: Bytes, options: RequestOptions): Promise<Bytes>;
  /** Punishes a peer for what only the node could see. */
  penalise(peer: string, offence: Offence): void;
  /** A new epoch's set. Records of keys that left it are forgotten. */
  setValidatorKeys(keys: readonly Bytes[]): void;
  metrics(): Record<string, number>;
  /** Ends everything within two seconds. */
  close(): Promise<void>;
}
