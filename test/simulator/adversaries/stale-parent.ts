/**
 * As leader it builds on an older certified block than the newest, before the newest is final: mostly as soon as
 * it hears of the proposal that it will leave out, so that everybody has the fork when the view begins. It
 * supports the fork with N and F of all its stake and gives nothing to the block beside it.
 */
import { FINALIZE, NOTARIZE, type Proposal, type Subject } from '../../../src/consensus/types.ts';
import { Adversary, type Seat } from './base.ts';

export class StaleParent extends Adversary<
  'a parent that is not the newest' | 'genesis as the parent' | 'a fork ahead of its view'
> {
  #forkedIn = 0;

  protected override onProposal(proposal: Proposal): void {
    const next = proposal.view + 1;
    const seat = this.leads(next);
    if (seat === undefined || next <= this.#forkedIn) {
      this.cast({ kind: NOTARIZE, proposal }, this.others());
      return;
    }
    if (!this.random.chance(0.7)) return;
    this.did('a fork ahead of its view');
    this.#fork(next, seat, this.notarizedBelow(proposal.view, 1)[0]!);
  }

  protected override lead(view: number, seat: Seat): void {
    if (view <= this.#forkedIn) return;
    const older = this.notarizedBelow(view, 4).slice(1);
    const parent = this.random.chance(0.6) ? older[0] : older[older.length - 1];
    if (parent === undefined) return;
    this.did(parent.view === 0 ? 'genesis as the parent' : 'a parent that is not the newest');
    this.#fork(view, seat, parent);
  }

  protected override onCertificate(subject: Subject): void {
    if (subject.kind !== NOTARIZE || this.leads(subject.proposal.view + 1) !== undefined) return;
    this.cast({ ...subject, kind: FINALIZE }, this.others());
  }

  #fork(view: number, seat: Seat, parent: Proposal): void {
    this.#forkedIn = view;
    const draft = this.draft(view, seat, parent);
    this.propose(seat, draft, this.others());
    this.support(draft.proposal, this.others());
  }
}
