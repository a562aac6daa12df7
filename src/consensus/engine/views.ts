/**
 * Moving through views, and the two votes that end one: X when patience is lost, F when a notarized block was
 * executed. Never both: the state machine does not ask for the second, and the signer would refuse it.
 */
import type { Judgement, MissReason } from '../events.ts';
import { type Certificate, FINALIZE, NOTARIZE, NULLIFY, type Subject } from '../types.ts';
import type { Round } from './round.ts';
import { type EngineState, USEFUL } from './state.ts';

/** Enters `view`, if that is a step forward; `by` is the certificate that allows it. */
export function enter(state: EngineState, view: number, by: Certificate | undefined): void {
  if (view <= state.view) return;
  const { rounds, now, floor } = state;
  const { pacing } = state.options;
  const left = rounds.peek(state.view);
  if (left !== undefined) cancelVerify(state, left);
  state.view = view;
  state.entry = by;
  state.leaderDeadline = now + pacing.leaderTimeout(view, floor);
  state.advanceDeadline = now + pacing.advanceTimeout(view, floor);
  state.resendAt = undefined;
  state.proposeAt = undefined;
  state.buildDeadline = undefined;
  const round = rounds.at(view);
  state.report({ type: 'entered', view, leader: round.leader, by: causeOf(by) });
  if (round.own[NULLIFY]) state.resendAt = now + pacing.resendDelay();
  else if (round.verdict === false) nullify(state, 'certification-failed');
  else if (round.equivocated) nullify(state, 'leader-equivocated');
  else if (round.vote(NULLIFY, round.leader) !== undefined) nullify(state, 'leader-nullified');
}

function causeOf(by: Certificate | undefined): 'start' | 'N' | 'X' | 'F' {
  if (by === undefined) return 'start';
  const { kind } = by.subject;
  return kind === NULLIFY ? 'X' : kind === NOTARIZE ? 'N' : 'F';
}

/** Gives up on the current view, once, unless F was given in it. */
export function nullify(state: EngineState, reason: MissReason, detail?: string): void {
  const round = state.rounds.at(state.view);
  if (round.own[NULLIFY] || round.own[FINALIZE]) return;
  const { view, leader } = round;
  round.own[NULLIFY] = true;
  cancelVerify(state, round);
  state.report({ type: 'missed', view, leader, reason, detail });
  state.leaderDeadline = undefined;
  state.advanceDeadline = undefined;
  state.buildDeadline = undefined;
  if (state.options.self === undefined) return;
  state.resendAt = state.now + state.options.pacing.resendDelay();
  sign(state, { kind: NULLIFY, epoch: state.options.set.epoch, view });
}

/** F for a notarized and executed block above the floor, unless X was given or the leader equivocated. */
export function maybeFinalize(state: EngineState, round: Round): void {
  const notarized = state.rounds.notarized(round.view);
  if (round.view <= state.floor || round.own[NULLIFY] || round.own[FINALIZE]) return;
  if (round.equivocated || round.verdict !== true || notarized === undefined) return;
  round.own[FINALIZE] = true;
  sign(state, { kind: FINALIZE, proposal: notarized });
}

export function sign(state: EngineState, subject: Subject): void {
  if (state.options.self !== undefined) state.emit({ type: 'sign', subject });
}

/** The leader signed two proposals: no F here, and no reason to wait any longer. */
export function noteEquivocation(state: EngineState, round: Round): void {
  if (round.equivocated) return;
  round.equivocated = true;
  state.emit({ type: 'equivocated', view: round.view });
  if (round.view === state.view) nullify(state, 'leader-equivocated');
}

export function cancelVerify(state: EngineState, round: Round): void {
  if (round.verifying === 'running') state.emit({ type: 'cancel', task: 'verify', view: round.view });
  round.verifying = 'done';
}

/** The timers that have run out. */
export function onTick(state: EngineState): Judgement {
  const { now, rounds } = state;
  const { self, pacing } = state.options;
  const round = rounds.at(state.view);
  if (state.leaderDeadline !== undefined && now >= state.leaderDeadline) {
    state.leaderDeadline = undefined;
    if (round.proposal === undefined) nullify(state, 'no-proposal');
  }
  if (state.advanceDeadline !== undefined && now >= state.advanceDeadline) {
    state.advanceDeadline = undefined;
    nullify(state, 'no-verdict');
  }
  if (state.buildDeadline !== undefined && now >= state.buildDeadline) {
    round.building = 'done';
    nullify(state, 'build-failed', 'the block came too late');
  }
  if (state.resendAt !== undefined && now >= state.resendAt) {
    state.resendAt = now + pacing.resendDelay();
    const vote = self === undefined ? undefined : round.vote(NULLIFY, self);
    if (vote !== undefined) state.emit({ type: 'send-vote', vote });
    if (state.entry !== undefined) {
      state.emit({ type: 'broadcast-certificate', certificate: state.entry, except: undefined });
    }
  }
  if (state.proposeAt !== undefined && now >= state.proposeAt) state.proposeAt = undefined;
  for (const effect of state.standstill.due(rounds, state.view, self, now)) state.emit(effect);
  return USEFUL;
}
