/**
 * One honest validator of an exploration: the production state machine, signer and journal state, driven as the
 * replica drives them (change state, append to the journal, one fsync, then count own votes, send, start tasks), only
 * synchronously. What makes two of them the same is in identity.ts.
 */
import { Pacing } from '../../src/consensus/engine/pacing.ts';
import { Engine } from '../../src/consensus/engine.ts';
import type { Effect, EngineEvent, Judgement } from '../../src/consensus/events.ts';
import type { Floor } from '../../src/consensus/host.ts';
import type { Journal } from '../../src/consensus/journal/journal.ts';
import {
  CHECKPOINT_END,
  decodeRecord,
  frameRecord,
  type JournalRecord,
  splitRecords,
} from '../../src/consensus/journal/records.ts';
import { JournalState } from '../../src/consensus/journal/state.ts';
import { Signer } from '../../src/consensus/signer.ts';
import { FINALIZE, NULLIFY, type Proposal, type Subject } from '../../src/consensus/types.ts';
import { sameProposal } from '../../src/consensus/vote.ts';
import { fingerprintOf, type Outgoing } from './identity.ts';
import type { Deed, Input, Instance, LocalEvent } from './instance.ts';

/** A jump of the clock that every timer falls into. */
const LEAP = 1_000_000;
const BODY = Uint8Array.of(0);
/** What the signer needs of a journal, in memory. */
class MemoryJournal {
  readonly state = new JournalState();
  readonly pending: JournalRecord[] = [];

  append(record: JournalRecord): void {
    if (this.state.apply(record)) this.pending.push(record);
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }
}

export class Machine {
  /** Votes that have left, as the bits of `Instance`. */
  sentA = 0;
  sentF = 0;
  /** What no honest validator does. */
  readonly faults: string[] = [];
  /** Set while a known history is played again: what it refuses need not be tried once more. */
  replaying = false;
  readonly #instance: Instance;
  readonly #self: number;
  #engine!: Engine;
  #signer!: Signer;
  #journal = new MemoryJournal();
  /** What the disk holds, in order. */
  #durable: JournalRecord[] = [];
  #outgoing: Outgoing[] = [];
  #now = 0;
  #lives = 0;
  #building: Extract<Effect, { type: 'build' }> | undefined;
  #verifying: Extract<Effect, { type: 'verify' }> | undefined;
  readonly #certifying = new Map<number, Extract<Effect, { type: 'certify' }>>();
  /** What the application was told is final, and what of that its database holds. */
  #told: Floor;
  #stored: Floor;

  constructor(instance: Instance, self: number) {
    this.#instance = instance;
    this.#self = self;
    this.#told = { proposal: instance.genesis, finalization: undefined };
    this.#stored = this.#told;
    this.#start();
  }

  #start(): void {
    const { set, genesisHash, keys, verifier, options } = this.#instance;
    const journal = this.#journal;
    // The signer asks for a class with private fields; it uses these three members of it.
    const held = journal as unknown as Journal;
    this.#signer = new Signer({ key: keys[this.#self]!, set, genesisHash, journal: held });
    const timing = { blockInterval: 0, delta: 10, executionBudget: 10 };
    const { engine, effects } = Engine.start(
      { set, genesisHash, self: this.#self, verifier, pacing: new Pacing(timing, () => 0.5) },
      this.#stored,
      journal.state,
      this.#now,
    );
    this.#engine = engine;
    this.#take(effects);
    if (options.commits === 'at-once') this.#commit();
  }

