/** `kryder init`: makes the data directory of a node. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { genesisHash } from '../../chain/genesis.ts';
import { equal, toHex } from '../../codec/bytes.ts';
import { initDataDirectory, readGenesisFile } from '../../node/data-directory.ts';
import { readKeyFile } from '../../node/key-file.ts';
import { collect, hostAndPort } from '../options.ts';
import { addCommand, usageError } from '../output.ts';

interface InitOptions {
  readonly dir: string;
  readonly genesis: string;
  readonly consensusKey?: string;
  readonly listen?: readonly string[];
  readonly announce?: readonly string[];
  readonly bootstrap?: readonly string[];
  readonly api: string;
}

export function register(program: Command): void {
  addCommand<InitOptions>(program, {
    usage: 'init',
    description: 'make the data directory of a node',
    configure: (c) =>
      c
        .requiredOption('--dir <dir>', 'the data directory')
        .requiredOption('--genesis <file>', 'genesis file of the chain')
        .option('--consensus-key <file>', 'key file of a validator; without it the node follows')
        .option('--listen <multiaddr>', 'where to listen for peers; may be repeated', collect)
        .option('--announce <multiaddr>', 'what to tell others instead; may be repeated', collect)
        .option('--bootstrap <multiaddr>', 'a node to join through; may be repeated', collect)
        .option('--api <host:port>', 'where the HTTP API listens', '127.0.0.1:7070'),
    run: async (_, options) => {
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
      const { host, port } = hostAndPort(options.api, '--api');
      await initDataDirectory(
        options.dir,
        genesis,
        {
          ...(options.listen === undefined ? {} : { listen: [...options.listen] }),
          announce: [...(options.announce ?? [])],
          bootstrap: [...(options.bootstrap ?? [])],
          apiHost: host,
          apiPort: port,
        },
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
