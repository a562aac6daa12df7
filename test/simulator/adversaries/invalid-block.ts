/**
 * Proposes blocks that break a rule and votes for them with all its stake. Some can be seen through before N
 * (the block names another place, parent or proposer than its proposal, or is no block at all; its parent is not
 * below it, or is final history), some only by executing them (they fail, or stand at the wrong height).
 */
import type { Block } from '../app.ts';
import { Adversary, type Draft, type Seat } from './base.ts';

const DEEDS = [
  'fails in execution',
  'wrong height',
  'another parent in the block',
  'another view in the block',
  'another proposer in the block',
  'no block at all',
  'an old block again',
  'parent ahead of the view',
  'parent below the final block',
] as const;
type Deed = (typeof DEEDS)[number];

export class InvalidBlock extends Adversary<Deed> {
  protected override lead(view: number, seat: Seat): void {
    const { random } = this;
    const deed = DEEDS.find((known) => known === this.options.specialty) ?? random.pick(DEEDS);
    const draft = this.#flawed(deed, view, seat);
    this.later(random.int(0, this.options.timing.blockInterval), () => {
      this.did(deed);
      this.propose(seat, draft, this.others());
      this.support(draft.proposal, this.others());
    });
  }

  #flawed(deed: Deed, view: number, seat: Seat): Draft {
    const { random } = this;
    const with_ = (flaws: Partial<Block>): Draft => this.draft(view, seat, undefined, flaws);
    const sound = this.draft(view, seat);
    const [newest, ...older] = this.notarizedBelow(view, 6);
    switch (deed) {
      case 'fails in execution':
        return with_({ poisoned: true });
      case 'wrong height':
        return with_({ height: random.pick([0, 1, view + 1_000, 2 ** 50]) });
      case 'another parent in the block':
        return with_({ parentPayload: random.pick([random.bytes(32), (older[0] ?? newest!).payload]) });
      case 'another view in the block':
        return with_(random.chance(0.5) ? { view: view + 1 } : { parentView: Math.max(0, view - 2) });
      case 'another proposer in the block':
        return with_({ proposer: (seat.index + 1) % this.options.set.validators.length });
      case 'no block at all':
        return this.draftOf(random.bytes(random.int(0, 90)), view, newest!.view);
      case 'an old block again': {
        const body = this.bodyOf(newest!.payload);
        return body === undefined ? with_({ poisoned: true }) : this.draftOf(body, view, newest!.view);
      }
      case 'parent ahead of the view': {
        const parentView = view + random.int(0, 3);
        return { ...sound, proposal: { ...sound.proposal, parentView } };
      }
      case 'parent below the final block':
        return this.draft(view, seat, this.notarizedBelow(Math.max(1, this.finalView), 2).pop());
    }
  }
}
