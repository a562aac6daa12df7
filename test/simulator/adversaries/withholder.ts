/**
 * Proposes sound blocks and keeps their bodies back: from all, from all but one, from all but just enough for
 * an N certificate together with its own votes, or until everybody has lost patience. It votes for blocks of
 * others and never serves a body, so nobody can count on more than the honest for what is notarized.
 */
import { Adversary, type Seat } from './base.ts';

const DEEDS = ['body to nobody', 'body to one', 'body to just enough', 'body too late'] as const;
type Deed = (typeof DEEDS)[number];

export class Withholder extends Adversary<Deed | 'body not served'> {
  protected override onBodyRequest(): void {
    this.did('body not served');
  }

  protected override lead(view: number, seat: Seat): void {
    const { random } = this;
    const { blockInterval, delta, executionBudget } = this.options.timing;
    const deed = random.pick(DEEDS);
    const draft = this.draft(view, seat);
    const [enough] = this.enough();
    this.later(random.int(0, blockInterval), () => {
      this.did(deed);
      const few = deed === 'body to just enough' ? enough : deed === 'body to one' ? enough.slice(0, 1) : [];
      this.propose(seat, draft, few);
      this.propose(
        seat,
        draft,
        this.others().filter((other) => !few.includes(other)),
        false,
      );
      this.support(draft.proposal, this.others());
    });
    if (deed !== 'body too late') return;
    this.later(blockInterval + 3 * delta + executionBudget + random.int(-40, 200), () =>
      this.tell(seat, this.others(), { kind: 'body', bytes: draft.body }),
    );
  }
}
