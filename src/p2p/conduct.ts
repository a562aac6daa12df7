/**
 * Keeps the account of what peers do wrong: counts offences, adds up scores, bans peers and, through the door, their
 * addresses, and says who has to go.
 */
import type { Door } from './door.ts';
import type { NetworkLimits } from './limits.ts';
import type { Offence, PeerScores } from './offences.ts';
import type { NetworkLog } from './types.ts';

/** Offences that end the connection even below the threshold. */
const ENDS_CONNECTION: ReadonlySet<Offence> = new Set([
  'HELLO_TIMEOUT',
  'STALLED',
  'STREAM_CHURN',
  'CHAIN_MISMATCH',
]);

export interface ConductOptions {
  readonly limits: NetworkLimits;
  readonly scores: PeerScores;
  readonly door: Door;
  readonly isPersistent: (peer: string) => boolean;
  readonly log: NetworkLog;
}

export class Conduct {
  readonly #options: ConductOptions;
  readonly #counts = new Map<Offence, number>();

  constructor(options: ConductOptions) {
    this.#options = options;
  }

  /** Takes note of an offence; true when the peer has to go. */
  offend(peer: string, offence: Offence, detail: string): boolean {
    const { limits, scores, door, isPersistent, log } = this.#options;
    this.#counts.set(offence, (this.#counts.get(offence) ?? 0) + 1);
    const banned = scores.add(peer, offence, isPersistent(peer) ? limits.persistentBanMs : limits.banMs);
    const score = scores.score(peer);
    log[banned ? 'warn' : 'debug']({ peer, offence, detail, score, banned }, 'peer misbehaves');
    if (banned) {
      for (const address of door.onBan(peer)) {
        log.warn({ address, peer }, 'address is banned: its peers were banned again and again');
      }
    }
    return banned || ENDS_CONNECTION.has(offence);
  }

  get counts(): ReadonlyMap<Offence, number> {
    return this.#counts;
  }
}
