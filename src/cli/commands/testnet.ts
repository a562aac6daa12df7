/** `kryder testnet`: what the containers of docker-compose.yml run, apart from the nodes themselves. */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { parseKry } from '../../codec/amount.ts';
import { type HostPort, hostPort } from '../../config/addresses.ts';
import { collect, wholeNumber } from '../options.ts';
import { addCommand, usageError } from '../output.ts';
import { addService } from '../service.ts';
import { packageFile } from '../version.ts';

interface InitOptions {
  readonly dir: string;
  readonly plan?: string;
}

interface OwnerOptions {
  readonly dir: string;
  readonly genesis: string;
  readonly api: string;
  readonly check: string;
  readonly blob?: string;
  readonly door: string;
  readonly doorUrl?: string;
  readonly amount: string;
  readonly every: string;
}

interface StewardOptions {
  readonly dir: string;
  readonly genesis: string;
  readonly api?: readonly string[];
  readonly from?: readonly string[];
}

function doorAddress(text: string): HostPort {
  try {
    return hostPort.parse(text);
  } catch {
    throw usageError(`--door must be ${hostPort.range}; "${text.slice(0, 80)}" is not`);
  }
}

function registerInit(group: Command): void {
  addCommand<InitOptions>(group, {
    usage: 'init',
    description: 'make genesis, keys and data directories, a folder for each member; keep what is there',
    configure: (c) =>
      c
        .requiredOption('--dir <dir>', 'the folder that holds the members’ folders')
        .option(
          '--plan <file>',
          'what the chain begins with (default: genesis/testnet.json of this program)',
        ),
    run: async (_, { dir, plan }) => {
      const { prepareTestnet, readTestnetPlan } = await import('../../testnet/prepare.ts');
      const file = plan ?? fileURLToPath(packageFile('genesis/testnet.json'));
      const { genesisHash, genesisFile, unchanged } = await prepareTestnet(dir, await readTestnetPlan(file));
      const news = unchanged ? 'everything is there already' : 'the testnet is ready';
      return {
        json: { dir, genesisFile, genesisHash, unchanged },
        text: [`${news}: ${genesisFile}, genesis ${genesisHash}`],
      };
    },
  });
}

function registerOwner(group: Command): void {
  addService<OwnerOptions>(group, {
    usage: 'owner',
    description: 'keep a blob offered and post one bounty after the other on it',
    configure: (c) =>
      c
        .requiredOption('--dir <dir>', 'its folder, with its account key')
        .requiredOption('--genesis <file>', 'genesis file of the chain')
        .requiredOption('--api <url>', 'the node that it pays through')
        .requiredOption('--check <url>', 'the node that it asks for proofs')
        .option('--blob <file>', 'the file that is to be kept (default: the licence of this program)')
        .option('--door <host:port>', 'where it serves the blob to stewards', '127.0.0.1:7171')
        .option('--door-url <url>', 'how stewards reach that (default: http:// and --door)')
        .option('--amount <kry>', 'what a bounty pays', '25')
        .option('--every <seconds>', 'pause between two bounties', '60'),
    run: async (options, { stop }) => {
      const door = doorAddress(options.door);
      const { runOwnerService } = await import('../../testnet/owner.ts');
      await runOwnerService(
        {
          dir: options.dir,
          genesis: options.genesis,
          api: options.api,
          check: options.check,
          blob: options.blob ?? fileURLToPath(packageFile('LICENSE')),
          door: { ...door, url: options.doorUrl ?? `http://${options.door}` },
          amount: parseKry(options.amount),
          everyMs: 1_000 * wholeNumber(options.every, '--every', 1, 30 * 86_400),
        },
        stop,
      );
    },
  });
}

function registerSteward(group: Command): void {
  addService<StewardOptions>(group, {
    usage: 'steward',
    description: 'keep a blob that is offered on the chain, and claim the bounties on it',
    configure: (c) =>
      c
        .requiredOption('--dir <dir>', 'its folder: account key and copy')
        .requiredOption('--genesis <file>', 'genesis file of the chain')
        .option('--api <url>', 'nodes; the first is worked with', collect)
        .option('--from <host>', 'take blobs from this host (default: 127.0.0.1); may be repeated', collect),
    run: async (options, { stop }) => {
      if (options.api === undefined) throw usageError('which node?', 'give --api');
      const { runStewardService } = await import('../../testnet/steward.ts');
      const { dir, genesis, api, from } = options;
      await runStewardService({ dir, genesis, api, hosts: from ?? ['127.0.0.1'] }, stop);
    },
  });
}

export function register(program: Command): void {
  const group = program
    .command('testnet')
    .description('a network in containers: its files, owner and steward');
  registerInit(group);
  registerOwner(group);
  registerSteward(group);
}
