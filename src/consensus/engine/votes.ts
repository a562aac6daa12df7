/**
 * Votes: which count, which accuse their signer, and when they make a certificate. One vote a kind, signer and
 * view; a vote that is not needed is dropped before its signature is looked at.
 */
import type { Judgement } from '../events.ts';
import { NOTARIZE, NULLIFY, type Proposal, type Vote } from '../types.ts';
import { sameProposal, sameSubject, subjectEpoch, subjectView, verifyVote } from '../vote.ts';
import { accept } from './acceptance.ts';
import type { Round } from './round.ts';
import { type EngineState, IGNORED, offence, USEFUL } from './state.ts';
import { noteEquivocation, nullify } from './views.ts';

/** A leader's N vote, from whoever passed it on. */
export function onProposal(state: EngineState, vote: Vote): Judgement {
  if (vote.subject.kind !== NOTARIZE) return offence('PROPOSAL_KIND');
  const view = subjectView(vote.subject);
  if (subjectEpoch(vote.subject) !== state.options.set.epoch || !inRange(state, view)) return IGNORED;
  if (state.rounds.at(view).leader !== vote.signer) return offence('PROPOSAL_NOT_LEADER');
  return onVote(state, vote);
}

/** Votes count above the floor and up to the next view. */
function inRange(state: EngineState, view: number): boolean {
  return view > state.floor && view <= state.view + 1;
}

export function onVote(state: EngineState, vote: Vote): Judgement {
  const { set, genesisHash, verifier, self } = state.options;
  const { subject, signer } = vote;
  const view = subjectView(subject);
  if (subjectEpoch(subject) !== set.epoch || signer === self || !inRange(state, view)) return IGNORED;
  const round = state.rounds.at(view);
  if (round.certificate(subject.kind) !== undefined) return IGNORED;
  const held = round.vote(subject.kind, signer);
  if (held !== undefined && (sameSubject(held.subject, subject) || round.hasReported(signer))) return IGNORED;
  if (!verifyVote(vote, set, genesisHash, verifier)) return offence('VOTE_SIGNATURE');
  const conflicting = round.conflicting(vote);
  if (conflicting !== undefined && round.reportOnce(signer)) {
    state.report({ type: 'equivocation', view, signer, votes: [conflicting, vote] });
  }
  if (subject.kind === NOTARIZE && signer === round.leader) noteProposal(state, round, subject.proposal);
  if (held === undefined) count(state, round, vote);
  return USEFUL;
}

function noteProposal(state: EngineState, round: Round, proposal: Proposal): void {
  if (round.proposal === undefined) {
    round.proposal = proposal;
    round.noticedAt = state.now;
  } else if (!sameProposal(round.proposal, proposal)) noteEquivocation(state, round);
}

function count(state: EngineState, round: Round, vote: Vote): void {
  round.count(vote, state.options.set);
  const { kind } = vote.subject;
  if (kind === NULLIFY && vote.signer === round.leader && round.view === state.view) {
    nullify(state, 'leader-nullified');
  }
  assemble(state, round, vote);
}

/** The certificate that the votes for the subject of `vote` make, if they have quorum and it is not here. */
export function assemble(state: EngineState, round: Round, vote: Vote): void {
  if (round.certificate(vote.subject.kind) !== undefined || round.view <= state.floor) return;
  const certificate = round.assemble(vote, state.options.set);
  if (certificate !== undefined) accept(state, certificate, undefined, true);
}

/** An own vote is durable: send it and count it. */
export function onSigned(state: EngineState, vote: Vote): Judgement {
  const { subject } = vote;
  const view = subjectView(subject);
  if (view <= state.floor) return IGNORED;
  const round = state.rounds.at(view);
  sendOwn(state, round, vote);
  if (subject.kind === NOTARIZE && vote.signer === round.leader) {
    state.report({ type: 'proposed', view, payload: subject.proposal.payload });
  }
  count(state, round, vote);
  return USEFUL;
}

/** The leader's own N travels with its block. */
export function sendOwn(state: EngineState, round: Round, vote: Vote): void {
  const isProposal = vote.subject.kind === NOTARIZE && vote.signer === round.leader;
  state.emit({ type: isProposal ? 'send-proposal' : 'send-vote', vote });
}
