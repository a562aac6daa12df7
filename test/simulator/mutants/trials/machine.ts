/**
 * The state machine alone, under a script: the rest of a committee (machine/plan.ts) sends it proposals, votes and
 * certificates out of order, twice, late, or never, forged ones too; the application answers late, wrongly and about
 * something else; it is restarted from its journal. After every step it is held to machine/contract.ts.
 */
import { Pacing } from '../../../../src/consensus/engine/pacing.ts';
import { Engine } from '../../../../src/consensus/engine.ts';
import type { Effect, EngineEvent } from '../../../../src/consensus/events.ts';
import { JournalState } from '../../../../src/consensus/journal/state.ts';
import type { Certificate, Proposal, Subject, Vote } from '../../../../src/consensus/types.ts';
import { Prng } from '../../prng.ts';
import type { Finding } from '../mutant.ts';
import { Contract } from './machine/contract.ts';
import { viewOf } from './machine/facts.ts';
import { GENESIS_HASH, OTHERS, Plan, proposal, SELF } from './machine/plan.ts';
import { TIMING, Violation } from './machine/terms.ts';

const VIEWS = 24;
const BODY = Uint8Array.of(1, 2, 3);
/** Virtual milliseconds between the views of the others. */
const PACE = 250;

const N = (given: Proposal): Subject => ({ kind: 1, proposal: given });
const X = (view: number): Subject => ({ kind: 2, epoch: 0, view });
const F = (given: Proposal): Subject => ({ kind: 3, proposal: given });

class Trial {
  readonly #random: Prng;
  readonly #plan: Plan;
  readonly #contract: Contract;
  readonly #journal = new JournalState();
  readonly #queue: { at: number; deed: () => void }[] = [];
  #finality: Certificate | undefined;
  #engine!: Engine;
  #life = 0;
  #now = 1_000;

  constructor(seed: number) {
    this.#random = new Prng(`machine ${seed}`);
    this.#plan = new Plan(this.#random.fork('plan'), VIEWS);
    this.#contract = new Contract(this.#plan);
    this.#start();
  }

  #later(delay: number, deed: () => void): void {
    const at = this.#now + delay;
    let place = this.#queue.length;
    while (place > 0 && this.#queue[place - 1]!.at > at) place--;
    this.#queue.splice(place, 0, { at, deed });
  }

  #start(): void {
    const { set, verifier } = this.#plan;
    const { facts } = this.#contract;
    this.#life++;
    this.#contract.restart();
    const pacing = new Pacing(TIMING, this.#random.fork(`jitter ${this.#life}`).float);
    const floor = { proposal: facts.durable, finalization: this.#finality };
    facts.floor = facts.durable;
    const final = this.#journal.highestFinalization();
    const own = [...facts.own.values()];
    const options = { set, verifier, genesisHash: GENESIS_HASH, self: SELF, pacing };
    const { engine, effects } = Engine.start(options, floor, this.#journal, this.#now);
    this.#engine = engine;
    const started = this.#step(undefined, false, effects);
    if (engine.lastFinal.view < final)
      throw new Violation(
        'the final floor never moves back',
        `${engine.lastFinal.view} after a restart, ${final} before`,
      );
    this.#contract.restarted(started, own);
    for (const { subject } of own)
      if (viewOf(subject) > engine.lastFinal.view) this.#contract.counted(this.#plan.vote(SELF, subject));
    this.#carryOut(effects);
  }

  #step(
    event: EngineEvent | undefined,
    forged: boolean,
    effects: readonly Effect[],
    judgement?: ReturnType<Engine['step']>['judgement'],
  ) {
    const { view, lastFinal, roundCount } = this.#engine;
    const step = {
      event,
      forged,
      effects,
      judgement,
      now: this.#now,
      view,
      floor: lastFinal,
      rounds: roundCount,
    };
    this.#contract.check(step);
    return step;
  }

  #tell(event: EngineEvent, forged = false): void {
    const { effects, judgement } = this.#engine.step(event, this.#now);
    if (event.type === 'certificate')
      this.#contract.traffic.told(this.#now, 129 + 64 * event.certificate.signatures.length);
    this.#step(event, forged, effects, judgement);
    const useful = judgement.ok && judgement.useful;
    if (event.type === 'vote' && event.vote.signer !== event.from && judgement.ok)
      throw new Violation('a vote comes from its signer', `${event.vote.signer} by ${event.from}`);
    if (useful && (event.type === 'vote' || event.type === 'signed')) this.#contract.counted(event.vote);
    if (useful && event.type === 'proposal') this.#contract.counted(event.vote);
    this.#carryOut(effects);
  }

