/** Certifying: when a block is executed, in which order, what follows from the verdict, and what is final then. */
import { type Mutant, patch } from '../mutant.ts';

export const EXECUTION: readonly Mutant[] = [
  {
    name: 'X cancels the execution of a notarized block',
    trial: 'machine',
    patches: [
      patch(
        'engine/acceptance.ts',
        "    state.report({ type: 'nullified', view });\n",
        "    state.report({ type: 'nullified', view });\n" +
          "    if (state.rounds.at(view).certifying === 'running') state.emit({ type: 'cancel', task: 'certify', view });\n" +
          "    state.rounds.at(view).certifying = 'done'; state.uncertified.delete(view);\n",
      ),
    ],
  },
  {
    name: 'a block is executed before its parent was',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        '    const parent = rounds.certified(parentView);\n    if (parent !== undefined) {',
        '    const parent = rounds.certified(parentView) ?? rounds.notarized(parentView);\n    if (parent !== undefined) {',
      ),
    ],
  },
  {
    name: 'a false verdict does not end its view',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        "} else if (view === state.view) nullify(state, 'certification-failed', reason);",
        '}',
      ),
      patch(
        'engine/views.ts',
        "else if (round.verdict === false) nullify(state, 'certification-failed');",
        '',
      ),
    ],
  },
  {
    name: 'every verdict is taken for a good one',
    trial: 'simulator',
    scenario: { adversary: 'conflicter', specialty: 'poison' },
    patches: [patch('engine/tasks.ts', '  round.verdict = ok;\n', '  ok = true; round.verdict = ok;\n')],
  },
  {
    name: 'a replica forgets after a restart what it has not executed yet',
    trial: 'machine',
    patches: [
      patch(
        'engine/recovery.ts',
        'if (notarization !== undefined && round.verdict === undefined) state.uncertified.add(round.view);',
        '',
      ),
    ],
  },
  {
    name: 'the application hears of the last block of a finalization only',
    trial: 'machine',
    patches: [
      patch(
        'engine/acceptance.ts',
        "state.emit({ type: 'finalize', proposals, gap,",
        "state.emit({ type: 'finalize', proposals: proposals.slice(-1), gap,",
      ),
    ],
  },
  {
    name: 'an old finalization moves the floor back',
    trial: 'machine',
    patches: [
      patch(
        'engine/acceptance.ts',
        'view < floor || view === 0) return false;',
        'view === 0 || (view < floor && subject.kind !== FINALIZE)) return false;',
      ),
      patch(
        'engine/acceptance.ts',
        '  const above = view > state.floor;\n',
        '  const above = view > state.floor || (subject.kind === FINALIZE && view < state.floor);\n',
      ),
      patch(
        'engine/acceptance.ts',
        'if (subject.kind === FINALIZE && above && contradicts(',
        'if (subject.kind === FINALIZE && view > state.floor && contradicts(',
      ),
    ],
  },
  {
    name: 'a proposal below the last final block is waited for',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        'if (parentView >= view || parentView < state.floor) {',
        'if (parentView >= view) {',
      ),
    ],
  },
];
