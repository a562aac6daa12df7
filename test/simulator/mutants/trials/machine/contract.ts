/**
 * What the state machine owes after every step, in the words of the protocol: which votes it may ask for, what has
 * to be in the journal before them, what it executes, passes on, fetches and sends again, how long it waits, and how
 * much it may hold and send.
 */
import type { Effect, EngineEvent, Judgement } from '../../../../../src/consensus/events.ts';
import type { Certificate, Proposal, Subject, Vote } from '../../../../../src/consensus/types.ts';
import { Facts, idOf, proposalId, viewOf } from './facts.ts';
import { type Plan, SELF } from './plan.ts';
import { must, SLACK, TIMING } from './terms.ts';
import { Traffic } from './traffic.ts';

const LEADER_TIMEOUT = TIMING.blockInterval + 2 * TIMING.delta;
const ADVANCE_TIMEOUT = TIMING.blockInterval + 3 * TIMING.delta + TIMING.executionBudget;

interface Step {
  /** Undefined for a start. */
  readonly event: EngineEvent | undefined;
  /** The event was forged by somebody who cannot sign it. */
  readonly forged: boolean;
  readonly effects: readonly Effect[];
  readonly judgement: Judgement | undefined;
  readonly now: number;
  readonly view: number;
  readonly floor: Proposal;
  readonly rounds: number;
}

export class Contract {
  readonly facts: Facts;
  readonly traffic = new Traffic();
  readonly #plan: Plan;
  #entered = { at: 0, floor: 0, by: 'start' };
  /** Proposals that were checked and found good, on the parent that stood then. */
  readonly #verified = new Set<string>();
  readonly #built = new Set<string>();
  readonly #bodies = new Set<string>();
  /** When X of a view left first, and last; when certificates left last. */
  readonly #nullifyBegun = new Map<number, number>();
  readonly #nullifySent = new Map<number, number>();
  readonly #certificateSent = new Map<string, number>();

  constructor(plan: Plan) {
    this.#plan = plan;
    this.facts = new Facts(plan);
  }

