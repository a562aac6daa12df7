/**
 * What a replica asks of its application, and what it fetches to be able to ask: building a block as leader,
 * verifying a proposal before N, executing a notarized block before F. `advance` starts everything that the last
 * event has made possible.
 */
import { type Bytes, equal } from '../../codec/bytes.ts';
import { invariant } from '../../codec/errors.ts';
import type { Judgement } from '../events.ts';
import { NOTARIZE, NULLIFY, type Proposal } from '../types.ts';
import { sameProposal } from '../vote.ts';
import type { Wanted } from './fetcher.ts';
import type { Round } from './round.ts';
import { type EngineState, IGNORED, USEFUL } from './state.ts';
import { enter, maybeFinalize, nullify, sign } from './views.ts';

/** How many missing views are looked for at a time. */
const GAP_WINDOW = 32;

export function advance(state: EngineState): void {
  const wanted: Wanted[] = [];
  certifyPending(state, wanted);
  tryPropose(state, wanted);
  tryVerify(state, wanted);
  wantBackground(state, wanted);
  state.fetcher.want(wanted, state.now);
  for (const effect of state.fetcher.due(state.now)) state.emit(effect);
}

/** What a task cannot go on without; `from` is whom to ask first. */
function need(
  state: EngineState,
  kind: typeof NOTARIZE | typeof NULLIFY,
  view: number,
  from?: number,
): Wanted {
  return { kind, view, urgent: true, preferred: from === state.options.self ? undefined : from };
}

/** Executes notarized blocks, parents before children, whether or not their view was nullified since. */
function certifyPending(state: EngineState, wanted: Wanted[]): void {
  const { rounds } = state;
  for (const view of [...state.uncertified].sort((a, b) => a - b)) {
    const round = rounds.at(view);
    const proposal = rounds.notarized(view);
    if (round.certifying !== 'idle' || proposal === undefined) continue;
    const { parentView } = proposal;
    const parent = rounds.certified(parentView);
    if (parent !== undefined) {
      round.certifying = 'running';
      state.emit({ type: 'certify', proposal, parent });
    } else if (parentView > state.floor && rounds.notarized(parentView) === undefined) {
      wanted.push(need(state, NOTARIZE, parentView, round.leader));
    }
  }
}

export function onCertified(
  state: EngineState,
  proposal: Proposal,
  ok: boolean,
  body: Bytes,
  reason: string | undefined,
): Judgement {
  const { view, payload } = proposal;
  const round = state.rounds.peek(view);
  const notarized = state.rounds.notarized(view);
  if (view <= state.floor || round?.certifying !== 'running') return IGNORED;
  if (notarized === undefined || !sameProposal(notarized, proposal)) return IGNORED;
  round.certifying = 'done';
  round.verdict = ok;
  state.uncertified.delete(view);
  if (ok) state.emit({ type: 'journal', record: { type: 'body', view, payload, body } });
  state.emit({ type: 'journal', record: { type: 'verdict', view, payload, ok } });
  state.report({ type: 'certified', view, ok, reason });
  if (ok) {
    enter(state, view + 1, round.certificate(NOTARIZE));
    maybeFinalize(state, round);
  } else if (view === state.view) nullify(state, 'certification-failed', reason);
  return USEFUL;
}

function tryPropose(state: EngineState, wanted: Wanted[]): void {
  const { rounds, now } = state;
  const { self, pacing } = state.options;
  const round = rounds.at(state.view);
  const { view } = round;
  if (round.leader !== self || round.own[NULLIFY] || round.own[NOTARIZE]) return;
  if (round.building !== 'idle' || round.proposal !== undefined) return;
  const parentView = rounds.highestCertifiedBelow(view);
  const gaps = rounds.gaps(parentView, view, GAP_WINDOW);
  if (gaps.length > 0) {
    wanted.push(...gaps.map((gap) => need(state, NULLIFY, gap)));
    return;
  }
  const parentCertificate = rounds.certificate(NOTARIZE, parentView);
  if (parentView > 0 && parentCertificate === undefined) {
    wanted.push(need(state, NOTARIZE, parentView));
    return;
  }
  const noticedAt = rounds.peek(parentView)?.noticedAt;
  const earliest = noticedAt === undefined ? now : noticedAt + pacing.blockInterval;
  if (now < earliest) {
    state.proposeAt = earliest;
    return;
  }
  const parent = rounds.certified(parentView);
  invariant(parent !== undefined, 'the highest certified view is certified');
  round.building = 'running';
  const deadlineMs = now + pacing.executionBudget;
  state.buildDeadline = deadlineMs + pacing.delta;
  state.emit({ type: 'build', view, parent, parentCertificate, deadlineMs });
}

