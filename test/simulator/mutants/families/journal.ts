/** The journal's files: batches, segments, checkpoints, the mark. */
import { type Mutant, patch } from '../mutant.ts';
import { AFTER_REMOVAL, RESTLESS } from './restless.ts';

const SYNC = 'await this.#disk.sync(this.#segment);';

export const JOURNAL: readonly Mutant[] = [
  {
    name: 'the journal does not sync its batches',
    trial: 'simulator',
    patches: [patch('journal/journal.ts', SYNC, '')],
  },
  {
    name: 'a start trusts what no sync has covered',
    trial: 'journal',
    patches: [patch('journal/journal.ts', 'await disk.sync(newest);\n', '')],
  },
  {
    name: 'the mark is written before the sync',
    trial: 'simulator',
    patches: [
      patch(
        'journal/journal.ts',
        SYNC,
        `await writeMark(this.#disk, { index: this.#index, salt: this.#salt, end: this.#size + BATCH_HEADER_BYTES + length }); ${SYNC}`,
      ),
    ],
  },
  {
    name: 'the directory is not synced after a rename',
    trial: 'simulator',
    patches: [
      patch(
        'journal/journal.ts',
        'await this.#disk.rename(temporary, name);\n    await this.#disk.syncDirectory();',
        'await this.#disk.rename(temporary, name);',
      ),
    ],
  },
  {
    name: 'a failed sync is passed over',
    trial: 'journal',
    patches: [
      patch('journal/journal.ts', SYNC, 'await this.#disk.sync(this.#segment).catch(() => undefined);'),
    ],
  },
  {
    name: 'the old segment is removed before the new one is synced',
    trial: 'simulator',
    scenario: AFTER_REMOVAL,
    patches: [
      patch(
        'journal/journal.ts',
        'await this.#disk.sync(temporary);\n',
        "if (this.#segment !== '') await this.#disk.remove(this.#segment); await this.#disk.sync(temporary);\n",
      ),
      patch('journal/journal.ts', "if (previous !== '') await this.#disk.remove(previous);", ''),
    ],
  },
  {
    name: 'a checkpoint leaves own votes out',
    trial: 'simulator',
    scenario: RESTLESS,
    patches: [
      patch(
        'journal/state.ts',
        "for (const vote of this.#votes.get(view) ?? []) yield { type: 'vote', vote };",
        '',
      ),
    ],
  },
  {
    name: 'a checkpoint leaves bodies out',
    trial: 'journal',
    patches: [
      patch(
        'journal/journal.ts',
        'if (entry.location === undefined) continue;',
        'if (entry.location === undefined || length >= 0) continue;',
      ),
    ],
  },
  {
    name: 'a checkpoint leaves verdicts out',
    trial: 'journal',
    patches: [
      patch(
        'journal/state.ts',
        "if (verdict !== undefined) yield { type: 'verdict', view, ...verdict };",
        'void verdict;',
      ),
    ],
  },
  {
    name: 'a torn tail is taken for corruption',
    trial: 'simulator',
    patches: [
      patch('journal/segment.ts', 'if (later !== undefined) corrupt(name, offset,', 'corrupt(name, offset,'),
    ],
  },
  {
    name: 'a corrupt middle is cut off as if it were a torn tail',
    trial: 'journal',
    patches: [
      patch(
        'journal/segment.ts',
        'if (later !== undefined) corrupt(name, offset,',
        'if (later === -1) corrupt(name, offset,',
      ),
      patch('journal/mark.ts', '  if (end < mark.end) {', '  if (end < 0) {'),
    ],
  },
  {
    name: 'a synced batch that rotted at the end is cut off as if it were torn',
    trial: 'journal',
    patches: [patch('journal/mark.ts', '  if (end < mark.end) {', '  if (end < 0) {')],
  },
  {
    name: 'what was torn off stays in the file',
    trial: 'journal',
    patches: [
      patch('journal/journal.ts', 'if (scan.end < scan.size) await disk.truncate(newest, scan.end);', ''),
    ],
  },
  {
    name: 'the journal’s floor follows every record, backwards too',
    trial: 'journal',
    patches: [
      patch(
        'journal/state.ts',
        "      case 'floor':\n        if (record.view <= this.#floor) return false;",
        "      case 'floor':\n        if (record.view === this.#floor) return false;",
      ),
    ],
  },
];
