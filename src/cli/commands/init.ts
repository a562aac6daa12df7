/** `kryder init`: makes the data directory of a node. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { genesisHash } from '../../chain/genesis.ts';
import { equal, toHex } from '../../codec/bytes.ts';
import { chosenSettings } from '../../config/resolve.ts';
import { initDataDirectory, readGenesisFile } from '../../node/data-directory.ts';
import { readKeyFile } from '../../node/key-file.ts';
import { addCommand, usageError } from '../output.ts';
import { flagsOf, withSettings } from '../settings-options.ts';

interface InitOptions {
  readonly dir: string;
  readonly genesis: string;
  readonly consensusKey?: string;
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
          .option('--consensus-key <file>', 'key file of a validator; without it the node follows'),
      ),
    run: async (_, options) => {
      const settings = chosenSettings(flagsOf(options));
      const genesis = await readGenesisFile(options.genesis);
      const consensus =
        options.consensusKey === undefined ? undefined : await readKeyFile(options.consensusKey, 'consensus');
      const index = genesis.validators.findIndex(
        ({ publicKey }) => consensus !== undefined && equal(publicKey, consensus.key.publicKey),
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
        consensus === undefined ? {} : { consensus: consensus.seed },
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
