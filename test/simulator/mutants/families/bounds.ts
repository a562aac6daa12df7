/** What a flood, a long outage or a liar may cost. */
import { type Mutant, patch } from '../mutant.ts';

export const BOUNDS: readonly Mutant[] = [
  {
    name: 'votes of far views are held',
    trial: 'machine',
    patches: [
      patch(
        'engine/votes.ts',
        'return view > state.floor && view <= state.view + 1;',
        'return view > state.floor;',
      ),
    ],
  },
  {
    name: 'views below the last final one stay in memory',
    trial: 'simulator',
    patches: [patch('engine/acceptance.ts', '  rounds.prune();\n', '')],
  },
  {
    name: 're-sends at a standstill are not capped',
    trial: 'machine',
    patches: [
      patch(
        'engine/standstill.ts',
        "if (bytes > budget && effects.some(({ type }) => type !== 'report')) {",
        "if (bytes < 0 && effects.some(({ type }) => type !== 'report')) {",
      ),
    ],
  },
  {
    name: 'everything that is missing is asked for at once',
    trial: 'machine',
    patches: [
      patch('engine/fetcher.ts', 'const WINDOW = 32;', 'const WINDOW = 1e9;'),
      patch('engine/tasks.ts', 'const GAP_WINDOW = 32;', 'const GAP_WINDOW = 1e9;'),
    ],
  },
  {
    name: 'what is missing is asked for again at every step',
    trial: 'machine',
    patches: [
      patch(
        'engine/fetcher.ts',
        'fetch.nextAt = now + this.#pacing.fetchDelay(fetch.attempts++);',
        'fetch.nextAt = now + 0 * fetch.attempts++;',
      ),
    ],
  },
  {
    name: 'the journal never forgets',
    trial: 'machine',
    patches: [
      patch(
        'engine/acceptance.ts',
        "  state.emit({ type: 'journal', record: { type: 'floor', view } });\n",
        '  void view;\n',
      ),
    ],
  },
];
