/**
 * Signs whatever suits it: N and F for every proposal, X beside them, each to a part of the others, and as
 * leader a different misdeed each time, or always its specialty. Chance decides what it does and to whom.
 */
import type { Bytes } from '../../../src/codec/bytes.ts';
import { FINALIZE, NOTARIZE, NULLIFY, type Proposal, type Subject } from '../../../src/consensus/types.ts';
import { subjectKey, subjectView } from '../../../src/consensus/vote.ts';
import type { Endpoint, Message } from '../network.ts';
import { Adversary, type Seat } from './base.ts';

type Deed = 'equivocate' | 'stale-parent' | 'poison' | 'withhold' | 'impossible-parent' | 'silence';
/** As often as each is chosen. */
export const DEEDS: readonly Deed[] = [
  'equivocate',
  'equivocate',
  'stale-parent',
  'poison',
  'withhold',
  'impossible-parent',
  'silence',
];

export class Conflicter extends Adversary<Deed | 'X and F' | 'replay' | 'forgery'> {
  readonly #voted = new Set<string>();

  protected override onProposal(proposal: Proposal): void {
    this.#supportAll(proposal);
  }

  protected override onCertificate(subject: Subject, message: Message): void {
    const next = subjectView(subject) + 1;
    const { random } = this;
    if (next > this.view && random.chance(0.5)) this.#spoil(next, 0.7);
    if (random.chance(0.05)) {
      this.did('replay');
      this.tell(this.seats[0]!, this.others(), message);
    }
    if (random.chance(0.05)) {
      this.did('forgery');
      const bytes = this.forgery({ kind: NULLIFY, epoch: 0, view: next + random.int(0, 2) });
      this.send(this.seats[0]!, this.someone(), { kind: 'certificate', bytes });
    }
  }

  protected override onBodyRequest(payload: Bytes, from: Endpoint, seat: Seat): void {
    if (this.random.chance(0.5)) super.onBodyRequest(payload, from, seat);
  }

  protected override lead(view: number, seat: Seat): void {
    const deed = DEEDS.find((known) => known === this.options.specialty) ?? this.random.pick(DEEDS);
    // A stale parent has its best chance before its sibling is final.
    this.later(deed === 'stale-parent' ? 0 : this.random.int(0, 250), () => this.#propose(view, seat, deed));
  }

  #propose(view: number, seat: Seat, deed: Deed): void {
    const { random } = this;
    this.did(deed);
    if (deed === 'silence') return;
    const known = this.notarizedBelow(view, 3);
    const newest = known[0]!;
    const parent = deed === 'stale-parent' ? random.pick([...known.slice(1), ...known.slice(-1)]) : newest;
    const first = this.draft(view, seat, parent, { poisoned: deed === 'poison' });
    const second = deed === 'equivocate' ? this.draft(view, seat, random.pick(known.slice(0, 2))) : first;
    const parentView = deed === 'impossible-parent' ? view + random.int(0, 3) : undefined;
    for (const to of this.others()) {
      const { proposal, body } = random.chance(0.5) ? first : second;
      const named = parentView === undefined ? proposal : { ...proposal, parentView };
      this.propose(seat, { proposal: named, body }, [to], deed !== 'withhold');
    }
    for (const { proposal } of new Set([first, second])) this.#supportAll(proposal);
  }

  /** N, F and sometimes X for one proposal, to a random part of the others. */
  #supportAll(proposal: Proposal): void {
    this.#vote({ kind: NOTARIZE, proposal }, 0.8);
    this.#vote({ kind: FINALIZE, proposal }, 0.8);
    if (this.random.chance(0.5) && this.#spoil(proposal.view, 0.5)) this.did('X and F');
  }

  /** X, except in a view of its own, which it has better uses for. */
  #spoil(view: number, reach: number): boolean {
    return this.leads(view) === undefined && this.#vote({ kind: NULLIFY, epoch: 0, view }, reach);
  }

  /** False if it gave that vote before. */
  #vote(subject: Subject, reach: number): boolean {
    const id = `${subject.kind}/${subjectView(subject)}/${subjectKey(subject)}`;
    if (this.#voted.has(id)) return false;
    this.#voted.add(id);
    for (const seat of this.seats) {
      const message: Message = { kind: 'vote', bytes: seat.vote(subject) };
      this.tell(
        seat,
        this.others().filter(() => this.random.chance(reach)),
        message,
      );
    }
    return true;
  }
}
