/**
 * The remedy against lost messages. Without a finalization for a while (5 s by default) a replica sends, over
 * and over, its highest F certificate, all certificates above it and its own votes above it, oldest view
 * first, in slices that keep to a bound of bytes a second: re-sends must never become the congestion that they
 * are meant to cure.
 */
import type { Effect } from '../events.ts';
import { type Certificate, FINALIZE, NOTARIZE, NULLIFY, type Vote } from '../types.ts';
import type { Pacing } from './pacing.ts';
import type { RoundTable } from './round.ts';

/** Between two slices of a sweep, in milliseconds. */
const SLICE_INTERVAL = 250;
const VOTE_BYTES = 160;

function certificateBytes(certificate: Certificate): number {
  return 128 + certificate.signers.length + 64 * certificate.signatures.length;
}

export class Standstill {
  readonly #pacing: Pacing;
  #deadline: number;
  /** What the running sweep sends next: a view, and how many items of it are sent already. */
  #cursor: { view: number; sent: number } | undefined;

  constructor(pacing: Pacing, now: number) {
    this.#pacing = pacing;
    this.#deadline = now + pacing.standstill;
  }

  get deadline(): number {
    return this.#deadline;
  }

  /** A finalization: all is well. */
  reset(now: number): void {
    this.#cursor = undefined;
    this.#deadline = now + this.#pacing.standstill;
  }

  /** The next slice; empty before the deadline. `self` is the own index, if there is one. */
  due(rounds: RoundTable, view: number, self: number | undefined, now: number): Effect[] {
    if (now < this.#deadline) return [];
    const effects: Effect[] = [];
    const floor = rounds.floor.view;
    if (this.#cursor === undefined) {
      effects.push({ type: 'report', report: { type: 'standstill', view, lastFinalized: floor } });
    }
    const from = this.#cursor ?? { view: floor, sent: 0 };
    let budget = (this.#pacing.standstillBytesPerSecond * SLICE_INTERVAL) / 1_000;
    for (const round of rounds.between(from.view, Number.MAX_SAFE_INTEGER)) {
      const votes: (Vote | undefined)[] =
        self === undefined
          ? []
          : ([NOTARIZE, NULLIFY, FINALIZE] as const).map((kind) => round.vote(kind, self));
      const items = [...round.certificates(), ...votes.filter((vote) => vote !== undefined)];
      for (let sent = round.view === from.view ? from.sent : 0; sent < items.length; sent++) {
        const item = items[sent]!;
        const bytes = 'signers' in item ? certificateBytes(item) : VOTE_BYTES;
        // A slice holds at least one item, however small the budget is.
        if (bytes > budget && effects.some(({ type }) => type !== 'report')) {
          this.#cursor = { view: round.view, sent };
          this.#deadline = now + SLICE_INTERVAL;
          return effects;
        }
        budget -= bytes;
        effects.push(
          'signers' in item
            ? { type: 'broadcast-certificate', certificate: item, except: undefined }
            : { type: 'send-vote', vote: item },
        );
      }
    }
    this.reset(now);
    return effects;
  }
}