  /** What a driver does, on a disk that keeps everything at once. */
  #carryOut(effects: readonly Effect[]): void {
    const life = this.#life;
    const alive = (deed: () => void) => (): void => {
      if (this.#life === life) deed();
    };
    const random = this.#random;
    for (const effect of effects) {
      switch (effect.type) {
        case 'journal':
          this.#journal.apply(effect.record);
          break;
        case 'sign': {
          const vote = this.#plan.vote(SELF, effect.subject);
          this.#journal.apply({ type: 'vote', vote });
          this.#later(
            random.int(1, 6),
            alive(() => this.#tell({ type: 'signed', vote })),
          );
          break;
        }
        case 'verify': {
          const { parent } = effect;
          const told = random.chance(0.15)
            ? { proposal: effect.proposal, parent: proposal(parent.view, parent.parentView, 'stale') }
            : random.chance(0.1)
              ? { proposal: proposal(effect.proposal.view, effect.proposal.parentView, 'other'), parent }
              : effect;
          const body = random.chance(0.95) ? BODY : undefined;
          const answer = { ...told, type: 'verified', body, reason: undefined } as const;
          this.#later(
            random.int(3, random.chance(0.2) ? 900 : 80),
            alive(() => this.#tell(answer)),
          );
          break;
        }
        case 'certify': {
          const ok = this.#plan.at(effect.proposal.view)?.valid ?? true;
          const answer = {
            type: 'certified',
            proposal: effect.proposal,
            ok,
            body: BODY,
            reason: undefined,
          } as const;
          this.#later(
            random.int(3, random.chance(0.2) ? 900 : 60),
            alive(() => this.#tell(answer)),
          );
          break;
        }
        case 'build': {
          const { view, parent } = effect;
          const { payload } = proposal(view, parent.view, 'own');
          const block = random.chance(0.8) ? { payload, body: BODY } : undefined;
          this.#later(
            random.int(3, 200),
            alive(() => this.#tell({ type: 'built', view, parent, block })),
          );
          break;
        }
        case 'request-certificate': {
          const { kind, view } = effect.query;
          if (random.chance(0.3)) break;
          this.#later(
            random.int(5, 80),
            alive(() => this.#answer(kind, view)),
          );
          break;
        }
        case 'finalize': {
          const { subject } = effect.certificate;
          if (!('proposal' in subject)) break;
          this.#later(
            random.int(5, 400),
            alive(() => this.#stored(subject.proposal, effect.certificate)),
          );
          break;
        }
        default:
      }
    }
  }

