/**
 * CometBFT #6031: the file that remembers what was signed is replaced by a rename, and the directory is not synced; a
 * crash brings the old file back, and the key signs again what it has signed. Here a segment of the journal replaces
 * another one, on a disk that keeps only what it promised.
 */
import { expect } from 'vitest';
import type { Journal as JournalType } from '../../../src/consensus/journal/journal.ts';
import { SimDisk } from '../../simulator/disk.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import { Prng } from '../../simulator/prng.ts';
import { Scheduler } from '../../simulator/scheduler.ts';
import { committee, GENESIS_HASH, X } from '../support.ts';
import { against } from './against.ts';
import { code } from './code.ts';

const CRASHES = 24;
const VIEWS = 14;
const { set, vote } = committee();

against('a rename without an fsync of the directory', {
  module: 'code.ts',
  code,
  check: async ({ Journal }) => {
    const kept: number[] = [];
    for (let seed = 0; seed < CRASHES; seed++) {
      const scheduler = new Scheduler();
      const disk = new SimDisk(scheduler, new Prng(`rename ${seed}`));
      const salts = new Prng(`salts ${seed}`);
      const wait = async <T>(promise: Promise<T>): Promise<T> => {
        let settled = false;
        const mark = (): void => {
          settled = true;
        };
        promise.then(mark, mark);
        await scheduler.run(scheduler.now() + 10_000, () => settled);
        return promise;
      };
      const open = (): Promise<JournalType> =>
        wait(
          Journal.open({
            ...{ disk: disk.open(), set, genesisHash: GENESIS_HASH },
            randomBytes: salts.bytes,
            segmentBytes: 900,
          }),
        );
      const journal = await open();
      for (let view = 1; view <= VIEWS; view++) {
        journal.append({ type: 'vote', vote: vote(0, X(view)) });
        await wait(journal.commit());
      }
      disk.crash();
      const reopened = await open().catch(() => undefined);
      kept.push(reopened?.state.views().length ?? 0);
    }
    expect(kept).toEqual(Array.from({ length: CRASHES }, () => VIEWS));
  },
  bugs: {
    'the directory is not synced': [
      patch(
        'journal/journal.ts',
        'await this.#disk.rename(temporary, name);\n    await this.#disk.syncDirectory();',
        'await this.#disk.rename(temporary, name);',
      ),
    ],
    'the old file goes before the new one is safe': [
      patch(
        'journal/journal.ts',
        'await this.#disk.rename(temporary, name);\n    await this.#disk.syncDirectory();',
        "if (this.#segment !== '') await this.#disk.remove(this.#segment);\n    await this.#disk.rename(temporary, name);",
      ),
    ],
  },
});
