/** `kryder init`: makes the data directory of a node. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { genesisHash } from '../../chain/genesis.ts';
import { type Bytes, equal, toHex } from '../../codec/bytes.ts';
import { chosenSettings } from '../../config/resolve.ts';
import type { Settings } from '../../config/settings.ts';
import { initDataDirectory, readGenesisFile } from '../../node/data-directory.ts';
import { inspectKeyFile, readKeyFile } from '../../node/keys/key-file.ts';
import { addCommand, usageError } from '../output.ts';
import { type KeyAccessOptions, keyAccess } from '../passphrase.ts';
import { flagsOf, withSettings } from '../settings-options.ts';

interface InitOptions extends KeyAccessOptions {
  readonly dir: string;
  readonly genesis: string;
  readonly consensusKey?: string;
}

/**
 * The public key in a validator's key file. The file is copied, so its passphrase is needed only to see that it
 * is the right one, which is done where it was given anyway.
 */
async function consensusKeyOf(file: string, options: InitOptions): Promise<Bytes> {
  const { publicKey, encrypted } = await inspectKeyFile(file, 'consensus');
  const given = [options.passphraseFile, process.env.KRYDER_PASSPHRASE, process.env.KRYDER_PASSPHRASE_FILE];
  if (!encrypted || given.some((value) => value !== undefined)) {
    await readKeyFile(file, 'consensus', keyAccess(options));
  }
  return publicKey;
}

/** What is kept in the file holds wherever the node is started from: a path does not depend on this command's place. */
function forAnywhere(settings: Partial<Settings>): Partial<Settings> {
  const { passphraseFile } = settings;
  return passphraseFile === undefined ? settings : { ...settings, passphraseFile: resolve(passphraseFile) };
}

export function register(program: Command): void {
  addCommand<InitOptions>(program, {
    usage: 'init',
    description: 'make the data directory of a node; settings that are given go into its node.json',
    configure: (c) =>
      withSettings(
        c
          .requiredOption('--dir <dir>', 'the data directory')
          .requiredOption('--genesis <file>', 'genesis file of the chain')
          .option(
            '--consensus-key <file>',
            'key file of a validator, copied as it is; without it the node follows',
          ),
      ),
    run: async (_, options) => {
      const settings = forAnywhere(chosenSettings(flagsOf(options)));
      const genesis = await readGenesisFile(options.genesis);
      const consensus =
        options.consensusKey === undefined ? undefined : await consensusKeyOf(options.consensusKey, options);
      const index = genesis.validators.findIndex(
        ({ publicKey }) => consensus !== undefined && equal(publicKey, consensus),
      );
      if (consensus !== undefined && index < 0) {
        throw usageError(
          `the key in "${options.consensusKey}" is none of the ${genesis.validators.length} validators of this chain`,
          'leave --consensus-key out to follow the chain without voting',
        );
      }
      await initDataDirectory(
        options.dir,
        genesis,
        settings,
        options.consensusKey === undefined ? {} : { consensus: { file: options.consensusKey } },
      );
      const hash = toHex(genesisHash(genesis));
      const dir = resolve(options.dir);
      return {
        json: { dir, genesisHash: hash, chain: genesis.name, validator: index < 0 ? null : index },
        text: [
          `${dir} is ready for chain ${genesis.name}, genesis ${hash}`,
          index < 0 ? 'the node will follow the chain' : `the node will be validator ${index}`,
          `start it with: kryder node --dir "${dir}"`,
        ],
      };
    },
  });
}
