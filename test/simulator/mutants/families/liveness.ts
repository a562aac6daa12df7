/** What keeps the chain going: timers, re-sends, certificates that are passed on and fetched. */
import { type Mutant, patch } from '../mutant.ts';

export const LIVENESS: readonly Mutant[] = [
  {
    name: 'nothing is ever sent again or fetched',
    trial: 'simulator',
    patches: [
      patch(
        'engine/standstill.ts',
        'for (let sent = round.view === from.view ? from.sent : 0; sent < items.length; sent++) {',
        'for (let sent = items.length; sent < items.length; sent++) {',
      ),
      patch('replica.ts', 'network.requestCertificate(effect.query, effect.preferred);', ''),
      patch(
        'engine/views.ts',
        "if (vote !== undefined) state.emit({ type: 'send-vote', vote });",
        'return USEFUL;',
      ),
    ],
  },
  {
    name: 'X is not sent again while its view lasts',
    trial: 'machine',
    patches: [
      patch('engine/views.ts', "if (vote !== undefined) state.emit({ type: 'send-vote', vote });", ''),
    ],
  },
  {
    name: 'the certificate by which a view was entered is not sent with X again',
    trial: 'machine',
    patches: [patch('engine/views.ts', 'if (state.entry !== undefined) {', 'if (vote?.signer === -1) {')],
  },
  {
    name: 'certificates are not passed on',
    trial: 'machine',
    patches: [
      patch(
        'engine/acceptance.ts',
        "state.emit({ type: 'broadcast-certificate', certificate, except: from });",
        "if (from === undefined) state.emit({ type: 'broadcast-certificate', certificate, except: from });",
      ),
    ],
  },
  {
    name: 'missing nullifications are not fetched',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        'wanted.push({ kind: NULLIFY, view, urgent: false, preferred: undefined });',
        '',
      ),
    ],
  },
  {
    name: 'what a proposal stands on is not fetched',
    trial: 'machine',
    patches: [
      patch('engine/tasks.ts', '    wanted.push(need(state, NOTARIZE, parentView, leader));\n', ''),
      patch('engine/tasks.ts', '      wanted.push(need(state, NOTARIZE, parentView, round.leader));\n', ''),
    ],
  },
  {
    name: 'an X certificate does not end its view',
    trial: 'simulator',
    patches: [
      patch(
        'engine/acceptance.ts',
        "    state.report({ type: 'nullified', view });\n    enter(state, view + 1, certificate);",
        "    state.report({ type: 'nullified', view });",
      ),
    ],
  },
  {
    name: 'a certificate of a later view does not move the replica there',
    trial: 'machine',
    patches: [
      patch(
        'engine/acceptance.ts',
        '  enter(state, round.view, certificate);\n',
        '  if (round.view === state.view + 1) enter(state, round.view, certificate);\n',
      ),
    ],
  },
  {
    name: 'the leader’s own X is not followed',
    trial: 'machine',
    patches: [
      patch(
        'engine/votes.ts',
        'if (kind === NULLIFY && vote.signer === round.leader && round.view === state.view) {',
        'if (kind === NULLIFY && vote.signer === -1 && round.view === state.view) {',
      ),
      patch(
        'engine/views.ts',
        "else if (round.vote(NULLIFY, round.leader) !== undefined) nullify(state, 'leader-nullified');",
        '',
      ),
    ],
  },
  {
    name: 'nobody loses patience with a block that is not executed',
    trial: 'simulator',
    scenario: { adversary: 'conflicter', specialty: 'withhold' },
    patches: [
      patch(
        'engine/views.ts',
        "    state.advanceDeadline = undefined;\n    nullify(state, 'no-verdict');",
        '    state.advanceDeadline = undefined;',
      ),
    ],
  },
  {
    name: 'a leader that says nothing is waited for as long as a slow one',
    trial: 'machine',
    patches: [
      patch(
        'engine/views.ts',
        "if (round.proposal === undefined) nullify(state, 'no-proposal');",
        "if (round.proposal === undefined && state.advanceDeadline === undefined) nullify(state, 'no-proposal');",
      ),
    ],
  },
  {
    name: 'timers are never backed off',
    trial: 'machine',
    patches: [patch('engine/pacing.ts', 'return Math.min(8, factor);', 'return Math.min(1, factor);')],
  },
  {
    name: 'the back-off is reset by a notarization',
    trial: 'machine',
    patches: [
      patch(
        'engine/views.ts',
        'state.leaderDeadline = now + pacing.leaderTimeout(view, floor);',
        'state.leaderDeadline = now + pacing.leaderTimeout(view, by?.subject.kind === 1 ? view : floor);',
      ),
      patch(
        'engine/views.ts',
        'state.advanceDeadline = now + pacing.advanceTimeout(view, floor);',
        'state.advanceDeadline = now + pacing.advanceTimeout(view, by?.subject.kind === 1 ? view : floor);',
      ),
    ],
  },
];
