/**
 * As leader it builds on an older certified block than the newest, at once, before the newest is final, and
 * supports its fork with N and F of all its stake. To the block that it leaves out it gives nothing more than
 * the N that made its view begin.
 */
import { NOTARIZE, type Proposal, type Subject } from '../../../src/consensus/types.ts';
import { Adversary, type Seat } from './base.ts';

export class StaleParent extends Adversary<'a parent that is not the newest' | 'genesis as the parent'> {
  protected override lead(view: number, seat: Seat): void {
    const older = this.notarizedBelow(view, 4).slice(1);
    const first = this.random.chance(0.6);
    const parent = first ? older[0] : older[older.length - 1];
    if (parent === undefined) return;
    this.did(parent.view === 0 ? 'genesis as the parent' : 'a parent that is not the newest');
    const draft = this.draft(view, seat, parent);
    this.propose(seat, draft, this.others());
    this.support(draft.proposal, this.others());
  }

  protected override onProposal(proposal: Proposal): void {
    this.cast({ kind: NOTARIZE, proposal }, this.others());
  }

  protected override onCertificate(subject: Subject): void {
    if (subject.kind !== NOTARIZE || this.leads(subject.proposal.view + 1) !== undefined) return;
    this.support(subject.proposal, this.others());
  }
}
