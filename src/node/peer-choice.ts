/**
 * Whom to ask next, of peers that all could answer: one that answered lately before one that is not known, and that
 * before one that let us wait, which is left alone for a while, longer each time. Chance decides among equals, so load
 * is spread, and a peer that answers well cannot be forced on us for ever. Whoever sends drop by drop has let us wait.
 */
const GOOD_MS = 60_000;
const FIRST_REST_MS = 5_000;
const LONGEST_REST_MS = 5 * 60_000;
const MAX_PEERS = 256;
/** Answers that take longer than this must bring so many things a second, or they are as bad as none. */
const SLOW_MS = 3_000;
const LEAST_PER_SECOND = 8;
/** How often a peer that is not known yet is tried though there are good ones: one time in so many. */
const CURIOSITY = 8;

interface Record {
  goodUntil: number;
  restUntil: number;
  failures: number;
}

export class PeerChoice {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #records = new Map<string, Record>();

  constructor(now: () => number = () => performance.now(), random: () => number = Math.random) {
    this.#now = now;
    this.#random = random;
  }

  /** One of `peers`, undefined when there are none. If all of them rest, the one that may work again first. */
  pick(peers: readonly string[]): string | undefined {
    const at = this.#now();
    const awake = peers.filter((peer) => (this.#records.get(peer)?.restUntil ?? 0) <= at);
    const good = awake.filter((peer) => (this.#records.get(peer)?.goodUntil ?? 0) > at);
    const curious = this.#random() * CURIOSITY < 1;
    const from = good.length > 0 && !curious ? good : awake;
    if (from.length > 0) return from[Math.floor(this.#random() * from.length)];
    return [...peers].sort((a, b) => this.#records.get(a)!.restUntil - this.#records.get(b)!.restUntil)[0];
  }

  /** `peers` in their order, but those that rest come last. */
  order(peers: readonly string[]): string[] {
    const at = this.#now();
    const rests = (peer: string): boolean => (this.#records.get(peer)?.restUntil ?? 0) > at;
    return [...peers.filter((peer) => !rests(peer)), ...peers.filter(rests)];
  }

  /** The peer has sent so many of the things that were asked for, within `ms`. */
  answered(peer: string, things: number, ms: number): void {
    if (ms > SLOW_MS && things < (LEAST_PER_SECOND * ms) / 1_000) this.failed(peer);
    else this.#note(peer, { goodUntil: this.#now() + GOOD_MS, restUntil: 0, failures: 0 });
  }

  /** The peer has not answered, or not with anything of use. */
  failed(peer: string): void {
    const failures = (this.#records.get(peer)?.failures ?? 0) + 1;
    const rest = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** Math.min(failures - 1, 16));
    this.#note(peer, { goodUntil: 0, restUntil: this.#now() + rest, failures });
  }

  #note(peer: string, record: Record): void {
    this.#records.delete(peer);
    this.#records.set(peer, record);
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= MAX_PEERS) break;
      this.#records.delete(oldest);
    }
  }
}
