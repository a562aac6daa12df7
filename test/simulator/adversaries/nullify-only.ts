/**
 * Wants no view to succeed: X in every view as soon as it begins and for the next one too, never N or F, and
 * never a proposal. An honest validator gives up only for a reason of its own, or for the leader's X.
 */
import { NULLIFY } from '../../../src/consensus/types.ts';
import { Adversary } from './base.ts';

export class NullifyOnly extends Adversary<'X at once' | 'X ahead of its view' | 'X of its own view'> {
  protected override onView(view: number): void {
    const { epoch } = this.options.set;
    this.did('X at once');
    this.cast({ kind: NULLIFY, epoch, view }, this.others());
    if (!this.random.chance(0.5)) return;
    this.did('X ahead of its view');
    this.cast({ kind: NULLIFY, epoch, view: view + 1 }, this.others());
  }

  protected override lead(): void {
    this.did('X of its own view');
  }

  protected override onProposal(): void {}

  protected override onCertificate(): void {}
}
