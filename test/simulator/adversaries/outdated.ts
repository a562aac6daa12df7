/**
 * Lives in the past: it sends old votes of its own, old certificates, old proposals and old bodies once more,
 * to machines that may have finalised past them, restarted since, or never heard them. All of it was true once.
 */
import { FINALIZE, NOTARIZE, type Proposal, type Subject } from '../../../src/consensus/types.ts';
import type { Endpoint, Message } from '../network.ts';
import { Adversary, type Seat } from './base.ts';

const MEMORY = 256;
const BURST = 24;

type Deed = 'old votes' | 'old certificates' | 'old proposals' | 'old body';

export class Outdated extends Adversary<Deed> {
  readonly #votes: Subject[] = [];
  readonly #certificates: Message[] = [];
  readonly #proposals: Message[] = [];

  protected override onProposal(proposal: Proposal, message: Message): void {
    super.onProposal(proposal, message);
    keep(this.#proposals, message);
    keep(this.#votes, { kind: NOTARIZE, proposal });
  }

  protected override onCertificate(subject: Subject, message: Message): void {
    super.onCertificate(subject, message);
    keep(this.#certificates, message);
    if (subject.kind === NOTARIZE) keep(this.#votes, { ...subject, kind: FINALIZE });
  }

  protected override onView(view: number): void {
    const { random } = this;
    const seat = random.pick(this.seats);
    const victim = this.someone();
    switch (random.int(0, 3)) {
      case 0:
        this.#replay('old votes', this.#votes, seat, victim, (subject) => ({
          kind: 'vote',
          bytes: seat.vote(subject),
        }));
        break;
      case 1:
        this.#replay('old certificates', this.#certificates, seat, victim, (message) => message);
        break;
      case 2:
        this.#replay('old proposals', this.#proposals, seat, victim, (message) => message);
        break;
      default: {
        const body = this.bodyOf(this.notarizedBelow(view, 8).pop()!.payload);
        if (body === undefined) return;
        this.did('old body');
        this.send(seat, victim, { kind: 'body', bytes: body });
      }
    }
  }

  #replay<T>(
    deed: Deed,
    past: readonly T[],
    seat: Seat,
    victim: Endpoint,
    encode: (item: T) => Message,
  ): void {
    const start = this.random.int(0, Math.max(0, past.length - BURST));
    const chosen = past.slice(start, start + BURST);
    this.did(deed, chosen.length);
    for (const item of chosen) this.send(seat, victim, encode(item));
  }
}

/** The newest of them. */
function keep<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > MEMORY) list.shift();
}