  /** Carries `event` out; false if it cannot happen here, or was of no interest. */
  apply(event: LocalEvent): boolean {
    const useful =
      'deed' in event
        ? this.#do(event.deed)
        : 'certified' in event
          ? this.#certified(event.certified)
          : this.#receive(event.input);
    if (useful && this.#instance.options.commits === 'at-once') this.#commit();
    return useful;
  }

  #do(deed: Deed): boolean {
    switch (deed) {
      case 'tick':
        if (this.#engine.view > this.#instance.views) return false;
        if (this.#engine.inspect().advanceDeadline === undefined) return false;
        this.#now += LEAP;
        this.#step({ type: 'tick' });
        return true;
      case 'commit':
        return this.#commit();
      case 'built':
        return this.#built();
      case 'verified':
        return this.#verified();
      case 'crash':
      case 'crash-to-checkpoint':
        return this.#crash(deed === 'crash-to-checkpoint');
    }
  }

  #step(event: EngineEvent): Judgement {
    const { effects, judgement } = this.#engine.step(event, this.#now);
    this.#take(effects);
    return judgement;
  }

  #receive(input: Input): boolean {
    if (input.type !== 'certificate' && !this.#instance.options.early) {
      const { subject } = input.vote;
      const view = subject.kind === NULLIFY ? subject.view : subject.proposal.view;
      if (view > this.#engine.view) return false;
    }
    if (input.type === 'vote')
      return this.#judge({ type: 'vote', vote: input.vote, from: input.vote.signer });
    if (input.type === 'proposal') return this.#judge({ type: 'proposal', vote: input.vote });
    if (!this.replaying) {
      const weak = this.#step({ type: 'certificate', certificate: input.weak, peer: 'p' });
      if (weak.ok && weak.useful) {
        this.faults.push('took in a certificate without quorum');
        return true;
      }
    }
    const certificate = (this.#hasSent(input.subject) ? input.own : input.others)[this.#self]!;
    return this.#judge({ type: 'certificate', certificate, peer: 'p' });
  }

  #judge(event: EngineEvent): boolean {
    const judgement = this.#step(event);
    if (!judgement.ok) this.faults.push(`took offence (${judgement.offence}) at what was in order`);
    return judgement.ok && judgement.useful;
  }

  #hasSent(subject: Subject): boolean {
    const word = subject.kind === FINALIZE ? this.sentF : this.sentA;
    return ((word >>> this.#instance.bitOf(subject)) & 1) === 1;
  }

  // --- the driver ----------------------------------------------------------------------------------------------

  #take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'journal':
          this.#journal.append(effect.record);
          if (
            effect.record.type === 'certificate' &&
            this.#signer.signedElsewhere(effect.record.certificate)
          ) {
            this.faults.push('found a vote of its own that it does not know of');
          }
          break;
        case 'floor':
          this.#signer.raiseFloor(effect.view);
          break;
        case 'equivocated':
          this.#signer.noteEquivocation(effect.view);
          break;
        case 'sign':
          this.#sign(effect.subject);
          break;
        default:
          this.#outgoing.push(effect);
      }
    }
  }

  #sign(subject: Subject): void {
    try {
      void this.#signer.sign(subject);
      this.#outgoing.push(subject);
    } catch (error) {
      this.faults.push(`its signer refused ${this.#instance.nameOf(subject)}: ${String(error)}`);
    }
  }

  /** One fsync, and then everything that waited for it. */
  #commit(): boolean {
    const idle = this.#outgoing.length === 0 && this.#journal.pending.length === 0;
    for (;;) {
      this.#durable.push(...this.#journal.pending.splice(0));
      const batch = this.#outgoing;
      this.#outgoing = [];
      for (const item of batch) {
        if ('kind' in item) this.#send(item);
        else this.#perform(item);
      }
      // With commits apart, what this has caused waits for the next one.
      if (this.#instance.options.commits === 'apart' || this.#outgoing.length === 0) break;
    }
    this.#durable.push(...this.#journal.pending.splice(0));
    return !idle;
  }

  #send(subject: Subject): void {
    const view = subject.kind === NULLIFY ? subject.view : subject.proposal.view;
    const vote = this.#journal.state.ownVote(this.#self, subject.kind, view);
    this.#step({ type: 'signed', vote: vote ?? this.#instance.vote(this.#self, subject) });
  }

  #perform(effect: Exclude<Outgoing, Subject>): void {
    switch (effect.type) {
      case 'send-vote':
      case 'send-proposal':
        this.#sent(effect.vote.subject);
        break;
      case 'build':
        if (effect.view <= this.#instance.views) this.#building = effect;
        break;
      case 'verify':
        this.#verifying = effect;
        break;
      case 'certify':
        this.#certifying.set(effect.proposal.view, effect);
        break;
      case 'cancel':
        if (effect.task === 'certify') this.#certifying.delete(effect.view);
        else if (this.#verifying?.proposal.view === effect.view) this.#verifying = undefined;
        break;
      case 'finalize':
        this.#finalize(effect);
        break;
      case 'report':
        if (['conflict', 'refused', 'elsewhere', 'application-failed'].includes(effect.report.type)) {
          this.faults.push(`reported ${effect.report.type}`);
        }
        break;
    }
  }

  /** Rules 1 to 3 of what an honest key never signs, over everything that ever left, crashes or not. */
  #sent(subject: Subject): void {
    const bit = 1 << this.#instance.bitOf(subject);
    if (subject.kind === FINALIZE) this.sentF |= bit;
    else this.sentA |= bit;
    const has = (word: number, id: number): boolean => ((word >>> id) & 1) === 1;
    for (let view = 1; view <= this.#instance.views; view++) {
      const ids = this.#instance.blocks.filter((block) => block.view === view).map(({ id }) => id);
      const [n, f] = [this.sentA, this.sentF].map((word) => ids.filter((id) => has(word, id)).length);
      if (n! > 1) this.#fault(`signed two N in view ${view}`);
      if (f! > 1) this.#fault(`signed two F in view ${view}`);
      if (f! > 0 && has(this.sentA, 28 + view)) this.#fault(`signed X and F in view ${view}`);
    }
    if (subject.kind === FINALIZE && this.#instance.block(subject.proposal)?.poisoned === true) {
      this.#fault('signed F for an invalid block');
    }
  }

  #fault(text: string): void {
    if (!this.faults.includes(text)) this.faults.push(text);
  }

  #finalize({ proposals, gap, certificate }: Extract<Effect, { type: 'finalize' }>): void {
    const last = proposals[proposals.length - 1];
    if (last === undefined || certificate.subject.kind !== FINALIZE) {
      this.faults.push('finalised nothing');
      return;
    }
    if (!sameProposal(certificate.subject.proposal, last))
      this.faults.push('finalised beside the certificate');
    proposals.slice(1).forEach((proposal, at) => {
      if (proposal.parentView !== proposals[at]!.view) this.faults.push('finalised what is no chain');
    });
    const before = this.#told.proposal;
    if (!gap && proposals[0]!.parentView !== before.view) this.faults.push('finalised beside its own floor');
    if (!this.#descends(last, before)) this.faults.push('finalised two chains');
    this.#told = { proposal: last, finalization: certificate };
    if (!this.#instance.options.durable) return;
    this.#stored = this.#told;
    this.#step({ type: 'durable', view: last.view });
  }

  #descends(proposal: Proposal, from: Proposal): boolean {
    if (from.view === 0) return true;
    let block = this.#instance.block(proposal);
    while (block !== undefined && block.view > from.view) block = block.parent;
    return block !== undefined && sameProposal(block.proposal, from);
  }

  // --- the application -----------------------------------------------------------------------------------------

  #built(): boolean {
    const task = this.#building;
    if (task === undefined) return false;
    this.#building = undefined;
    const { view, parent } = task;
    const { payload } = this.#instance.built(view, parent, this.#lives).proposal;
    this.#step({ type: 'built', view, parent, block: { payload, body: BODY } });
    return true;
  }

  /** The block names its parent; whether it executes, too, depends on block and parent alone. */
  #stands(proposal: Proposal, parent: Proposal): boolean {
    const block = this.#instance.block(proposal);
    const named = block?.parent?.proposal ?? this.#instance.genesis;
    return block !== undefined && sameProposal(named, parent);
  }

  #verified(): boolean {
    const task = this.#verifying;
    if (task === undefined) return false;
    this.#verifying = undefined;
    const { proposal, parent } = task;
    const body = this.#stands(proposal, parent) ? BODY : undefined;
    this.#step({ type: 'verified', proposal, parent, body, reason: undefined });
    return true;
  }

  #certified(view: number): boolean {
    const task = this.#certifying.get(view);
    if (task === undefined) return false;
    this.#certifying.delete(view);
    const { proposal, parent } = task;
    const ok = this.#stands(proposal, parent) && this.#instance.block(proposal)?.poisoned === false;
    this.#step({ type: 'certified', proposal, ok, body: BODY, reason: undefined });
    return true;
  }

  /** What was not synced is lost; the journal is read back from its bytes, or from those of a checkpoint. */
  #crash(checkpoint: boolean): boolean {
    if (this.#lives >= this.#instance.options.crashes) return false;
    this.#lives++;
    const replayed = new JournalState();
    for (const record of this.#durable) replayed.apply(this.#reread(record));
    const records = checkpoint ? this.#checkpoint(replayed) : this.#durable;
    this.#journal = new MemoryJournal();
    for (const record of records) this.#journal.append(this.#reread(record));
    this.#journal.pending.length = 0;
    this.#durable = [...records];
    this.#outgoing = [];
    this.#building = undefined;
    this.#verifying = undefined;
    this.#certifying.clear();
    // In one kind of crash the application had written all that it was told, in the other nothing beyond `durable`.
    if (!checkpoint) this.#stored = this.#told;
    else this.#told = this.#stored;
    this.#start();
    return true;
  }

  #checkpoint(state: JournalState): JournalRecord[] {
    const bodies = state.bodies().map(({ view, payload }): JournalRecord => {
      return { type: 'body', view, payload, body: BODY };
    });
    return [...state.records(), ...bodies];
  }

  #reread(record: JournalRecord): JournalRecord {
    const [split] = splitRecords(frameRecord(record)) ?? [];
    const decoded =
      split === undefined ? undefined : decodeRecord(split.type, split.content, this.#instance.set);
    if (decoded === undefined || decoded === CHECKPOINT_END) throw new Error('a record cannot be read back');
    return decoded;
  }

  // --- identity ------------------------------------------------------------------------------------------------

  /** Two machines of one role with the same fingerprint behave alike from here on. */
  fingerprint(): string {
    return fingerprintOf(this.#instance, {
      self: this.#self,
      sentA: this.sentA,
      sentF: this.sentF,
      faults: this.faults,
      lives: this.#lives,
      state: this.#engine.inspect(),
      journal: this.#journal.state,
      durable: this.#durable,
      outgoing: this.#outgoing,
      building: this.#building,
      verifying: this.#verifying,
      certifying: this.#certifying,
      told: this.#told.proposal,
      stored: this.#stored.proposal,
    });
  }
}
