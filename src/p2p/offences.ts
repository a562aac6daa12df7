/**
 * What peers do wrong and what it costs them. Penalties add up to a score, the score is forgiven at a steady
 * rate, and at the threshold the peer is disconnected and refused for some minutes. The table below is the one in
 * docs/network.md. The room itself finds the first group; the second is for the node, which knows the contents.
 */
import type { NetworkLimits } from './limits.ts';

export const OFFENCES = {
  /** A frame of length zero, or longer than its lane allows. */
  FRAME_INVALID: 100,
  /** An envelope of unknown type, cut short, or with fields out of bounds. */
  ENVELOPE_INVALID: 100,
  /** A hello that cannot be read, or records before it. */
  HELLO_INVALID: 100,
  /** Another genesis, or another version of the protocol. */
  CHAIN_MISMATCH: 100,
  HELLO_TIMEOUT: 20,
  /** A record that is no record, or whose signature is wrong. */
  RECORD_INVALID: 100,
  /** A vote from a peer that has not proved a consensus key. */
  VOTE_FROM_STRANGER: 20,
  /** A part or error for a request that was never made, or parts beyond what was asked for. */
  RESPONSE_UNEXPECTED: 100,
  RESPONSE_TOO_LARGE: 100,
  /** Counted only: a slow validator's votes are still worth having. */
  REQUEST_TIMEOUT: 0,
  /** Reads nothing while something waits for it. */
  STALLED: 20,
  /** Opens streams over and over. */
  STREAM_CHURN: 50,
  /** Says hello as another process while its old connection still stands. */
  INSTANCE_CHANGED: 10,
  GOSSIP_FLOOD: 20,
  /** Uses the multiplexer as nobody would: see mux-guard.ts. */
  MUXER_ABUSE: 100,

  VOTE_INVALID: 100,
  CERTIFICATE_INVALID: 100,
  PROPOSAL_INVALID: 100,
  TRANSACTIONS_INVALID: 50,
  RESPONSE_INVALID: 50,
  REQUEST_INVALID: 25,
} as const satisfies Record<string, number>;

export type Offence = keyof typeof OFFENCES;

interface Entry {
  score: number;
  at: number;
}

/** Scores and bans of peers, by peer id. Both tables are bounded; the oldest entries go first. */
export class PeerScores {
  readonly #limits: NetworkLimits;
  readonly #now: () => number;
  readonly #scores = new Map<string, Entry>();
  readonly #bans = new Map<string, number>();
  /** Bans so far. */
  total = 0;

  constructor(limits: NetworkLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** The penalties that are not forgiven yet. */
  score(peer: string): number {
    const entry = this.#scores.get(peer);
    if (entry === undefined) return 0;
    const forgiven = ((this.#now() - entry.at) * this.#limits.forgivenPerMinute) / 60_000;
    return Math.max(0, entry.score - forgiven);
  }

  /**
   * Adds the penalty of an offence. True when the peer is over the threshold and is banned from now on, for `banMs`
   * milliseconds.
   */
  add(peer: string, offence: Offence, banMs: number = this.#limits.banMs): boolean {
    const score = this.score(peer) + OFFENCES[offence];
    this.#scores.delete(peer);
    if (score < this.#limits.banScore) {
      this.#scores.set(peer, { score, at: this.#now() });
      trim(this.#scores, this.#limits.maxBans);
      return false;
    }
    this.total++;
    this.#bans.delete(peer);
    this.#bans.set(peer, this.#now() + banMs);
    trim(this.#bans, this.#limits.maxBans);
    return true;
  }

  banned(peer: string): boolean {
    const until = this.#bans.get(peer);
    if (until === undefined) return false;
    if (until > this.#now()) return true;
    this.#bans.delete(peer);
    return false;
  }

  get bans(): number {
    for (const peer of [...this.#bans.keys()]) this.banned(peer);
    return this.#bans.size;
  }
}

function trim(map: Map<string, unknown>, size: number): void {
  for (const key of map.keys()) {
    if (map.size <= size) return;
    map.delete(key);
  }
}
