/**
 * Weighted Simplex with a certification gate, as a state machine: `step(event, now)` changes the state and
 * returns the effects, `deadline` says when it wants to be woken. No I/O, no clock, no promises, no key: the
 * same code runs in the node and in the seeded simulator, and docs/consensus.md argues its safety.
 *
 * A view has a leader that proposes a block on the highest certified one below, every skipped view between
 * them being nullified. Validators notarize (N) a proposal that they verified; two thirds of stake make an N
 * certificate; whoever holds it executes the block (*certify*), enters the next view and finalizes (F). A
 * validator that loses patience nullifies (X), and never gives X and F in one view. Two thirds of F finalise
 * the block with all its ancestors.
 *
 * The driver carries out the effects in order: journal records first, one fsync, then everything else.
 */

import { certificateFor, dropDurable, onCertificate, onQuery, onSynced } from './engine/acceptance.ts';
import { restore } from './engine/recovery.ts';
import { type EngineOptions, EngineState, IGNORED, offence } from './engine/state.ts';
import { advance, onBuilt, onCertified, onVerified } from './engine/tasks.ts';
import { onTick } from './engine/views.ts';
import { onProposal, onSigned, onVote } from './engine/votes.ts';
import type { CertificateQuery, Effect, EngineEvent, Judgement } from './events.ts';
import type { Floor } from './host.ts';
import type { JournalState } from './journal/state.ts';
import type { Certificate, Proposal } from './types.ts';

export class Engine {
  readonly #state: EngineState;

  private constructor(state: EngineState) {
    this.#state = state;
  }

  /**
   * A state machine on top of the application's floor and of what the journal holds above it. Own votes are
   * counted again and sent again, and the application is told of a finalization that it has not seen.
   */
  static start(
    options: EngineOptions,
    floor: Floor,
    journal: JournalState,
    now: number,
  ): { readonly engine: Engine; readonly effects: readonly Effect[] } {
    const state = new EngineState(options, floor, now);
    restore(state, floor, journal);
    advance(state);
    return { engine: new Engine(state), effects: state.takeEffects() };
  }

  get view(): number {
    return this.#state.view;
  }

  get lastFinal(): Proposal {
    return this.#state.rounds.floor;
  }

  /** Views of which something is held in memory. */
  get roundCount(): number {
    return this.#state.rounds.size;
  }

  /** When the next `tick` is due. */
  get deadline(): number {
    const { standstill, fetcher, leaderDeadline, advanceDeadline } = this.#state;
    const { resendAt, proposeAt, buildDeadline } = this.#state;
    let earliest = standstill.deadline;
    const timers = [leaderDeadline, advanceDeadline, resendAt, proposeAt, buildDeadline, fetcher.deadline];
    for (const at of timers) {
      if (at !== undefined && at < earliest) earliest = at;
    }
    return earliest;
  }

  /** Everything that is known, to look at and not to change: for checks that compare whole states. */
  inspect(): EngineState {
    return this.#state;
  }

  /** The best answer to a query, if there is one; it may not be durable yet. */
  certificateFor(query: CertificateQuery): Certificate | undefined {
    return certificateFor(this.#state, query);
  }

  /** `now` never goes back. */
  step(
    event: EngineEvent,
    now: number,
  ): { readonly effects: readonly Effect[]; readonly judgement: Judgement } {
    this.#state.now = now;
    const judgement = this.#handle(event);
    if (judgement.ok && judgement.useful) advance(this.#state);
    return { effects: this.#state.takeEffects(), judgement };
  }

  #handle(event: EngineEvent): Judgement {
    const state = this.#state;
    switch (event.type) {
      case 'vote':
        return event.vote.signer === event.from ? onVote(state, event.vote) : offence('VOTE_SENDER');
      case 'proposal':
        return onProposal(state, event.vote);
      case 'certificate':
        return onCertificate(state, event.certificate, event.peer);
      case 'query':
        return onQuery(state, event.query, event.peer);
      case 'signed':
        return onSigned(state, event.vote);
      case 'tick':
        return onTick(state);
      case 'built':
        return onBuilt(state, event.view, event.parent, event.block);
      case 'verified':
        return onVerified(state, event.proposal, event.parent, event.body, event.reason);
      case 'certified':
        return onCertified(state, event.proposal, event.ok, event.body, event.reason);
      case 'synced':
        return onSynced(state, event.certificate);
      case 'durable':
        state.durable = Math.max(state.durable, event.view);
        dropDurable(state);
        return IGNORED;
    }
  }
}
