/**
 * Votes, proposes and makes certificates in epochs that are not the running one: the next, a far one, and
 * signatures of the next epoch under the number of this one. All its keys sign genuinely; only the time is wrong.
 */
import { FINALIZE, NOTARIZE, NULLIFY, type Proposal, type Subject } from '../../../src/consensus/types.ts';
import { encodeVote } from '../../../src/consensus/vote.ts';
import { Adversary, type Seat } from './base.ts';

const FAR = Number.MAX_SAFE_INTEGER;

export class WrongEpoch extends Adversary<
  | 'vote of another epoch'
  | 'proposal of another epoch'
  | 'certificate of another epoch'
  | 'signature of another epoch'
> {
  protected override onView(view: number): void {
    const epoch = this.#another();
    this.did('vote of another epoch');
    this.cast({ kind: NULLIFY, epoch, view }, this.others());
    if (!this.random.chance(0.2)) return;
    this.did('certificate of another epoch');
    const bytes = this.forgery({ kind: NULLIFY, epoch, view });
    this.send(this.seats[0]!, this.someone(), { kind: 'certificate', bytes });
  }

  protected override onProposal(proposal: Proposal): void {
    const { random } = this;
    const elsewhere: Proposal = { ...proposal, epoch: this.#another() };
    this.did('vote of another epoch', 2);
    this.cast({ kind: NOTARIZE, proposal: elsewhere }, this.others());
    this.cast({ kind: FINALIZE, proposal: elsewhere }, this.others());
    if (!random.chance(0.3)) {
      super.onProposal(proposal, { kind: 'proposal', bytes: new Uint8Array(0) });
      return;
    }
    // Signed in the next epoch, told in this one.
    this.did('signature of another epoch');
    const seat = random.pick(this.seats);
    const told: Subject = { kind: NOTARIZE, proposal };
    const signature = seat.sign({ kind: NOTARIZE, proposal: { ...proposal, epoch: proposal.epoch + 1 } });
    const bytes = encodeVote({ subject: told, signer: seat.index, signature });
    this.tell(seat, this.others(), { kind: 'vote', bytes });
  }

  protected override lead(view: number, seat: Seat): void {
    const { proposal, body } = this.draft(view, seat);
    const elsewhere = { proposal: { ...proposal, epoch: this.#another() }, body };
    this.did('proposal of another epoch');
    this.propose(seat, elsewhere, this.others());
    this.support(elsewhere.proposal, this.others());
    if (this.random.chance(0.5)) this.propose(seat, { proposal, body }, this.others());
  }

  #another(): number {
    return this.random.chance(0.8) ? this.options.set.epoch + 1 : FAR;
  }
}
