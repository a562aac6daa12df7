/**
 * Starting from the application's floor and from what the journal holds above it; either may be ahead of the
 * other. The view follows from the certificates, never from the last record. Own votes are counted again,
 * like anybody's: a replica that forgets its own nullify vote can hold up the whole network.
 */
import { invariant } from '../../codec/errors.ts';
import type { Floor } from '../host.ts';
import type { JournalState } from '../journal/state.ts';
import { type Certificate, FINALIZE, NOTARIZE, NULLIFY, type Vote } from '../types.ts';
import { sameProposal, subjectView } from '../vote.ts';
import { dropDurable, finalize } from './acceptance.ts';
import type { EngineState } from './state.ts';
import { enter, maybeFinalize } from './views.ts';
import { assemble, sendOwn } from './votes.ts';

export function restore(state: EngineState, floor: Floor, journal: JournalState): void {
  const { rounds } = state;
  const floorView = floor.proposal.view;
  const finalized = floor.finalization?.subject;
  invariant(
    finalized === undefined
      ? floorView === 0
      : finalized.kind === FINALIZE && sameProposal(finalized.proposal, floor.proposal),
    'the floor is the genesis block or comes with the F certificate of this very proposal',
  );
  const notarized = journal.certificatesOf(floorView)[NOTARIZE];
  if (floorView > 0 && notarized !== undefined) rounds.at(floorView).setCertificate(notarized);
  if (floor.finalization !== undefined) {
    rounds.at(floorView).setCertificate(floor.finalization);
    state.emit({ type: 'journal', record: { type: 'certificate', certificate: floor.finalization } });
  }
  state.emit({ type: 'floor', view: Math.max(floorView, journal.floor) });
  const ownVotes = load(state, journal);
  const final = rounds.certificate(FINALIZE, journal.highestFinalization());
  if (final?.subject.kind === FINALIZE && final.subject.proposal.view > floorView) {
    finalize(state, final, final.subject.proposal, true);
  }
  countOwnVotes(state, ownVotes);
  const [view, entry] = recoveredView(state, journal.floor);
  enter(state, view, entry);
  resumeOwnVotes(state, ownVotes);
  dropDurable(state);
}

/** Takes the journal's rounds above the floor; returns the own votes in them. */
function load(state: EngineState, journal: JournalState): Vote[] {
  const { rounds, floor } = state;
  const { self } = state.options;
  const ownVotes: Vote[] = [];
  for (const view of journal.views()) {
    if (view <= floor) continue;
    const round = rounds.at(view);
    for (const kind of [NOTARIZE, NULLIFY, FINALIZE] as const) {
      const certificate = journal.certificatesOf(view)[kind];
      if (certificate !== undefined) round.setCertificate(certificate);
      const vote = self === undefined ? undefined : journal.ownVote(self, kind, view);
      if (vote !== undefined) ownVotes.push(vote);
    }
    const verdict = journal.verdictOf(view);
    round.verdict = verdict?.ok;
    round.certifying = verdict === undefined ? 'idle' : 'done';
    round.proposal = rounds.notarized(view);
  }
  return ownVotes;
}

/** One more than the highest view that is finalised, nullified or certified, and what it was entered by. */
function recoveredView(state: EngineState, journalFloor: number): [number, Certificate | undefined] {
  const { rounds, floor } = state;
  let view = floor + 1;
  let entry = rounds.certificate(FINALIZE, floor);
  if (journalFloor >= view) [view, entry] = [journalFloor + 1, undefined];
  for (const round of rounds.between(floor + 1, Number.MAX_SAFE_INTEGER)) {
    const notarization = round.certificate(NOTARIZE);
    const passed = round.certificate(NULLIFY) ?? (round.verdict === true ? notarization : undefined);
    if (notarization !== undefined && round.verdict === undefined) state.uncertified.add(round.view);
    if (passed !== undefined && round.view + 1 > view) [view, entry] = [round.view + 1, passed];
    else if (notarization !== undefined && round.view > view) [view, entry] = [round.view, notarization];
  }
  return [view, entry];
}

function countOwnVotes(state: EngineState, ownVotes: readonly Vote[]): void {
  for (const vote of ownVotes) {
    const view = subjectView(vote.subject);
    if (view <= state.floor) continue;
    const round = state.rounds.at(view);
    round.own[vote.subject.kind] = true;
    round.count(vote, state.options.set);
    if (vote.subject.kind !== NOTARIZE) continue;
    if (round.proposal === undefined) round.proposal = vote.subject.proposal;
    else if (!sameProposal(round.proposal, vote.subject.proposal)) {
      round.equivocated = true;
      state.emit({ type: 'equivocated', view });
    }
  }
}

/** Sends again what may have been lost with the process, and finishes what own votes alone decide. */
function resumeOwnVotes(state: EngineState, ownVotes: readonly Vote[]): void {
  for (const vote of ownVotes) {
    const view = subjectView(vote.subject);
    const round = state.rounds.peek(view);
    if (round === undefined || view <= state.floor) continue;
    if (vote.subject.kind === FINALIZE || view === state.view) sendOwn(state, round, vote);
    assemble(state, round, vote);
  }
  for (const round of state.rounds.between(state.floor + 1, state.view)) maybeFinalize(state, round);
}
