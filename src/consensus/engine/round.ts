/**
 * What is known of one view: the proposal, the votes by kind and signer with their running stake, the
 * certificates, the verdict, and which own votes were given. Memory is bounded by three votes a validator.
 */

import type { Bytes } from '../../codec/bytes.ts';
import { assembleCertificate } from '../certificate.ts';
import {
  type Certificate,
  FINALIZE,
  NOTARIZE,
  NULLIFY,
  type Proposal,
  type ValidatorSet,
  type Vote,
  type VoteKind,
} from '../types.ts';
import { hasQuorum } from '../validator-set.ts';
import { sameSubject, subjectKey } from '../vote.ts';

export type TaskState = 'idle' | 'running' | 'done';

export class Round {
  readonly view: number;
  readonly leader: number;
  /** The leader's proposal, or the one that the N certificate names. */
  proposal: Proposal | undefined;
  /** When the proposal was first heard of, on the replica's clock. */
  noticedAt: number | undefined;
  /** The leader signed two proposals. */
  equivocated = false;
  verdict: boolean | undefined;
  verifying: TaskState = 'idle';
  certifying: TaskState = 'idle';
  building: TaskState = 'idle';
  /** Own votes asked of the signer, whether or not they are durable yet. */
  readonly own: { [NOTARIZE]: boolean; [NULLIFY]: boolean; [FINALIZE]: boolean } = {
    [NOTARIZE]: false,
    [NULLIFY]: false,
    [FINALIZE]: false,
  };
  readonly #certificates = new Map<VoteKind, Certificate>();
  readonly #votes = new Map<VoteKind, Map<number, Vote>>();
  readonly #stakes = new Map<string, bigint>();
  readonly #reported = new Set<number>();

  constructor(view: number, leader: number) {
    this.view = view;
    this.leader = leader;
  }

  certificate(kind: VoteKind): Certificate | undefined {
    return this.#certificates.get(kind);
  }

  setCertificate(certificate: Certificate): void {
    this.#certificates.set(certificate.subject.kind, certificate);
  }

  certificates(): Certificate[] {
    return [...this.#certificates.values()];
  }

  vote(kind: VoteKind, signer: number): Vote | undefined {
    return this.#votes.get(kind)?.get(signer);
  }

  /** A verified vote of `signer` that an honest key would not have given beside `vote`. */
  conflicting(vote: Vote): Vote | undefined {
    const { kind } = vote.subject;
    const same = this.vote(kind, vote.signer);
    if (same !== undefined && !sameSubject(same.subject, vote.subject)) return same;
    if (kind === NULLIFY) return this.vote(FINALIZE, vote.signer);
    if (kind === FINALIZE) return this.vote(NULLIFY, vote.signer);
    return undefined;
  }

  /** True the first time that a signer's misbehaviour in this view is to be told. */
  reportOnce(signer: number): boolean {
    if (this.#reported.has(signer)) return false;
    this.#reported.add(signer);
    return true;
  }

  hasReported(signer: number): boolean {
    return this.#reported.has(signer);
  }

  /** Counts a verified vote; the first of its kind and signer stands. */
  count(vote: Vote, set: ValidatorSet): void {
    const { kind } = vote.subject;
    const votes = this.#votes.get(kind) ?? new Map<number, Vote>();
    if (votes.has(vote.signer)) return;
    this.#votes.set(kind, votes.set(vote.signer, vote));
    const key = `${kind}${subjectKey(vote.subject)}`;
    this.#stakes.set(key, (this.#stakes.get(key) ?? 0n) + set.validators[vote.signer]!.stake);
  }

  /** The signature of a verified vote on the subject of `certificate`, if it is here. */
  knownSignature(certificate: Certificate, signer: number): Bytes | undefined {
    const vote = this.vote(certificate.subject.kind, signer);
    return vote !== undefined && sameSubject(vote.subject, certificate.subject) ? vote.signature : undefined;
  }

  /** A certificate from the votes counted for the subject of `vote`, once they have quorum. */
  assemble(vote: Vote, set: ValidatorSet): Certificate | undefined {
    const { subject } = vote;
    const stake = this.#stakes.get(`${subject.kind}${subjectKey(subject)}`) ?? 0n;
    if (!hasQuorum(stake, set.totalStake)) return undefined;
    const signatures = new Map<number, Bytes>();
    for (const held of this.#votes.get(subject.kind)?.values() ?? []) {
      if (sameSubject(held.subject, subject)) signatures.set(held.signer, held.signature);
    }
    return assembleCertificate(subject, signatures, set);
  }
}

/** The rounds from the finalised floor up, and the questions that span several of them. */
export class RoundTable {
  readonly #rounds = new Map<number, Round>();
  readonly #leaderOf: (view: number) => number;
  /** The highest finalised proposal; the genesis block has view 0. */
  floor: Proposal;

  constructor(floor: Proposal, leaderOf: (view: number) => number) {
    this.floor = floor;
    this.#leaderOf = leaderOf;
  }

  get size(): number {
    return this.#rounds.size;
  }

  at(view: number): Round {
    let round = this.#rounds.get(view);
    if (round === undefined) {
      round = new Round(view, this.#leaderOf(view));
      this.#rounds.set(view, round);
    }
    return round;
  }

  peek(view: number): Round | undefined {
    return this.#rounds.get(view);
  }

  certificate(kind: VoteKind, view: number): Certificate | undefined {
    return this.#rounds.get(view)?.certificate(kind);
  }

  /** Rounds with views in `from … to`, ascending. */
  between(from: number, to: number): Round[] {
    return [...this.#rounds.values()]
      .filter(({ view }) => view >= from && view <= to)
      .sort((a, b) => a.view - b.view);
  }

  /** The block certified in `view`: final, or notarized and executed. Undefined below the floor. */
  certified(view: number): Proposal | undefined {
    if (view === this.floor.view) return this.floor;
    if (view < this.floor.view) return undefined;
    const round = this.#rounds.get(view);
    return round?.verdict === true ? this.notarized(view) : undefined;
  }

  /** The block notarized in `view`, whether or not it was executed. */
  notarized(view: number): Proposal | undefined {
    const subject = this.certificate(NOTARIZE, view)?.subject;
    return subject?.kind === NOTARIZE ? subject.proposal : undefined;
  }

  /** max{u < view : certified(u)} */
  highestCertifiedBelow(view: number): number {
    for (let u = view - 1; u > this.floor.view; u--) if (this.certified(u) !== undefined) return u;
    return this.floor.view;
  }

  /** The views u with parentView < u < view of which no nullification is known; at most `limit`, ascending. */
  gaps(parentView: number, view: number, limit: number): number[] {
    const out: number[] = [];
    for (let u = parentView + 1; u < view && out.length < limit; u++) {
      if (this.certificate(NULLIFY, u) === undefined) out.push(u);
    }
    return out;
  }

  /** Forgets everything below the floor. */
  prune(): void {
    for (const view of this.#rounds.keys()) if (view < this.floor.view) this.#rounds.delete(view);
  }
}
