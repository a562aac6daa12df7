/** What a replica makes of its journal, and what it has put there before anything left. */
import { type Mutant, patch } from '../mutant.ts';
import { RESTLESS } from './restless.ts';

export const RECOVERY: readonly Mutant[] = [
  {
    name: 'replayed own votes are not counted and not sent',
    trial: 'simulator',
    scenario: RESTLESS,
    patches: [
      patch('engine/recovery.ts', 'round.count(vote, state.options.set);', ''),
      patch('engine/recovery.ts', 'sendOwn(state, round, vote);', 'void sendOwn;'),
    ],
  },
  {
    name: 'replayed own votes are sent and not counted',
    trial: 'machine',
    patches: [patch('engine/recovery.ts', 'round.count(vote, state.options.set);', '')],
  },
  {
    name: 'replayed own votes are counted and not sent',
    trial: 'machine',
    patches: [patch('engine/recovery.ts', 'sendOwn(state, round, vote);', 'void sendOwn;')],
  },
  {
    name: 'recovery takes the last record for the view',
    trial: 'machine',
    patches: [
      patch(
        'engine/recovery.ts',
        'if (passed !== undefined && round.view + 1 > view) [view, entry] = [round.view + 1, passed];',
        'if (passed !== undefined) [view, entry] = [round.view, passed];',
      ),
    ],
  },
  {
    name: 'own votes are not journaled',
    trial: 'simulator',
    patches: [patch('signer.ts', "this.#journal.append({ type: 'vote', vote });", '')],
  },
  {
    name: 'votes leave before the fsync',
    trial: 'simulator',
    scenario: RESTLESS,
    patches: [
      patch(
        'signer.ts',
        'return this.#journal.commit().then(() => vote);',
        'this.#journal.commit().catch(() => undefined); return Promise.resolve(vote);',
      ),
      patch('replica.ts', 'await this.#journal?.commit();', ''),
    ],
  },
  {
    name: 'certificates leave and the application is told before the fsync',
    trial: 'driver',
    patches: [patch('replica.ts', 'await this.#journal?.commit();', '')],
  },
  {
    name: 'certificates are not journaled',
    trial: 'driver',
    patches: [
      patch(
        'engine/acceptance.ts',
        "  state.emit({ type: 'journal', record: { type: 'certificate', certificate } });\n  if (!above) return;",
        '  if (!above) return;',
      ),
    ],
  },
  {
    name: 'a verdict is not journaled',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        "state.emit({ type: 'journal', record: { type: 'verdict', view, payload, ok } });",
        '',
      ),
    ],
  },
  {
    name: 'the body is not in the fsync of its N',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        "state.emit({ type: 'journal', record: { type: 'body', view, payload: proposal.payload, body } });",
        'void body;',
      ),
    ],
  },
  {
    name: 'the body is not on the disk before F',
    trial: 'machine',
    patches: [
      patch(
        'engine/tasks.ts',
        "if (ok) state.emit({ type: 'journal', record: { type: 'body', view, payload, body } });",
        'void body;',
      ),
    ],
  },
  {
    name: 'the journal forgets what is final before the database has it',
    trial: 'machine',
    patches: [
      patch(
        'engine/acceptance.ts',
        'const view = Math.min(state.durable, state.floor);',
        'const view = state.floor;',
      ),
    ],
  },
];
