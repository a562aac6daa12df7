/**
 * Speaks in the name of others: votes that it made up or overheard, over a stream that is not their signer's;
 * proposals with a forged signature of the view's leader, or its own genuine ones in a view that it does not
 * lead; and votes under its own name whose signature is noise. Nobody's key signs any of it but its own.
 */

import { leaderOf } from '../../../src/consensus/leader.ts';
import { FINALIZE, NOTARIZE, NULLIFY, type Proposal, type Subject } from '../../../src/consensus/types.ts';
import { encodeVote } from '../../../src/consensus/vote.ts';
import type { Message } from '../network.ts';
import { Adversary } from './base.ts';

export class Impersonator extends Adversary<
  | 'forged vote of another'
  | 'overheard vote'
  | 'broken signature'
  | 'forged proposal'
  | 'proposal out of turn'
  | 'X as a proposal'
> {
  #overheard: Message | undefined;

  protected override onVote(message: Message): void {
    this.#overheard = message;
  }

  protected override onProposal(proposal: Proposal, message: Message): void {
    super.onProposal(proposal, message);
    const { random, seats } = this;
    const seat = random.pick(seats);
    const subjects: readonly Subject[] = [
      { kind: NOTARIZE, proposal: { ...proposal, payload: random.bytes(32) } },
      { kind: FINALIZE, proposal },
      { kind: NULLIFY, epoch: proposal.epoch, view: proposal.view },
    ];
    // In the names of all the others at once: a quorum, if it were believed.
    const subject = random.pick(subjects);
    const victims = this.others().filter(({ index }) => index < this.options.set.validators.length);
    this.did('forged vote of another', victims.length);
    for (const { index } of victims) {
      const bytes = encodeVote({ subject, signer: index, signature: random.bytes(64) });
      this.tell(seat, this.others(), { kind: 'vote', bytes });
    }
    if (this.#overheard !== undefined) {
      this.did('overheard vote');
      this.tell(seat, this.others(), this.#overheard);
    }
  }

  protected override onView(view: number): void {
    const { random, seats } = this;
    const seat = random.pick(seats);
    const { set } = this.options;
    const leader = leaderOf(set, view);
    // Its own name, and no signature: before the genuine vote, so that this one is the first of its kind.
    if (random.chance(0.5)) {
      this.did('broken signature');
      const subject: Subject = { kind: NULLIFY, epoch: set.epoch, view };
      const bytes = encodeVote({ subject, signer: seat.index, signature: random.bytes(64) });
      this.tell(seat, this.others(), { kind: 'vote', bytes });
    }
    if (this.leads(view) !== undefined) return;
    const { proposal, body } = this.draft(view, seat);
    const forged = random.chance(0.5);
    this.did(forged ? 'forged proposal' : 'proposal out of turn');
    const subject: Subject = { kind: NOTARIZE, proposal };
    const bytes = forged
      ? encodeVote({ subject, signer: leader, signature: random.bytes(64) })
      : seat.vote(subject);
    this.tell(seat, this.others(), { kind: 'proposal', bytes, body });
    if (!random.chance(0.3)) return;
    this.did('X as a proposal');
    const nullify = seat.vote({ kind: NULLIFY, epoch: set.epoch, view });
    this.tell(seat, this.others(), { kind: 'proposal', bytes: nullify });
  }
}
