/**
 * Certificates: which are needed, which verify, and what follows. Each one is stored, journaled and passed on
 * once. The cheap question ("would it change anything?") always comes before the signatures.
 */
import { isProtocolError } from '../../codec/errors.ts';
import { verifyCertificate } from '../certificate.ts';
import type { CertificateQuery, Judgement } from '../events.ts';
import { type Certificate, FINALIZE, NOTARIZE, NULLIFY, type Proposal } from '../types.ts';
import { sameProposal, subjectEpoch, subjectView } from '../vote.ts';
import type { Round } from './round.ts';
import { type EngineState, IGNORED, offence, USEFUL } from './state.ts';
import { cancelVerify, enter, noteEquivocation } from './views.ts';

export function onCertificate(state: EngineState, certificate: Certificate, peer: string): Judgement {
  if (!isNeeded(state, certificate)) return IGNORED;
  const verdict = verify(state, certificate);
  if (verdict.ok) accept(state, certificate, peer, true);
  return verdict;
}

/** The application has imported finalised blocks by itself, up to the one that is named. */
export function onSynced(state: EngineState, certificate: Certificate): Judgement {
  if (certificate.subject.kind !== FINALIZE || !isNeeded(state, certificate)) return IGNORED;
  const verdict = verify(state, certificate);
  if (verdict.ok) accept(state, certificate, undefined, false);
  return verdict;
}

export function onQuery(state: EngineState, query: CertificateQuery, peer: string): Judgement {
  const certificate = certificateFor(state, query);
  if (certificate !== undefined) state.emit({ type: 'send-certificate', peer, certificate });
  return IGNORED;
}

/** The certificate asked for, or another of its view, or the F of the floor, which lets a straggler jump. */
export function certificateFor(state: EngineState, query: CertificateQuery): Certificate | undefined {
  const { rounds, floor } = state;
  const exact = rounds.certificate(query.kind, query.view);
  if (exact !== undefined) return exact;
  if (query.view <= floor) return rounds.certificate(FINALIZE, floor);
  return rounds.peek(query.view)?.certificates()[0];
}

function isNeeded(state: EngineState, certificate: Certificate): boolean {
  const { subject } = certificate;
  const { rounds, floor } = state;
  const view = subjectView(subject);
  if (subjectEpoch(subject) !== state.options.set.epoch || view < floor || view === 0) return false;
  if (rounds.certificate(subject.kind, view) !== undefined) return false;
  // Of the floor's own view: what others ask for, and what the next block is built on.
  if (view === floor) return subject.kind !== NULLIFY && sameProposal(subject.proposal, rounds.floor);
  return true;
}

function verify(state: EngineState, certificate: Certificate): Judgement {
  const { set, genesisHash, verifier } = state.options;
  const round = state.rounds.peek(subjectView(certificate.subject));
  try {
    verifyCertificate(certificate, set, genesisHash, verifier, (signer) =>
      round?.knownSignature(certificate, signer),
    );
    return USEFUL;
  } catch (error) {
    if (isProtocolError(error)) return offence('CERTIFICATE_INVALID');
    throw error;
  }
}

/** Takes in a certificate that is needed and verified. `tell`: the application has to hear of an F. */
export function accept(
  state: EngineState,
  certificate: Certificate,
  from: string | undefined,
  tell: boolean,
): void {
  const { subject } = certificate;
  const view = subjectView(subject);
  const above = view > state.floor;
  if (subject.kind === FINALIZE && above && contradicts(state, certificate, subject.proposal)) return;
  state.rounds.at(view).setCertificate(certificate);
  state.emit({ type: 'journal', record: { type: 'certificate', certificate } });
  if (!above) return;
  state.emit({ type: 'broadcast-certificate', certificate, except: from });
  if (subject.kind === NULLIFY) {
    state.report({ type: 'nullified', view });
    enter(state, view + 1, certificate);
  } else if (subject.kind === NOTARIZE) {
    notarized(state, state.rounds.at(view), subject.proposal, certificate);
  } else {
    finalize(state, certificate, subject.proposal, tell);
    enter(state, view + 1, certificate);
  }
}

/** The certificate's proposal stands, whatever was heard before; the view is entered if it lies ahead. */
function notarized(state: EngineState, round: Round, proposal: Proposal, certificate: Certificate): void {
  state.report({ type: 'notarized', view: round.view, payload: proposal.payload });
  const local = round.proposal;
  round.proposal = proposal;
  round.noticedAt ??= state.now;
  cancelVerify(state, round);
  state.uncertified.add(round.view);
  if (local !== undefined && !sameProposal(local, proposal)) noteEquivocation(state, round);
  enter(state, round.view, certificate);
}

/** An F certificate that cannot stand beside what is final here: a third of the stake is dishonest. */
function contradicts(state: EngineState, certificate: Certificate, proposal: Proposal): boolean {
  const { rounds, floor } = state;
  let cursor: Proposal | undefined = proposal;
  while (cursor !== undefined && cursor.parentView > floor) cursor = rounds.notarized(cursor.parentView);
  const own = rounds.certificate(FINALIZE, floor);
  if (cursor === undefined || cursor.parentView === floor || own === undefined) return false;
  state.report({ type: 'conflict', view: proposal.view, certificates: [own, certificate] });
  return true;
}

/** Moves the floor to `proposal`, tells the application of the span and forgets it. */
export function finalize(
  state: EngineState,
  certificate: Certificate,
  proposal: Proposal,
  tell: boolean,
): void {
  const { rounds, floor: previous } = state;
  const proposals: Proposal[] = [];
  let cursor: Proposal | undefined = proposal;
  while (cursor !== undefined && cursor.view > previous) {
    proposals.unshift(cursor);
    cursor = cursor.parentView === previous ? rounds.floor : rounds.notarized(cursor.parentView);
  }
  const span = rounds.between(previous + 1, proposal.view);
  for (const round of span) {
    state.uncertified.delete(round.view);
    cancelVerify(state, round);
    if (round.certifying === 'running') {
      state.emit({ type: 'cancel', task: 'certify', view: round.view });
    }
    round.certifying = 'done';
  }
  rounds.floor = proposal;
  state.emit({ type: 'floor', view: proposal.view });
  if (tell) {
    const held = (kind: typeof NOTARIZE | typeof NULLIFY): Certificate[] =>
      span.map((round) => round.certificate(kind)).filter((found) => found !== undefined);
    const [notarizations, nullifications] = [held(NOTARIZE), held(NULLIFY)];
    const gap = cursor === undefined;
    state.emit({ type: 'finalize', proposals, gap, certificate, notarizations, nullifications });
  }
  state.report({ type: 'finalized', view: proposal.view, payload: proposal.payload, certificate });
  rounds.prune();
  state.standstill.reset(state.now);
  regainPatience(state);
  dropDurable(state);
}

/** The running view's timeouts shrink to what they are now that the chain moves again; they never grow. */
function regainPatience(state: EngineState): void {
  const { view, floor, now } = state;
  const { pacing } = state.options;
  const { leaderDeadline, advanceDeadline } = state;
  if (leaderDeadline !== undefined) {
    state.leaderDeadline = Math.min(leaderDeadline, now + pacing.leaderTimeout(view, floor));
  }
  if (advanceDeadline !== undefined) {
    state.advanceDeadline = Math.min(advanceDeadline, now + pacing.advanceTimeout(view, floor));
  }
}

/** The journal forgets what is final and in the application's database. */
export function dropDurable(state: EngineState): void {
  const view = Math.min(state.durable, state.floor);
  state.emit({ type: 'journal', record: { type: 'floor', view } });
}