  check(step: Step): void {
    const { event, judgement, effects, now } = step;
    const { facts } = this;
    const floorBefore = facts.floor;
    const useful = judgement?.ok === true && judgement.useful;
    if (step.forged) must(!useful, 'nothing forged is taken', () => `${event?.type} was taken`);
    if (event !== undefined) this.#heard(event, useful);
    must(
      step.floor.view >= floorBefore.view,
      'the final floor never moves back',
      () => `from ${floorBefore.view} to ${step.floor.view}`,
    );
    for (const effect of effects) this.#effect(effect, step, floorBefore);
    facts.floor = step.floor;
    facts.view = step.view;
    if (event?.type === 'certificate' && useful) this.#relayed(event.certificate, step, floorBefore);
    if (event?.type === 'certified' && useful) this.#recorded(event, effects);
    if (event?.type === 'query') this.#answered(event, effects);
    if (event?.type === 'durable') this.#forgotten(event.view, step);
    this.#waited(step);
    if (useful || event === undefined) this.#duties(step);
    const { rounds, view, floor } = step;
    must(
      rounds <= view - floor.view + 3,
      'memory is bounded',
      () => `${rounds} views from ${floor.view} to ${view}`,
    );
    this.traffic.check(facts, view, this.#entered.at, now);
  }

  /** Own votes that a restart has to bring out again, and the view that it has to come to. */
  restarted(step: Step, votes: readonly Vote[]): void {
    const { facts } = this;
    must(
      step.view === facts.expectedView(),
      'recovery goes to the view that the certificates lead to',
      () => `view ${step.view} instead of ${facts.expectedView()}`,
    );
    const sent = step.effects.filter((effect) => effect.type === 'send-vote').map(({ vote }) => vote);
    for (const { subject } of votes) {
      const view = viewOf(subject);
      const due =
        view > step.floor.view && (subject.kind === 3 || (subject.kind === 2 && view === step.view));
      must(
        !due || sent.some((vote) => vote.subject.kind === subject.kind && viewOf(vote.subject) === view),
        'own votes are sent again after a restart',
        () => `kind ${subject.kind} of view ${view}`,
      );
    }
  }

  #heard(event: EngineEvent, useful: boolean): void {
    const { facts } = this;
    switch (event.type) {
      case 'vote':
      case 'proposal': {
        if (!useful) return;
        const { vote } = event;
        const view = viewOf(vote.subject);
        must(
          view <= facts.view + 1,
          'votes of far views are not held',
          () => `view ${view} in ${facts.view}`,
        );
        if (vote.subject.kind === 1 && vote.signer === this.#plan.leader(view))
          facts.propose(vote.subject.proposal);
        if (vote.subject.kind === 2 && vote.signer === this.#plan.leader(view))
          facts.leaderNullified.add(view);
        return;
      }
      case 'certificate':
        if (useful) facts.take(event.certificate);
        return;
      case 'certified':
        if (useful) {
          facts.verdicts.set(event.proposal.view, event.ok);
          facts.certifying.delete(event.proposal.view);
        }
        return;
      case 'verified': {
        const stands = facts.certified(event.proposal.parentView);
        const same = stands !== undefined && Buffer.compare(stands.payload, event.parent.payload) === 0;
        if (event.body !== undefined && same) this.#verified.add(proposalId(event.proposal));
        return;
      }
      case 'built':
        if (event.block !== undefined)
          this.#built.add(
            `${event.view}/${event.parent.view}/${Buffer.from(event.block.payload).toString('hex')}`,
          );
        return;
      case 'durable':
        return;
      default:
    }
  }

  #effect(effect: Effect, step: Step, floorBefore: Proposal): void {
    const { facts } = this;
    const { now } = step;
    switch (effect.type) {
      case 'journal':
        if (effect.record.type === 'body')
          this.#bodies.add(Buffer.from(effect.record.payload).toString('hex'));
        if (effect.record.type === 'floor') {
          const { view } = effect.record;
          must(
            view <= facts.durable.view,
            'the journal keeps what the database does not hold',
            () => `it forgets up to ${view}, the database ends at ${facts.durable.view}`,
          );
        }
        return;
      case 'sign':
        this.#signed(effect.subject, step);
        return;
      case 'broadcast-certificate': {
        const { kind } = effect.certificate.subject;
        const view = viewOf(effect.certificate.subject);
        if (view > floorBefore.view && facts.holds(kind, view) === undefined) facts.take(effect.certificate);
        this.#certificateSent.set(`${kind}/${view}`, now);
        this.traffic.sent(now, 128 + 1 + 64 * effect.certificate.signatures.length);
        return;
      }
      case 'send-vote':
        this.traffic.sent(now, 160);
        if (effect.vote.subject.kind === 2) {
          const { view } = effect.vote.subject;
          this.#nullifySent.set(view, now);
          if (!this.#nullifyBegun.has(view)) this.#nullifyBegun.set(view, now);
        }
        return;
      case 'request-certificate':
        this.traffic.requested(`${effect.query.kind}/${effect.query.view}`, now);
        return;
      case 'certify': {
        const { proposal, parent } = effect;
        const stands = facts.certified(proposal.parentView);
        must(
          stands !== undefined && proposalId(stands) === proposalId(parent),
          'a block is executed after its parent',
          () => `view ${proposal.view} on ${proposal.parentView}`,
        );
        facts.certifying.add(proposal.view);
        return;
      }
      case 'cancel':
        if (effect.task === 'certify') facts.certifying.delete(effect.view);
        return;
      case 'floor':
        if (effect.view === step.floor.view) facts.floor = step.floor;
        return;
      case 'build':
        this.#mayBuild(effect);
        return;
      case 'finalize':
        this.#finalized(effect, floorBefore);
        return;
      case 'report': {
        const { report } = effect;
        if (report.type === 'entered') {
          const floor = step.floor.view;
          this.#entered = { at: now, floor, by: report.by };
        } else if (report.type === 'missed') {
          const waited = now - this.#entered.at;
          const backOff = this.#backOff(report.view);
          const least =
            report.reason === 'no-proposal'
              ? LEADER_TIMEOUT * backOff
              : report.reason === 'no-verdict'
                ? ADVANCE_TIMEOUT * backOff
                : 0;
          must(
            waited > least - SLACK || step.floor.view > this.#entered.floor,
            'patience grows with the views since the last finalization',
            () => `${report.reason} in view ${report.view} after ${waited} of ${least} ms`,
          );
        }
        return;
      }
      default:
    }
  }

  #backOff(view: number): number {
    return Math.min(8, 1.2 ** Math.max(0, view - this.#entered.floor - 2));
  }

  #signed(subject: Subject, { view: now, floor }: Step): void {
    const { facts } = this;
    const view = viewOf(subject);
    const name = `kind ${subject.kind} in view ${view}`;
    const rule = (holds: boolean, invariant: string): void => must(holds, invariant, () => name);
    const before = facts.own.get(`${subject.kind}/${view}`);
    rule(
      before === undefined || idOf(before.subject) === idOf(subject),
      'an honest key signs one N and one F a view',
    );
    rule(view > Math.min(floor.view, facts.floor.view), 'nothing below the floor is signed');
    if (subject.kind === 1) {
      const { proposal } = subject;
      const id = proposalId(proposal);
      rule(!facts.hasGiven(2, view), 'no N after X');
      rule(
        this.#bodies.has(Buffer.from(proposal.payload).toString('hex')),
        'the body is journaled with its N',
      );
      rule(facts.certified(proposal.parentView) !== undefined, 'N needs a certified parent');
      rule(facts.gap(proposal.parentView, view) === undefined, 'N needs the nullifications of skipped views');
      const led = this.#plan.leader(view) === SELF;
      rule(
        led ? this.#built.has(id) : this.#verified.has(id),
        'N needs a check of this block on this parent',
      );
      facts.propose(proposal);
    } else if (subject.kind === 2) {
      rule(!facts.hasGiven(3, view), 'an honest key never signs X and F in one view');
      rule(view <= now, 'X is of the current view');
    } else {
      const notarized = facts.notarized(view);
      rule(!facts.hasGiven(2, view), 'an honest key never signs X and F in one view');
      rule(notarized !== undefined && proposalId(notarized) === idOf(subject), 'F needs the N certificate');
      rule(facts.verdicts.get(view) === true, 'F needs a verdict');
      rule(
        this.#bodies.has(Buffer.from(subject.proposal.payload).toString('hex')),
        'the body is journaled before F',
      );
      rule(!facts.equivocated(view), 'no F where the leader equivocated');
    }
    if (before === undefined)
      facts.own.set(`${subject.kind}/${view}`, { subject, signer: SELF, signature: new Uint8Array(0) });
  }

  #mayBuild({ view, parent, parentCertificate }: Effect & { type: 'build' }): void {
    const { facts } = this;
    const highest = facts.highestCertifiedBelow(view);
    must(
      parent.view === highest && facts.certified(highest) !== undefined,
      'a leader builds on the highest certified block',
      () => `view ${view} on ${parent.view} instead of ${highest}`,
    );
    must(
      facts.gap(parent.view, view) === undefined,
      'a leader builds across nullified views only',
      () => `view ${view} on ${parent.view}`,
    );
    const subject = parentCertificate?.subject;
    must(
      parent.view === 0 || (subject?.kind === 1 && proposalId(subject.proposal) === proposalId(parent)),
      'a block carries the certificate of its parent',
      () => `view ${view} on ${parent.view}`,
    );
  }

