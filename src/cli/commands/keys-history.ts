/** `kryder keys history`: moves a validator from one data directory to another without voting twice. */
import type { Command } from 'commander';
import { toHex } from '../../codec/bytes.ts';
import {
  beginHistory,
  exportHistory,
  importHistory,
  type SigningHistory,
} from '../../node/keys/signing-history.ts';
import { wholeNumber } from '../options.ts';
import { type Answer, addCommand } from '../output.ts';

interface DirectoryOption {
  readonly dir: string;
}

function withDirectory(command: Command): Command {
  return command.requiredOption('--dir <dir>', 'the data directory; its node must be stopped');
}

function answer({ publicKey, serial, view }: SigningHistory, text: readonly string[]): Answer {
  return {
    json: { publicKey: toHex(publicKey), serial, view },
    text: [`consensus key ${toHex(publicKey)}`, ...text],
  };
}

export function registerHistory(keys: Command): void {
  const history = keys.command('history').description('what a consensus key has signed: to move a validator');

  addCommand<DirectoryOption>(history, {
    usage: 'export <file>',
    description: 'write the history to a new file; from then on the directory signs nothing',
    configure: withDirectory,
    run: async ([file], { dir }) => {
      const exported = await exportHistory(dir, file!);
      return answer(exported, [
        `has signed nothing above view ${exported.view}; that is written to ${file}`,
        `${dir} signs nothing any more, until a newer history is imported there`,
      ]);
    },
  });

  addCommand<DirectoryOption & { notImportedElsewhere?: boolean }>(history, {
    usage: 'import <file>',
    description: 'let the key in a directory sign above what the history says',
    configure: (c) =>
      withDirectory(c).option(
        '--not-imported-elsewhere',
        'take back an export of this very directory; if it was imported anywhere, the key will sign twice and be punished',
      ),
    run: async ([file], { dir, notImportedElsewhere }) => {
      const imported = await importHistory(dir, file!, notImportedElsewhere);
      return answer(imported, [`signs in ${dir} above view ${imported.view} only`]);
    },
  });

  addCommand<DirectoryOption & { above: string }>(history, {
    usage: 'begin',
    description: 'for a lost history: sign above a view that the key has certainly never voted at',
    configure: (c) =>
      withDirectory(c).requiredOption(
        '--above <view>',
        'the network’s view, and some more; 0 for a key that never voted. If the key voted above it, or still ' +
          'votes elsewhere, it will sign twice and be punished',
      ),
    run: async (_, { dir, above }) => {
      const view = wholeNumber(above, '--above', 0, 10 ** 14);
      const begun = await beginHistory(dir, view);
      return answer(begun, [`signs in ${dir} above view ${begun.view} only`]);
    },
  });
}
