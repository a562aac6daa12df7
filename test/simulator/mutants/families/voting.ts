/** What an honest key never signs, and what it signs only under conditions. */
import { type Mutant, patch, unguarded } from '../mutant.ts';
import { RESTLESS } from './restless.ts';

export const VOTING: readonly Mutant[] = [
  {
    name: 'F is signed after X',
    trial: 'simulator',
    patches: [
      unguarded('SIGN_FINALIZE_AFTER_NULLIFY'),
      patch(
        'engine/views.ts',
        'round.view <= state.floor || round.own[NULLIFY] || round.own[FINALIZE]',
        'round.view <= state.floor || round.own[FINALIZE]',
      ),
    ],
  },
  {
    name: 'X is signed after F: whoever loses patience gives up on the view before, too',
    trial: 'simulator',
    patches: [
      unguarded('SIGN_NULLIFY_AFTER_FINALIZE'),
      patch(
        'engine/views.ts',
        'sign(state, { kind: NULLIFY, epoch: state.options.set.epoch, view });',
        'for (const at of [view, view - 1]) if (at > state.floor) sign(state, { kind: NULLIFY, epoch: state.options.set.epoch, view: at });',
      ),
    ],
  },
  {
    name: 'F is given with N, without a certificate',
    trial: 'simulator',
    patches: [
      patch(
        'engine/tasks.ts',
        '  sign(state, { kind: NOTARIZE, proposal });\n',
        '  sign(state, { kind: NOTARIZE, proposal });\n  round.own[3] = true; sign(state, { kind: 3, proposal });\n',
      ),
    ],
  },
  {
    name: 'F is given before the block is executed',
    trial: 'simulator',
    patches: [
      patch(
        'engine/acceptance.ts',
        '  state.uncertified.add(round.view);\n',
        '  round.verdict = true; round.own[3] = true;\n' +
          "  if (state.options.self !== undefined) state.emit({ type: 'sign', subject: { kind: 3, proposal } });\n" +
          '  enter(state, round.view + 1, certificate);\n',
      ),
    ],
  },
  {
    name: 'F is given where the leader equivocated',
    trial: 'machine',
    patches: [
      patch(
        'engine/views.ts',
        'if (round.equivocated || round.verdict !== true',
        'if (round.verdict !== true',
      ),
      patch('engine/views.ts', "if (round.view === state.view) nullify(state, 'leader-equivocated');", ''),
      patch('engine/views.ts', "  else if (round.equivocated) nullify(state, 'leader-equivocated');\n", ''),
    ],
  },
  {
    name: 'N is signed after X',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        'if (proposal === undefined || round.own[NOTARIZE] || round.own[NULLIFY] || round.equivocated) return;',
        'if (proposal === undefined || round.own[NOTARIZE] || round.equivocated) return;',
      ),
      patch(
        'engine/tasks.ts',
        'if (round.own[NULLIFY] || round.own[NOTARIZE] || round.equivocated) return IGNORED;',
        'if (round.own[NOTARIZE] || round.equivocated) return IGNORED;',
      ),
      patch(
        'engine/views.ts',
        'round.own[NULLIFY] = true;\n  cancelVerify(state, round);',
        'round.own[NULLIFY] = true;',
      ),
    ],
  },
  {
    name: 'the skipped views of a proposal need not be nullified',
    trial: 'simulator',
    scenario: { adversary: 'conflicter', specialty: 'stale-parent', loss: 0.2, maxDelay: 60 },
    patches: [
      patch(
        'engine/tasks.ts',
        'if (gaps.length > 0 || parent === undefined) return;',
        'if (parent === undefined) return;',
      ),
    ],
  },
  {
    name: 'a leader builds across views that nobody nullified',
    trial: 'machine',
    patches: [patch('engine/tasks.ts', '  if (gaps.length > 0) {\n', '  if (gaps.length > 999) {\n')],
  },
  {
    name: 'a leader builds on a block that was notarized and not executed',
    trial: 'machine',
    patches: [
      patch(
        'engine/round.ts',
        'if (this.certified(u) !== undefined) return u;',
        'if (this.notarized(u) !== undefined) return u;',
      ),
      patch(
        'engine/tasks.ts',
        '  const parent = rounds.certified(parentView);\n  invariant(',
        '  const parent = rounds.certified(parentView) ?? rounds.notarized(parentView);\n  invariant(',
      ),
    ],
  },
  {
    name: 'a leader proposes again after a restart',
    trial: 'simulator',
    scenario: RESTLESS,
    patches: [
      unguarded('SIGN_CONFLICT'),
      patch('engine/recovery.ts', 'round.own[vote.subject.kind] = true;', ''),
      patch('engine/recovery.ts', 'round.proposal = vote.subject.proposal;', 'round.proposal = undefined;'),
    ],
  },
  {
    name: 'the outcome of a check on a stale parent is used',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        'if (current === undefined || !equal(current.payload, parent.payload)) {',
        'if (current === undefined || !equal(parent.payload, parent.payload)) {',
      ),
    ],
  },
  {
    name: 'the outcome of a check of another proposal is used',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        'if (round.proposal === undefined || !sameProposal(round.proposal, proposal)) return IGNORED;',
        'if (round.proposal === undefined) return IGNORED;',
      ),
      patch(
        'engine/tasks.ts',
        'else notarize(state, round, proposal, body);\n  return USEFUL;',
        'else notarize(state, round, round.proposal, body);\n  return USEFUL;',
      ),
    ],
  },
];
