/** What the replica under test asks for and sends: enough of it, and never more than its bounds allow. */
import type { Facts } from './facts.ts';
import { must, SLACK, TIMING } from './terms.ts';

/** Between two attempts to fetch, with the most back-off and jitter. */
const LONGEST_FETCH = 20 * TIMING.delta;

interface Bytes {
  readonly at: number;
  readonly bytes: number;
}

const sum = (list: readonly Bytes[]): number => list.reduce((total, { bytes }) => total + bytes, 0);

export class Traffic {
  /** Views of which nothing is known, with the time since when. */
  readonly #missing = new Map<number, number>();
  /** `kind/view` → when it was asked for. */
  readonly #requested = new Map<string, number[]>();
  #sent: Bytes[] = [];
  #told: Bytes[] = [];

  sent(at: number, bytes: number): void {
    this.#sent.push({ at, bytes });
  }

  /** A certificate came: it is passed on once, at its sender's expense. */
  told(at: number, bytes: number): void {
    this.#told.push({ at, bytes });
  }

  requested(key: string, at: number): void {
    this.#requested.set(key, [...(this.#requested.get(key) ?? []), at]);
  }

  /** The notarization of a view that something stands on has been asked for. */
  wants(facts: Facts, view: number, now: number): void {
    if (view <= facts.floor.view || facts.notarized(view) !== undefined) return;
    const asked = this.#requested.get(`1/${view}`)?.at(-1) ?? 0;
    must(now - asked <= LONGEST_FETCH, 'what a block stands on is fetched', () => `the N of view ${view}`);
  }

  /** `entered` is when the view was. */
  check(facts: Facts, view: number, entered: number, now: number): void {
    this.#sent = this.#sent.filter(({ at }) => at > now - 1_000);
    this.#told = this.#told.filter(({ at }) => at > now - 1_000);
    const bytes = sum(this.#sent);
    // What a view sends by itself comes on top.
    must(
      bytes - sum(this.#told) <= 1.3 * TIMING.standstillBytesPerSecond + 12 * (160 + 400),
      're-sends keep to their bound of bytes',
      () => `${bytes} bytes in a second`,
    );
    this.#nullifications(facts, view, entered, now);
    const latest = [...this.#requested.values()].filter((times) => times.at(-1)! > now - TIMING.delta);
    must(
      latest.length <= 80,
      'what is asked for stays in a window',
      () => `${latest.length} certificates at once`,
    );
    for (const times of latest) {
      const often = times.filter((at) => at > now - TIMING.delta).length;
      must(
        often <= 8,
        'what is missing is not asked for all the time',
        () => `${often} times in ${TIMING.delta} ms`,
      );
    }
  }

  #nullifications(facts: Facts, view: number, entered: number, now: number): void {
    const floor = facts.floor.view;
    let missing = 0;
    for (let u = floor + 1; u < view && missing < 64; u++) {
      if (facts.holds(1, u) !== undefined || facts.holds(2, u) !== undefined) this.#missing.delete(u);
      else {
        missing++;
        if (!this.#missing.has(u)) this.#missing.set(u, now);
      }
    }
    for (const [u, since] of this.#missing) {
      if (u <= floor) {
        this.#missing.delete(u);
        continue;
      }
      const asked = this.#requested.get(`2/${u}`)?.at(-1);
      const patience = asked === undefined ? 3 * TIMING.delta : LONGEST_FETCH + SLACK;
      must(
        missing > 24 || now - (asked ?? Math.max(since, entered)) <= patience,
        'missing nullifications are fetched',
        () => `view ${u}, unknown for ${now - since} ms`,
      );
    }
  }

  restart(): void {
    this.#missing.clear();
    this.#requested.clear();
  }
}
