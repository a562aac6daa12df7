/**
 * Lies to those who have fallen behind. Asked for a body it sends another one or noise, asked for a certificate
 * one of another view, a forged one or one with a broken signature, asked for its tip an old finalization or a
 * forged one of the far future, at times unasked. It votes in views far ahead and asks for views that will never be.
 */
import type { Bytes } from '../../../src/codec/bytes.ts';
import type { CertificateQuery } from '../../../src/consensus/events.ts';
import { FINALIZE, NOTARIZE, NULLIFY, type VoteKind } from '../../../src/consensus/types.ts';
import { MAX_VIEW } from '../../../src/consensus/vote.ts';
import type { Endpoint } from '../network.ts';
import { Adversary, queryMessage, type Seat } from './base.ts';

/** Far votes a view. */
const FLOOD = 8;

export class SyncLiar extends Adversary<
  'wrong body' | 'wrong certificate' | 'wrong tip' | 'far votes' | 'far certificate' | 'far queries'
> {
  protected override onView(view: number): void {
    const { random } = this;
    const seat = random.pick(this.seats);
    const victim = this.someone();
    const { epoch } = this.options.set;
    this.did('far votes', FLOOD);
    for (let i = 0; i < FLOOD; i++) {
      const far = view + random.pick([2, 3, 30, 300, 2 ** 31, 2 ** 40]) + i;
      const proposal = { epoch, view: far, parentView: far - 1, payload: random.bytes(32) };
      const kind = random.pick([NOTARIZE, FINALIZE] as const);
      const bytes = seat.vote(random.chance(0.5) ? { kind: NULLIFY, epoch, view: far } : { kind, proposal });
      this.send(seat, victim, { kind: 'vote', bytes });
    }
    if (random.chance(0.2)) {
      this.did('far certificate');
      this.send(seat, victim, { kind: 'certificate', bytes: this.#farFinalization(view) });
    }
    if (random.chance(0.2)) this.onTipRequest(victim, seat);
    if (!random.chance(0.3)) return;
    this.did('far queries', 3);
    for (const far of [0, view + 1_000, Number.MAX_SAFE_INTEGER]) {
      this.send(seat, victim, queryMessage(random.int(1, 3) as VoteKind, far));
    }
    this.send(seat, victim, { kind: 'body-request', bytes: random.bytes(random.int(0, 40)) });
    this.send(seat, victim, { kind: 'tip-request', bytes: new Uint8Array(0) });
  }

  protected override onBodyRequest(payload: Bytes, from: Endpoint, seat: Seat): void {
    const { random } = this;
    const [older] = this.notarizedBelow(this.view, 4).slice(-1);
    const other = this.bodyOf(older!.payload);
    this.did('wrong body');
    const bytes = other !== undefined && random.chance(0.5) ? other : random.bytes(random.int(0, 120));
    this.send(seat, from, { kind: 'body', bytes });
    // Now and then the truth, too late to be needed.
    if (random.chance(0.2)) this.later(300, () => super.onBodyRequest(payload, from, seat));
  }

  protected override onQuery({ kind, view }: CertificateQuery, from: Endpoint, seat: Seat): void {
    const { random } = this;
    const { epoch } = this.options.set;
    this.did('wrong certificate');
    const genuine = this.certificate(kind, view);
    const another = this.certificate(random.int(1, 3) as VoteKind, Math.max(1, view - random.int(1, 5)));
    const choice = random.int(0, 2);
    if (choice === 0 && genuine !== undefined) {
      const broken = genuine.slice();
      broken[broken.length - random.int(1, 64)]! ^= 1;
      this.send(seat, from, { kind: 'certificate', bytes: broken });
    } else if (choice === 1 && another !== undefined) {
      this.send(seat, from, { kind: 'certificate', bytes: another });
    } else {
      const bytes = this.forgery({ kind: NULLIFY, epoch, view: Math.max(1, Math.min(view, MAX_VIEW)) });
      this.send(seat, from, { kind: 'certificate', bytes });
    }
  }

  protected override onTipRequest(from: Endpoint, seat: Seat): void {
    const { random } = this;
    // Asked or not: who takes an answer has to check it in any case.
    this.did('wrong tip');
    const old = this.certificate(FINALIZE, random.int(1, Math.max(1, this.finalView)));
    const notFinal = this.certificate(NOTARIZE, this.view - 1);
    const lies = [old, notFinal, this.#farFinalization(this.view)].filter((lie) => lie !== undefined);
    this.send(seat, from, { kind: 'tip', bytes: random.pick(lies) });
  }

  #farFinalization(view: number): Bytes {
    const { epoch } = this.options.set;
    const far = view + this.random.int(1, 1_000);
    const proposal = { epoch, view: far, parentView: far - 1, payload: this.random.bytes(32) };
    return this.forgery({ kind: FINALIZE, proposal });
  }
}