  #finalized({ proposals, gap, certificate }: Effect & { type: 'finalize' }, floorBefore: Proposal): void {
    const { facts } = this;
    const { subject } = certificate;
    let expected: Proposal | undefined = 'proposal' in subject ? subject.proposal : undefined;
    for (const given of [...proposals].reverse()) {
      must(
        expected !== undefined && proposalId(given) === proposalId(expected),
        'a finalization names its ancestors',
        () => `view ${given.view}`,
      );
      const { parentView } = given;
      if (parentView <= floorBefore.view) expected = undefined;
      else expected = facts.notarized(parentView);
    }
    must(
      gap === (expected === undefined && proposals[0]!.parentView > floorBefore.view) &&
        (gap || expected === undefined),
      'a finalization names its ancestors',
      () => `it begins with view ${proposals[0]!.view} above ${floorBefore.view}`,
    );
  }

  #relayed(certificate: Certificate, { effects, view: now }: Step, floorBefore: Proposal): void {
    const view = viewOf(certificate.subject);
    if (view <= floorBefore.view) return;
    const { kind } = certificate.subject;
    must(
      effects.some((effect) => effect.type === 'broadcast-certificate' && effect.certificate === certificate),
      'a certificate that is news is passed on',
      () => `kind ${kind} of view ${view}`,
    );
    must(
      effects.some(
        (effect) =>
          effect.type === 'journal' &&
          effect.record.type === 'certificate' &&
          effect.record.certificate === certificate,
      ),
      'an accepted certificate is journaled',
      () => `kind ${kind} of view ${view}`,
    );
    must(
      now >= (kind === 1 ? view : view + 1),
      'a certificate of a later view leads there',
      () => `view ${now} with kind ${kind} of ${view}`,
    );
  }

  #recorded({ proposal, ok }: EngineEvent & { type: 'certified' }, effects: readonly Effect[]): void {
    const recorded = effects.some(
      (effect) =>
        effect.type === 'journal' &&
        effect.record.type === 'verdict' &&
        effect.record.view === proposal.view &&
        effect.record.ok === ok,
    );
    must(recorded, 'a verdict is journaled', () => `view ${proposal.view}`);
  }

  #answered({ query }: EngineEvent & { type: 'query' }, effects: readonly Effect[]): void {
    const held = this.facts.holds(query.kind, query.view);
    if (held === undefined || query.view < this.facts.floor.view) return;
    must(
      effects.some(({ type }) => type === 'send-certificate'),
      'a certificate that is held is given to who asks',
      () => `kind ${query.kind} of view ${query.view}`,
    );
  }

  /** What is final and in the database leaves the journal. */
  #forgotten(stored: number, { effects, floor }: Step): void {
    const most = Math.min(stored, floor.view);
    const forgets = (effect: Effect): boolean =>
      effect.type === 'journal' && effect.record.type === 'floor' && effect.record.view >= most;
    must(
      effects.some(forgets),
      'the journal forgets what is final and in the database',
      () => `up to ${most}`,
    );
  }

  /** Timers that should have fired by now. */
  #waited({ now, view }: Step): void {
    const { facts } = this;
    const given = facts.hasGiven(2, view) || facts.hasGiven(3, view);
    const waited = now - this.#entered.at;
    if (given) {
      const last = this.#nullifySent.get(view);
      if (last === undefined || !facts.hasGiven(2, view)) return;
      must(
        now - last < 1.3 * TIMING.resendInterval + SLACK,
        'X is sent again while its view lasts',
        () => `view ${view} after ${now - last} ms`,
      );
      if (this.#entered.by === 'start') return;
      const entries = [`1/${view}`, ...[1, 2, 3].map((kind) => `${kind}/${view - 1}`)];
      const shown = Math.max(
        this.#nullifyBegun.get(view) ?? now,
        ...entries.map((entry) => this.#certificateSent.get(entry) ?? 0),
      );
      must(
        now - shown < 2.6 * TIMING.resendInterval + SLACK,
        'the certificate by which a view was entered is sent again with X',
        () => `view ${view} after ${now - shown} ms`,
      );
      return;
    }
    const known = (facts.proposals.get(view)?.length ?? 0) > 0;
    const most = (known ? ADVANCE_TIMEOUT : LEADER_TIMEOUT) * this.#backOff(view);
    // A proposal that came just before the deadline is known and stays known.
    must(
      waited <= most + SLACK,
      'a view in which nothing happens is given up',
      () => `view ${view} after ${waited} of ${most} ms`,
    );
  }

  /** What has to be under way after a step that changed something. */
  #duties({ now, view }: Step): void {
    const { facts } = this;
    const floor = facts.floor.view;
    const given = facts.hasGiven(2, view) || facts.hasGiven(3, view);
    must(!facts.leaderNullified.has(view) || given, 'the leader’s own X is followed', () => `view ${view}`);
    must(facts.verdicts.get(view) !== false || given, 'a false verdict ends its view', () => `view ${view}`);
    const [proposal] = facts.proposals.get(view) ?? [];
    if (proposal !== undefined && facts.notarized(view) === undefined && !given && !facts.hasGiven(1, view)) {
      const impossible = proposal.parentView >= view || proposal.parentView < floor;
      must(
        !impossible,
        'a proposal on an impossible parent ends its view',
        () => `view ${view} on ${proposal.parentView}`,
      );
      this.traffic.wants(facts, proposal.parentView, now);
    }
    for (const [key, { subject }] of facts.certificates) {
      const at = viewOf(subject);
      if (subject.kind !== 1 || at <= floor || facts.verdicts.has(at)) continue;
      const { parentView } = subject.proposal;
      const ready = facts.certified(parentView) !== undefined;
      must(
        !ready || facts.certifying.has(at),
        'a notarized block is executed, whatever becomes of its view',
        () => key,
      );
      this.traffic.wants(facts, parentView, now);
    }
  }

  /** A quorum of votes that were taken makes a certificate at once. */
  counted(vote: Vote): void {
    const { facts } = this;
    const view = viewOf(vote.subject);
    if (view <= facts.floor.view || !facts.tally(vote)) return;
    must(
      facts.holds(vote.subject.kind, view) !== undefined,
      'a quorum of votes makes a certificate',
      () => `kind ${vote.subject.kind} of view ${view}`,
    );
  }

  restart(): void {
    this.facts.restart();
    this.traffic.restart();
    this.#nullifySent.clear();
    this.#nullifyBegun.clear();
    this.#certificateSent.clear();
    this.#verified.clear();
  }
}
