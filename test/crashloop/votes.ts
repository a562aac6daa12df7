/**
 * Everything that the consensus keys are known to have signed, over all rounds, and the pairs among it that an
 * honest key never signs: two different notarizations in a view, two different finalizations, a nullification and
 * a finalization. Written apart from the signer and its guard, which it judges. Votes come from the own journals
 * and, one a signer, from every certificate in anybody's journal: a vote that its own journal has lost shows there.
 */
import { toHex } from '../../src/codec/bytes.ts';
import { NOTARIZE, NULLIFY, type Subject } from '../../src/consensus/types.ts';

interface Signed {
  notarized: string | undefined;
  finalized: string | undefined;
  nullified: boolean;
}

/** What tells two subjects of one kind in one view apart. */
function describe(subject: Extract<Subject, { proposal: unknown }>): string {
  const { epoch, parentView, payload } = subject.proposal;
  return `${toHex(payload)} on view ${parentView} in epoch ${epoch}`;
}

export class VoteBook {
  readonly #signed = new Map<string, Signed>();
  readonly #findings = new Map<string, string>();
  #votes = 0;

  /** Different votes so far. */
  get votes(): number {
    return this.#votes;
  }

  /** One line for each view in which a key signed what excludes each other. */
  get findings(): readonly string[] {
    return [...this.#findings.values()];
  }

  /** Enters a vote by the key (named by its index in the set); returns false when it was known. */
  add(signer: number, subject: Subject): boolean {
    const view = subject.kind === NULLIFY ? subject.view : subject.proposal.view;
    const place = `validator ${signer}, view ${view}`;
    let held = this.#signed.get(place);
    if (held === undefined) {
      held = { notarized: undefined, finalized: undefined, nullified: false };
      this.#signed.set(place, held);
    }
    const conflict = (what: string): void => {
      this.#findings.set(place, `${place}: ${what}`);
    };
    let known: boolean;
    if (subject.kind === NULLIFY) {
      known = held.nullified;
      held.nullified = true;
    } else {
      const field = subject.kind === NOTARIZE ? 'notarized' : 'finalized';
      const [before, now] = [held[field], describe(subject)];
      known = before === now;
      if (before !== undefined && !known) conflict(`${field} both ${before} and ${now}`);
      held[field] ??= now;
    }
    if (held.nullified && held.finalized !== undefined)
      conflict(`nullified the view and finalized ${held.finalized}`);
    if (!known) this.#votes += 1;
    return !known;
  }

  /** Whether this very vote is entered already. */
  has(signer: number, subject: Subject): boolean {
    if (subject.kind === NULLIFY) {
      return this.#signed.get(`validator ${signer}, view ${subject.view}`)?.nullified === true;
    }
    const held = this.#signed.get(`validator ${signer}, view ${subject.proposal.view}`);
    return (subject.kind === NOTARIZE ? held?.notarized : held?.finalized) === describe(subject);
  }

  /** Highest view in which anything was signed by anybody; 0 for none. */
  get highestView(): number {
    let highest = 0;
    for (const place of this.#signed.keys()) highest = Math.max(highest, Number(place.split('view ')[1]));
    return highest;
  }
}
