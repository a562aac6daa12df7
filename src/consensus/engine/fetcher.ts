/**
 * Which missing certificates are asked for, of whom and how often. The state machine says at every step what
 * it wants; at most 32 are under way, the urgent ones first. What a proposal needs is asked of its leader
 * first, then of anyone; what is only good to have waits a little, since it is mostly on its way already.
 */
import type { CertificateQuery, Effect } from '../events.ts';
import type { Pacing } from './pacing.ts';

const WINDOW = 32;

export interface Wanted extends CertificateQuery {
  readonly urgent: boolean;
  /** Whom to ask first. */
  readonly preferred: number | undefined;
}

interface Fetch {
  readonly query: CertificateQuery;
  preferred: number | undefined;
  attempts: number;
  nextAt: number;
}

export class Fetcher {
  readonly #pacing: Pacing;
  #fetches = new Map<string, Fetch>();

  constructor(pacing: Pacing) {
    this.#pacing = pacing;
  }

  /** When `due` has something to do again. */
  get deadline(): number | undefined {
    let earliest: number | undefined;
    for (const { nextAt } of this.#fetches.values()) {
      if (earliest === undefined || nextAt < earliest) earliest = nextAt;
    }
    return earliest;
  }

  /** Replaces the list of what is wanted; the attempts made for what stays on it are remembered. */
  want(wanted: readonly Wanted[], now: number): void {
    const next = new Map<string, Fetch>();
    const add = ({ kind, view, urgent, preferred }: Wanted): void => {
      const key = `${kind}/${view}`;
      if (next.size >= WINDOW || next.has(key)) return;
      const known = this.#fetches.get(key);
      const nextAt = urgent ? now : now + this.#pacing.delta;
      const fetch = known ?? { query: { kind, view }, preferred, attempts: 0, nextAt };
      if (urgent && fetch.attempts === 0) {
        fetch.nextAt = now;
        fetch.preferred = preferred;
      }
      next.set(key, fetch);
    };
    for (const entry of wanted) if (entry.urgent) add(entry);
    for (const entry of wanted) if (!entry.urgent) add(entry);
    this.#fetches = next;
  }

  /** The requests whose time has come. */
  due(now: number): Effect[] {
    const effects: Effect[] = [];
    for (const fetch of this.#fetches.values()) {
      if (fetch.nextAt > now) continue;
      effects.push({
        type: 'request-certificate',
        query: fetch.query,
        preferred: fetch.attempts === 0 ? fetch.preferred : undefined,
      });
      fetch.nextAt = now + this.#pacing.fetchDelay(fetch.attempts++);
    }
    return effects;
  }
}
