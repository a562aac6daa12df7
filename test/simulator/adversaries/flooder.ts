/**
 * Sends more than anybody needs: dozens of different votes of its own for one view, the same vote over and over,
 * as leader many proposals with their blocks, queries, and bodies that nobody asked for. One victim at a time
 * gets all of it, since a bound that holds for one holds for all.
 */
import { FINALIZE, NOTARIZE, NULLIFY, type Proposal, type VoteKind } from '../../../src/consensus/types.ts';
import type { Message } from '../network.ts';
import { Adversary, queryMessage, type Seat } from './base.ts';

const DIFFERENT = 24;
const SAME = 8;

export class Flooder extends Adversary<
  'different votes' | 'the same vote' | 'many proposals' | 'many queries' | 'bodies unasked'
> {
  protected override onProposal(proposal: Proposal, message: Message): void {
    super.onProposal(proposal, message);
    const { random } = this;
    const seat = random.pick(this.seats);
    const victim = this.someone();
    if (random.chance(0.5)) {
      this.did('different votes', DIFFERENT);
      for (let i = 0; i < DIFFERENT; i++) {
        const invented: Proposal = { ...proposal, payload: random.bytes(32) };
        const kind = random.pick([NOTARIZE, FINALIZE] as const);
        this.send(seat, victim, { kind: 'vote', bytes: seat.vote({ kind, proposal: invented }) });
      }
    } else {
      this.did('the same vote', SAME);
      const { epoch, view } = proposal;
      const bytes = seat.vote({ kind: NULLIFY, epoch, view: view + random.int(0, 1) });
      for (let i = 0; i < SAME; i++) this.send(seat, victim, { kind: 'vote', bytes });
    }
  }

  protected override onView(view: number): void {
    const { random } = this;
    const seat = random.pick(this.seats);
    const victim = this.someone();
    if (random.chance(0.5)) {
      this.did('many queries', SAME);
      for (let i = 0; i < SAME; i++) {
        this.send(seat, victim, queryMessage(random.int(1, 3) as VoteKind, Math.max(1, view - i)));
      }
    }
    if (!random.chance(0.3)) return;
    this.did('bodies unasked', SAME);
    for (let i = 0; i < SAME; i++) this.send(seat, victim, { kind: 'body', bytes: random.bytes(64) });
  }

  protected override lead(view: number, seat: Seat): void {
    const victim = this.someone();
    super.lead(view, seat);
    this.later(this.random.int(0, 2 * this.options.timing.blockInterval), () => {
      this.did('many proposals', SAME);
      for (let i = 0; i < SAME; i++) this.propose(seat, this.draft(view, seat), [victim]);
    });
  }
}