export function onBuilt(
  state: EngineState,
  view: number,
  parent: Proposal,
  block: { readonly payload: Bytes; readonly body: Bytes } | undefined,
): Judgement {
  const round = state.rounds.peek(view);
  if (view !== state.view || round?.building !== 'running') return IGNORED;
  round.building = 'done';
  state.buildDeadline = undefined;
  if (round.own[NULLIFY] || round.proposal !== undefined) return IGNORED;
  if (block === undefined) {
    nullify(state, 'build-failed');
    return USEFUL;
  }
  const { epoch } = state.options.set;
  const proposal: Proposal = { epoch, view, parentView: parent.view, payload: block.payload };
  round.proposal = proposal;
  round.noticedAt = state.now;
  notarize(state, round, proposal, block.body);
  return USEFUL;
}

/** N, with the body in the same commit. */
function notarize(state: EngineState, round: Round, proposal: Proposal, body: Bytes): void {
  const { view } = round;
  round.own[NOTARIZE] = true;
  if (state.options.self === undefined) return;
  state.emit({ type: 'journal', record: { type: 'body', view, payload: proposal.payload, body } });
  sign(state, { kind: NOTARIZE, proposal });
}

function tryVerify(state: EngineState, wanted: Wanted[]): void {
  const { rounds } = state;
  const round = rounds.at(state.view);
  const { proposal, view, leader } = round;
  if (proposal === undefined || round.own[NOTARIZE] || round.own[NULLIFY] || round.equivocated) return;
  if (round.verifying !== 'idle' || round.certificate(NOTARIZE) !== undefined) return;
  const { parentView } = proposal;
  if (parentView >= view || parentView < state.floor) {
    nullify(state, 'invalid-parent', `view ${view} on top of ${parentView}`);
    return;
  }
  if (rounds.peek(parentView)?.verdict === false) {
    nullify(state, 'invalid-parent', `the block of view ${parentView} is invalid`);
    return;
  }
  const gaps = rounds.gaps(parentView, view, GAP_WINDOW);
  wanted.push(...gaps.map((gap) => need(state, NULLIFY, gap, leader)));
  const parent = rounds.certified(parentView);
  if (parent === undefined && rounds.notarized(parentView) === undefined) {
    wanted.push(need(state, NOTARIZE, parentView, leader));
  }
  if (gaps.length > 0 || parent === undefined) return;
  round.verifying = 'running';
  state.emit({ type: 'verify', proposal, parent, leader });
}

/** `body` undefined says that the proposal is invalid, for `reason`. */
export function onVerified(
  state: EngineState,
  proposal: Proposal,
  parent: Proposal,
  body: Bytes | undefined,
  reason: string | undefined,
): Judgement {
  const round = state.rounds.peek(proposal.view);
  if (round === undefined || round.view !== state.view || round.verifying !== 'running') return IGNORED;
  round.verifying = 'done';
  // The outcome holds for what was asked: this proposal, on this parent.
  if (round.proposal === undefined || !sameProposal(round.proposal, proposal)) return IGNORED;
  const current = state.rounds.certified(proposal.parentView);
  if (current === undefined || !equal(current.payload, parent.payload)) {
    round.verifying = 'idle';
    return USEFUL;
  }
  if (round.own[NULLIFY] || round.own[NOTARIZE] || round.equivocated) return IGNORED;
  if (body === undefined) nullify(state, 'invalid-proposal', reason);
  else notarize(state, round, proposal, body);
  return USEFUL;
}

/** Views of which nothing is known, and the N certificate of the floor, which the next leader needs. */
function wantBackground(state: EngineState, wanted: Wanted[]): void {
  const { rounds, floor } = state;
  if (floor > 0 && rounds.certificate(NOTARIZE, floor) === undefined) {
    wanted.push({ kind: NOTARIZE, view: floor, urgent: false, preferred: undefined });
  }
  let found = 0;
  for (let view = floor + 1; view < state.view && found < GAP_WINDOW; view++) {
    if (rounds.certificate(NOTARIZE, view) !== undefined) continue;
    if (rounds.certificate(NULLIFY, view) !== undefined) continue;
    wanted.push({ kind: NULLIFY, view, urgent: false, preferred: undefined });
    found++;
  }
}
