/**
 * One state machine by hand: a committee whose other members are played by the test. The code under test is given, so that
 * the same script runs against a variant.
 */
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import { Pacing } from '../../src/consensus/engine/pacing.ts';
import { Engine } from '../../src/consensus/engine.ts';
import type { Effect, EngineEvent, Judgement } from '../../src/consensus/events.ts';
import type { Floor } from '../../src/consensus/host.ts';
import { JournalState } from '../../src/consensus/journal/state.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import type { Proposal, Subject } from '../../src/consensus/types.ts';
import { sameSubject, subjectView } from '../../src/consensus/vote.ts';
import { type Committee, committee, GENESIS, GENESIS_HASH, N } from './support.ts';

const TIMING = { blockInterval: 200, delta: 50, executionBudget: 100 };
export const BODY: Bytes = utf8('a body');

interface Code {
  readonly Engine: typeof Engine;
  readonly Pacing: typeof Pacing;
}

/** A replica with a journal that never fails: own votes are durable, and counted, at once. */
export class Bench {
  readonly committee: Committee;
  readonly self: number | undefined;
  readonly journal: JournalState;
  readonly code: Code;
  engine: Engine;
  now = 1_000;
  /** Everything that came out since the last `take`. */
  out: Effect[] = [];
  /** Every own vote. */
  readonly signed: Subject[] = [];

  constructor(
    members: Committee,
    self: number | undefined,
    journal = new JournalState(),
    floor: Floor = { proposal: GENESIS, finalization: undefined },
    code: Code = { Engine, Pacing },
  ) {
    this.code = code;
    this.committee = members;
    this.self = self;
    this.journal = journal;
    const { engine, effects } = code.Engine.start(
      {
        set: members.set,
        genesisHash: GENESIS_HASH,
        self,
        verifier: members.scheme.verifier,
        pacing: new code.Pacing(TIMING, () => 0.5),
      },
      floor,
      journal,
      this.now,
    );
    this.engine = engine;
    this.#carryOut(effects);
  }

  #carryOut(effects: readonly Effect[]): void {
    this.out.push(...effects);
    for (const effect of effects) {
      if (effect.type === 'journal') this.journal.apply(effect.record);
      if (effect.type !== 'sign') continue;
      this.signed.push(effect.subject);
      const vote = this.committee.vote(this.self!, effect.subject);
      this.journal.apply({ type: 'vote', vote });
      this.step({ type: 'signed', vote });
    }
  }

  step(event: EngineEvent): Judgement {
    const { effects, judgement } = this.engine.step(event, this.now);
    this.#carryOut(effects);
    return judgement;
  }

  take<T extends Effect['type']>(type: T): (Effect & { type: T })[] {
    const found = this.out.filter((effect): effect is Effect & { type: T } => effect.type === type);
    this.out = this.out.filter((effect) => effect.type !== type);
    return found;
  }

  reports(type: string): unknown[] {
    return this.out.filter((effect) => effect.type === 'report' && effect.report.type === type);
  }

  vote(signer: number, subject: Subject): Judgement {
    return this.step({ type: 'vote', vote: this.committee.vote(signer, subject), from: signer });
  }

  certificate(subject: Subject, signers = [0, 1, 2]): Judgement {
    return this.step({
      type: 'certificate',
      certificate: this.committee.certificate(subject, signers),
      peer: 'peer',
    });
  }

  propose(p: Proposal): Judgement {
    return this.step({ type: 'proposal', vote: this.committee.vote(this.leader(p.view), N(p)) });
  }

  verified(p: Proposal, parent: Proposal, valid = true): void {
    this.step({
      type: 'verified',
      proposal: p,
      parent,
      body: valid ? BODY : undefined,
      reason: valid ? undefined : 'it is',
    });
  }

  certified(p: Proposal, ok = true): void {
    this.step({ type: 'certified', proposal: p, ok, body: BODY, reason: undefined });
  }

  /** Lets time pass in small steps, with a tick at each deadline. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(end, Math.max(this.now + 1, Math.ceil(this.engine.deadline)));
      this.step({ type: 'tick' });
    }
  }

  leader(view: number): number {
    return leaderOf(this.committee.set, view);
  }

  has(subject: Subject): boolean {
    return this.signed.some((other) => sameSubject(other, subject));
  }

  kinds(view: number): number[] {
    return this.signed.filter((subject) => subjectView(subject) === view).map(({ kind }) => kind);
  }

  restart(): Bench {
    return new Bench(this.committee, this.self, this.journal, undefined, this.code);
  }
}

/** A committee in which `leaders[i]` leads view i + 1. */
export function led(leaders: readonly number[], stakes: readonly number[] = [1, 1, 1, 1]): Committee {
  for (let attempt = 0; ; attempt++) {
    const members = committee(stakes, `leaders ${attempt}`);
    if (leaders.every((leader, at) => leaderOf(members.set, at + 1) === leader)) return members;
  }
}
