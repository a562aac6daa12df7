/**
 * What the replica under test was told and what it has said, kept by the trial: the same facts that the state
 * machine holds, gathered from its inputs and outputs alone and judged with arithmetic of the trial's own.
 */
import type { Certificate, Proposal, Subject, Vote } from '../../../../../src/consensus/types.ts';
import type { Plan } from './plan.ts';

type Kind = 1 | 2 | 3;

export const viewOf = (subject: Subject): number =>
  'proposal' in subject ? subject.proposal.view : subject.view;

export const idOf = (subject: Subject): string =>
  'proposal' in subject ? proposalId(subject.proposal) : `${subject.view}`;

export const proposalId = ({ view, parentView, payload }: Proposal): string =>
  `${view}/${parentView}/${Buffer.from(payload).toString('hex')}`;

export class Facts {
  readonly #plan: Plan;
  /** `kind/view` → the certificate. */
  readonly certificates = new Map<string, Certificate>();
  readonly verdicts = new Map<number, boolean>();
  /** `kind/view` → own vote. */
  readonly own = new Map<string, Vote>();
  /** Leaders' proposals by view, as they were heard of. */
  readonly proposals = new Map<number, Proposal[]>();
  readonly leaderNullified = new Set<number>();
  /** `kind/id` → signers whose votes were taken; the first vote of a kind, signer and view counts. */
  readonly #tallies = new Map<string, Set<number>>();
  readonly #first = new Map<string, string>();
  readonly certifying = new Set<number>();
  floor: Proposal;
  /** What the application's database holds. */
  durable: Proposal;
  view = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.floor = plan.genesis;
    this.durable = plan.genesis;
  }

  holds(kind: Kind, view: number): Certificate | undefined {
    return this.certificates.get(`${kind}/${view}`);
  }

  notarized(view: number): Proposal | undefined {
    const subject = this.holds(1, view)?.subject;
    return subject !== undefined && 'proposal' in subject ? subject.proposal : undefined;
  }

  certified(view: number): Proposal | undefined {
    if (view === this.floor.view) return this.floor;
    return view > this.floor.view && this.verdicts.get(view) === true ? this.notarized(view) : undefined;
  }

  highestCertifiedBelow(view: number): number {
    for (let u = view - 1; u > this.floor.view; u--) if (this.certified(u) !== undefined) return u;
    return this.floor.view;
  }

  /** The first view between the two of which no nullification is held. */
  gap(parent: number, view: number): number | undefined {
    for (let u = parent + 1; u < view; u++) if (this.holds(2, u) === undefined) return u;
    return undefined;
  }

  hasGiven(kind: Kind, view: number): boolean {
    return this.own.has(`${kind}/${view}`);
  }

  equivocated(view: number): boolean {
    const [first, ...others] = (this.proposals.get(view) ?? []).map(proposalId);
    return others.some((other) => other !== first);
  }

  propose(proposal: Proposal): void {
    const held = this.proposals.get(proposal.view) ?? [];
    if (!held.some((other) => proposalId(other) === proposalId(proposal))) held.push(proposal);
    this.proposals.set(proposal.view, held);
  }

  take(certificate: Certificate): void {
    const { subject } = certificate;
    this.certificates.set(`${subject.kind}/${viewOf(subject)}`, certificate);
    if (subject.kind === 1) this.propose(subject.proposal);
  }

  /** Counts a vote; true when its subject has more than two thirds of the stake by now. */
  tally(vote: Vote): boolean {
    const key = `${vote.subject.kind}/${idOf(vote.subject)}`;
    const slot = `${vote.subject.kind}/${viewOf(vote.subject)}/${vote.signer}`;
    if ((this.#first.get(slot) ?? key) !== key) return false;
    this.#first.set(slot, key);
    const signers = this.#tallies.get(key) ?? new Set<number>();
    this.#tallies.set(key, signers.add(vote.signer));
    const { validators, totalStake } = this.#plan.set;
    let stake = 0n;
    for (const signer of signers) stake += validators[signer]!.stake;
    return stake > (totalStake * 2n) / 3n;
  }

  /** The highest view that the certificates lead to. */
  expectedView(): number {
    let view = this.floor.view + 1;
    for (const { subject } of this.certificates.values()) {
      const at = viewOf(subject);
      const passed = subject.kind !== 1 || this.verdicts.get(at) === true;
      if (at > this.floor.view) view = Math.max(view, passed ? at + 1 : at);
    }
    return view;
  }

  /** A crash: what was only heard is gone, what was journaled is not. */
  restart(): void {
    this.#tallies.clear();
    this.#first.clear();
    this.leaderNullified.clear();
    this.certifying.clear();
    this.proposals.clear();
    this.view = 0;
    for (const { subject } of this.certificates.values())
      if (subject.kind === 1) this.propose(subject.proposal);
    for (const { subject } of this.own.values()) if (subject.kind === 1) this.propose(subject.proposal);
  }
}
