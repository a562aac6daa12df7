/**
 * Knows when honest machines lose patience and aims at that moment. Its proposals reach some just before T_L and
 * others just after; its N comes just before or after T_A, when those who gave X and those who did not are split;
 * then its F and its X, to different machines at different times. It breaks no rule but that of X and F.
 */
import { Pacing } from '../../../src/consensus/engine/pacing.ts';
import { FINALIZE, NOTARIZE, NULLIFY, type Proposal, type Subject } from '../../../src/consensus/types.ts';
import { Adversary, type AdversaryOptions, type Seat } from './base.ts';

/** How far from a deadline, in milliseconds. */
const AIM = 25;

export class LateSender extends Adversary<
  'proposal around T_L' | 'N around T_A' | 'F after T_A' | 'X around T_A'
> {
  readonly #pacing: Pacing;

  constructor(options: AdversaryOptions) {
    super(options);
    this.#pacing = new Pacing(options.timing, () => 0.5);
  }

  protected override lead(view: number, seat: Seat): void {
    const [proposeAt, patience] = this.#deadlines(view);
    const draft = this.draft(view, seat);
    this.did('proposal around T_L');
    for (const to of this.others()) {
      this.#near(proposeAt, () => this.propose(seat, draft, [to]));
    }
    this.#votes(draft.proposal, patience);
  }

  protected override onProposal(proposal: Proposal): void {
    // Every other time, lest everybody gets used to doing without it.
    if (this.random.chance(0.5)) super.onProposal(proposal, { kind: 'proposal', bytes: new Uint8Array(0) });
    else this.#votes(proposal, this.#deadlines(proposal.view)[1]);
  }

  protected override onCertificate(): void {}

  #votes(proposal: Proposal, patience: number): void {
    const { epoch, view } = proposal;
    const [some, rest] = this.halves();
    this.did('N around T_A');
    for (const to of this.others()) this.#castNear(patience, { kind: NOTARIZE, proposal }, [to]);
    this.did('F after T_A');
    this.#castNear(patience + 2 * AIM, { kind: FINALIZE, proposal }, some);
    if (this.random.chance(0.3)) return;
    this.did('X around T_A');
    this.#castNear(patience, { kind: NULLIFY, epoch, view }, rest);
  }

  #castNear(at: number, subject: Subject, to: Parameters<LateSender['cast']>[1]): void {
    this.#near(at, () => this.cast(subject, to));
  }

  #near(at: number, act: () => void): void {
    this.later(at - this.options.scheduler.now() + this.random.int(-AIM, AIM), act);
  }

  /** T_L and T_A of the view that has just begun, as times. */
  #deadlines(view: number): [number, number] {
    return [
      this.enteredAt + this.#pacing.leaderTimeout(view, this.finalView),
      this.enteredAt + this.#pacing.advanceTimeout(view, this.finalView),
    ];
  }
}
