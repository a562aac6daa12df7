/**
 * Gives both votes that exclude each other, X and F, in every view: X to some, F to others, both to a few. In a
 * view of its own the X comes along with a sound proposal, so that some honest validators give up on a block
 * that the others finalise.
 */
import { FINALIZE, NOTARIZE, NULLIFY, type Proposal } from '../../../src/consensus/types.ts';
import type { Endpoint } from '../network.ts';
import { Adversary, type Seat } from './base.ts';

export class Nuller extends Adversary<'X and F' | 'a proposal and its X'> {
  protected override lead(view: number, seat: Seat): void {
    const draft = this.draft(view, seat);
    const [most, rest] = this.random.chance(0.5) ? this.enough() : this.halves();
    this.later(this.random.int(0, this.options.timing.blockInterval), () => {
      this.did('a proposal and its X');
      this.propose(seat, draft, this.others());
      this.#both(draft.proposal, most, rest);
    });
  }

  protected override onProposal(proposal: Proposal): void {
    const [one, other] = this.halves();
    this.#both(proposal, one, other);
  }

  protected override onCertificate(): void {}

  #both(proposal: Proposal, one: readonly Endpoint[], other: readonly Endpoint[]): void {
    const { epoch, view } = proposal;
    this.did('X and F');
    this.cast({ kind: NOTARIZE, proposal }, this.others());
    this.cast({ kind: FINALIZE, proposal }, one);
    this.cast({ kind: NULLIFY, epoch, view }, other);
    if (this.random.chance(0.3)) {
      this.cast({ kind: NULLIFY, epoch, view }, one);
      this.cast({ kind: FINALIZE, proposal }, other);
    }
  }
}
