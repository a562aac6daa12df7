/**
 * Proposes two blocks in each view that it leads and votes for both: to each part of the others N and F for
 * the block that this part was shown. Either both parts are equal, or one gets just what it takes for a quorum,
 * so that the rest sees a certificate for a block that it has not heard of. In views of others it gives two N
 * and two F. Everybody is shown everything in the end.
 */
import { FINALIZE, NOTARIZE, type Proposal } from '../../../src/consensus/types.ts';
import { Adversary, type Seat } from './base.ts';

export class Equivocator extends Adversary<'two proposals' | 'one block on two parents' | 'two N' | 'two F'> {
  protected override lead(view: number, seat: Seat): void {
    const { random } = this;
    const [one, other] = random.chance(0.5) ? this.halves() : this.enough();
    const first = this.draft(view, seat);
    const older = this.notarizedBelow(view, 2).pop()!;
    const sameBlock = random.chance(0.2) && older.view !== first.proposal.parentView;
    const second = sameBlock
      ? { ...first, proposal: { ...first.proposal, parentView: older.view } }
      : this.draft(view, seat, random.chance(0.3) ? older : undefined);
    this.later(random.int(0, 60), () => {
      this.did(sameBlock ? 'one block on two parents' : 'two proposals');
      this.propose(seat, first, one);
      this.propose(seat, second, other);
      this.support(first.proposal, one);
      this.support(second.proposal, other);
    });
    this.later(random.int(60, 600), () => {
      this.propose(seat, second, one);
      this.propose(seat, first, other);
    });
  }

  protected override onProposal(proposal: Proposal): void {
    this.cast({ kind: NOTARIZE, proposal }, this.others());
    if (this.random.chance(0.7)) return;
    const [one, other] = this.halves();
    const invented: Proposal = { ...proposal, payload: this.random.bytes(32) };
    this.did('two N');
    this.cast({ kind: NOTARIZE, proposal: invented }, other);
    this.did('two F');
    this.cast({ kind: FINALIZE, proposal }, one);
    this.cast({ kind: FINALIZE, proposal: invented }, other);
  }
}
