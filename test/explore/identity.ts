/**
 * When two validators of an exploration are in the same state: a fingerprint of everything that further behaviour
 * depends on. What it leaves out, and why, is in docs/exploration.md; a test compares what it takes for equal.
 */
import { Round } from '../../src/consensus/engine/round.ts';
import type { EngineState } from '../../src/consensus/engine/state.ts';
import type { Effect } from '../../src/consensus/events.ts';
import type { JournalRecord } from '../../src/consensus/journal/records.ts';
import { JournalState } from '../../src/consensus/journal/state.ts';
import { FINALIZE, NOTARIZE, NULLIFY, type Proposal, type Subject } from '../../src/consensus/types.ts';
import type { Instance } from './instance.ts';

const KINDS = [NOTARIZE, NULLIFY, FINALIZE] as const;
/** A view of which nothing is known. */
const NOTHING = new Round(0, -1);

/** Effects that wait for the commit; a subject stands for an own vote on it. */
export type Outgoing = Exclude<Effect, { type: 'journal' | 'sign' | 'floor' | 'equivocated' }> | Subject;

/** A validator, held still. */
interface Snapshot {
  readonly self: number;
  readonly sentA: number;
  readonly sentF: number;
  readonly faults: readonly string[];
  readonly lives: number;
  readonly state: EngineState;
  readonly journal: JournalState;
  /** What the disk holds. */
  readonly durable: readonly JournalRecord[];
  readonly outgoing: readonly Outgoing[];
  readonly building: Extract<Effect, { type: 'build' }> | undefined;
  readonly verifying: Extract<Effect, { type: 'verify' }> | undefined;
  readonly certifying: ReadonlyMap<number, Extract<Effect, { type: 'certify' }>>;
  /** The highest block that the application was told is final, and the highest in its database. */
  readonly told: Proposal;
  readonly stored: Proposal;
}

type Parts = (string | number)[];

/** The fingerprint: equal for two validators of one role that behave alike from here on. */
export function fingerprintOf(instance: Instance, snapshot: Snapshot): string {
  const { self, sentA, sentF, faults, lives, state, building, verifying, certifying } = snapshot;
  const { views, options } = instance;
  const rounds = state.rounds.between(0, Number.MAX_SAFE_INTEGER);
  const parts: Parts = [sentA, sentF, lives, idOf(snapshot.told)];
  if (faults.length > 0) parts.push('!', ...faults);
  const votes = options.deliveries === 'votes';
  // Beyond the last view, and without a crash to come, nothing is left to give but F.
  const past = state.view > views && lives >= options.crashes && options.commits === 'at-once' && !votes;
  const open = rounds.filter(({ view, own, equivocated }) => {
    return view > state.floor && view <= views && !own[NULLIFY] && !own[FINALIZE] && !equivocated;
  });
  if (past && open.length === 0) return parts.join(' ');
  const { own: mine } = state.rounds.at(state.view);
  const patient = state.advanceDeadline !== undefined && !mine[NULLIFY] && !mine[FINALIZE];
  parts.push(state.view, state.floor, state.durable, idOf(snapshot.stored), patient ? 1 : 0);
  parts.push(state.buildDeadline === undefined ? 0 : 1, [...state.uncertified].sort().join());
  for (const round of rounds) {
    const ahead = round.view >= state.view;
    const row = round.view > views ? '' : rowOf(instance, self, round, ahead, past);
    if (row !== '' && row !== rowOf(instance, self, NOTHING, ahead, past)) parts.push('R', round.view, row);
  }
  // Only who starts again reads its journal, apart from own votes.
  if (lives < options.crashes) pushJournal(parts, self, snapshot.journal);
  if (building !== undefined) parts.push('b', building.view, idOf(building.parent));
  if (verifying !== undefined) parts.push('v', idOf(verifying.proposal), idOf(verifying.parent));
  for (const view of [...certifying.keys()].sort()) {
    const { proposal, parent } = certifying.get(view)!;
    parts.push('c', idOf(proposal), idOf(parent));
  }
  if (options.commits === 'apart') pushPending(parts, snapshot);
  return parts.join(' ');
}

function rowOf(instance: Instance, self: number, round: Round, ahead: boolean, past: boolean): string {
  const { verdict, verifying, certifying, building, own } = round;
  // Once X or F was given, nothing more is verified and no other F given.
  const open = !own[NULLIFY] && !own[FINALIZE];
  const parts: Parts = [`${verdict}`.charAt(0), certifying.charAt(0)];
  parts.push(own[NULLIFY] ? 1 : 0, own[FINALIZE] ? 1 : 0);
  if (open) parts.push(round.equivocated ? 1 : 0);
  // An N certificate settles what the proposal is.
  if (open && round.certificate(NOTARIZE) === undefined) {
    parts.push(idOf(round.proposal));
    if (ahead) parts.push(own[NOTARIZE] ? 1 : 0, verifying.charAt(0), building.charAt(0));
  }
  for (const kind of KINDS) {
    if (!past || kind !== NULLIFY) parts.push(nameOf(round.certificate(kind)?.subject));
    if (instance.options.deliveries === 'certificates') continue;
    for (let signer = 0; signer < instance.set.validators.length; signer++) {
      const vote = round.vote(kind, signer);
      if (vote !== undefined) parts.push('v', signer, nameOf(vote.subject));
      if (kind === NOTARIZE && round.hasReported(signer)) parts.push('r', signer);
    }
  }
  // A leader's X that came early: it ends the view when that begins.
  if (ahead && open && round.leader !== self && round.vote(NULLIFY, round.leader) !== undefined)
    parts.push('l');
  return parts.join(' ');
}

function idOf(proposal: Proposal | undefined): string {
  return proposal === undefined ? '-' : `${proposal.payload[0]}`;
}

function nameOf(subject: Subject | undefined): string {
  if (subject === undefined) return '-';
  return subject.kind === NULLIFY ? `X${subject.view}` : `${subject.kind}/${idOf(subject.proposal)}`;
}

function pushJournal(parts: Parts, self: number, state: JournalState): void {
  parts.push('J', state.floor);
  for (const view of state.views()) {
    const held = state.certificatesOf(view);
    const verdict = state.verdictOf(view);
    parts.push(view, verdict === undefined ? '-' : `${verdict.ok}`.charAt(0));
    for (const kind of KINDS) {
      parts.push(nameOf(held[kind]?.subject), nameOf(state.ownVote(self, kind, view)?.subject));
    }
  }
}

function pushPending(parts: Parts, { self, durable, outgoing }: Snapshot): void {
  const replayed = new JournalState();
  for (const record of durable) replayed.apply(record);
  pushJournal(parts, self, replayed);
  for (const item of outgoing) {
    if ('kind' in item) parts.push('s', nameOf(item));
    else if (item.type === 'send-vote' || item.type === 'send-proposal')
      parts.push('S', nameOf(item.vote.subject));
    else if (item.type === 'build') parts.push('B', item.view, idOf(item.parent));
    else if (item.type === 'verify' || item.type === 'certify') {
      parts.push(item.type, idOf(item.proposal), idOf(item.parent));
    } else if (item.type === 'cancel') parts.push('x', item.task, item.view);
    else if (item.type === 'finalize') parts.push('f', nameOf(item.certificate.subject));
  }
}