  #stored(block: Proposal, certificate: Certificate): void {
    const { facts } = this.#contract;
    if (block.view <= facts.durable.view) return;
    facts.durable = block;
    this.#finality = certificate;
    this.#tell({ type: 'durable', view: block.view });
  }

  #answer(kind: 1 | 2 | 3, view: number): void {
    const planned = this.#plan.at(view);
    if (planned === undefined || this.#now < 1_200 + view * PACE) return;
    const exact = kind === 2 ? planned.nullified && X(view) : planned.block !== undefined && N(planned.block);
    const subject = exact || (planned.nullified ? X(view) : planned.block !== undefined && N(planned.block));
    if (subject) this.#certificate(subject);
  }

  #certificate(subject: Subject): void {
    const signers = this.#random.chance(0.5) ? OTHERS : [...OTHERS].reverse();
    this.#tell({ type: 'certificate', certificate: this.#plan.certificate(subject, signers), peer: 'p' });
  }

  #vote(vote: Vote): void {
    this.#tell({ type: 'vote', vote, from: vote.signer });
  }

  /** One view of the others: each message at its own time, some twice, some never. */
  #schedule(view: number): void {
    const random = this.#random;
    const { leader, block, nullified, finalized, rivals } = this.#plan.at(view)!;
    const start = 1_000 + view * PACE - this.#now;
    const at = (deed: () => void, certain = false): void => {
      for (let copies = random.chance(0.2) ? 2 : 1; copies > 0; copies--) {
        if (!certain && random.chance(0.15)) continue;
        const delay = random.chance(0.1) ? random.int(500, 3_000) : random.int(5, 220);
        this.#later(Math.max(0, start + delay), deed);
      }
    };
    const proposals = [...rivals, ...(block === undefined ? [] : [block])];
    if (random.chance(0.5)) proposals.reverse();
    for (const one of proposals) {
      at(() => this.#tell({ type: 'proposal', vote: this.#plan.vote(leader, N(one)) }));
    }
    const subjects: Subject[] = [];
    if (block !== undefined) subjects.push(N(block));
    if (nullified) subjects.push(X(view));
    if (finalized && block !== undefined) subjects.push(F(block));
    for (const subject of subjects) {
      for (const signer of OTHERS) at(() => this.#vote(this.#plan.vote(signer, subject)));
      // Whoever does not lead may come first, and the leader never.
      const late = random.chance(0.4) ? random.int(700, 2_500) : random.int(60, 260);
      this.#later(Math.max(0, start + late), () => this.#certificate(subject));
    }
    if (random.chance(0.5)) at(() => this.#forge());
    if (random.chance(0.3))
      at(() => this.#tell({ type: 'query', query: { kind: random.pick([1, 2, 3]), view }, peer: 'p' }));
    if (random.chance(0.3)) at(() => this.#replay());
    if (random.chance(0.1)) at(() => this.#restart());
  }

  #restart(): void {
    this.#start();
    const view = this.#engine.view;
    // Two votes of others make a quorum with an own one that was given before.
    for (const at of [view - 1, view]) {
      const planned = this.#plan.at(at);
      if (planned === undefined) continue;
      const subject =
        planned.finalized && planned.block !== undefined
          ? F(planned.block)
          : planned.nullified
            ? X(at)
            : undefined;
      if (subject === undefined) continue;
      for (const signer of OTHERS.filter((other) => other !== planned.leader).slice(0, 2))
        this.#later(this.#random.int(1, 40), () => this.#vote(this.#plan.vote(signer, subject)));
    }
  }

  /** An old certificate once more. */
  #replay(): void {
    const { certificates } = this.#contract.facts;
    if (certificates.size > 0) {
      const certificate = this.#random.pick([...certificates.values()]);
      this.#tell({ type: 'certificate', certificate, peer: 'p' });
    }
  }

  /** What nobody signed, what somebody else signed, and what is not due yet. */
  #forge(): void {
    const random = this.#random;
    const now = this.#engine.view;
    const noise = random.bytes(64);
    const other = random.pick(OTHERS);
    const near = now + random.int(0, 1);
    switch (random.int(0, 6)) {
      case 0:
        this.#tell(
          { type: 'vote', vote: { subject: X(near), signer: other, signature: noise }, from: other },
          true,
        );
        break;
      case 1:
        this.#tell({ type: 'vote', vote: this.#plan.vote(other, X(near)), from: (other % 3) + 1 }, true);
        break;
      case 2:
        this.#tell(
          { type: 'vote', vote: this.#plan.vote(other, { kind: 2, epoch: 1, view: near }), from: other },
          true,
        );
        break;
      case 3: {
        const usurper = OTHERS.find((signer) => signer !== this.#plan.leader(near))!;
        const vote = this.#plan.vote(usurper, N(proposal(near, near - 1, 'usurped')));
        this.#tell({ type: 'proposal', vote }, true);
        break;
      }
      case 4: {
        const far = this.#plan.vote(other, X(now + random.int(2, 900)));
        this.#tell({ type: 'vote', vote: far, from: other }, true);
        break;
      }
      case 5: {
        // Validators 2 and 3 (60 of 100), and one of them once more behind the end of the bitmap.
        const [a, b] = [2, 3].map((signer) => this.#plan.vote(signer, X(near)).signature);
        const certificate = {
          subject: X(near),
          signers: Uint8Array.of(0b0100_1100),
          signatures: [a!, b!, a!],
        };
        this.#tell({ type: 'certificate', certificate, peer: 'p' }, true);
        break;
      }
      default: {
        const certificate = { ...this.#plan.certificate(X(near)), signatures: [noise, noise, noise] };
        this.#tell({ type: 'certificate', certificate, peer: 'p' }, true);
      }
    }
  }

  /** The others are far ahead, or there are many views of which only certificates are left. */
  #flood(): void {
    const view = this.#engine.view;
    if (this.#random.chance(0.5)) this.#certificate(X(view + 5_000));
    else for (let at = view; at < view + 150; at++) this.#certificate(X(at));
  }

  #advance(until: number): void {
    while (this.#now < until) {
      const due = this.#queue[0]?.at ?? Number.POSITIVE_INFINITY;
      const next = Math.min(due, Math.max(this.#now + 0.5, this.#engine.deadline));
      if (next > until) {
        this.#now = until;
        return;
      }
      this.#now = Math.max(this.#now, next);
      if (due <= this.#now) this.#queue.shift()!.deed();
      else this.#tell({ type: 'tick' });
    }
  }

  play(): void {
    for (let view = 1; view <= VIEWS; view++) this.#schedule(view);
    this.#advance(1_000 + VIEWS * PACE + 3_000);
    this.#flood();
    this.#advance(this.#now + 5_000);
  }
}

export async function run(seed: number): Promise<Finding | undefined> {
  try {
    new Trial(seed).play();
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return { invariant: error.invariant, detail: error.message };
    return {
      invariant: 'no step throws',
      detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}
