/** `kryder node`: runs a node on its data directory until it is told to stop. */
import type { Command } from 'commander';
import { genesisHash } from '../../chain/genesis.ts';
import { toHex } from '../../codec/bytes.ts';
import { openDataDirectory } from '../../node/data-directory.ts';
import { collect, hostAndPort, wholeNumber } from '../options.ts';
import { CommandError, EXIT, printJson, usageError } from '../output.ts';
import { addService, type ServiceContext } from '../service.ts';
import { packageVersion } from '../version.ts';

const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'];

interface NodeCommandOptions {
  readonly dir: string;
  readonly listen?: readonly string[];
  readonly announce?: readonly string[];
  readonly bootstrap?: readonly string[];
  readonly api?: string;
  readonly workers?: string;
  readonly logLevel: string;
  readonly supervised?: boolean;
}

function overrides(options: NodeCommandOptions) {
  if (!LOG_LEVELS.includes(options.logLevel)) {
    throw usageError(`"${options.logLevel}" is no log level`, `choose ${LOG_LEVELS.join(', ')}`);
  }
  const api = options.api === undefined ? undefined : hostAndPort(options.api, '--api');
  return {
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    ...(options.announce === undefined ? {} : { announce: options.announce }),
    ...(options.bootstrap === undefined ? {} : { bootstrap: options.bootstrap }),
    ...(api === undefined ? {} : { apiHost: api.host, apiPort: api.port }),
    ...(options.workers === undefined ? {} : { workers: wholeNumber(options.workers, '--workers', 1, 64) }),
    logLevel: options.logLevel,
    version: packageVersion(),
  };
}

/** Resolves when standard input ends: the process that started this one is gone, however it went. */
function abandoned(): Promise<void> {
  return new Promise((done) => {
    process.stdin.on('end', done).on('error', () => done());
    process.stdin.resume();
  });
}

async function run(options: NodeCommandOptions, context: ServiceContext): Promise<void> {
  const directory = await openDataDirectory(options.dir);
  const settings = overrides(options);
  // Loaded here: the network libraries take a while, and no other command needs them.
  const { startNode } = await import('../../node/node.ts');
  const node = await startNode(directory, settings);
  const hash = toHex(genesisHash(directory.genesis));
  await context.announce({
    json: {
      ready: true,
      pid: process.pid,
      api: node.apiUrl,
      addresses: node.addresses,
      genesisHash: hash,
    },
    text: [
      `node of chain ${directory.genesis.name}, genesis ${hash}`,
      `API      ${node.apiUrl}`,
      ...node.addresses.map((address) => `address  ${address}`),
      'Ctrl-C stops it',
    ],
  });
  const stopRequested = new Promise<void>((done) => {
    if (context.stop.aborted) done();
    context.stop.addEventListener('abort', () => done());
  });
  const died = await Promise.race([
    node.stopped,
    stopRequested.then(() => undefined),
    ...(options.supervised === true ? [abandoned().then(() => undefined)] : []),
  ]);
  await node.stop();
  if (died !== undefined) {
    throw new CommandError(
      EXIT.failed,
      'code' in died ? String(died.code) : 'NODE_FAILED',
      `the node had to stop: ${died.message}`,
      'the last lines of its log say more; nothing final is lost: start it again when the cause is mended',
    );
  }
  if (options.supervised === true) {
    await printJson({ stopped: true, peakRssBytes: process.resourceUsage().maxRSS * 1_024 });
  }
}

export function register(program: Command): void {
  addService<NodeCommandOptions>(program, {
    usage: 'node',
    description: 'run a node until it is stopped; its log goes to standard error',
    configure: (c) =>
      c
        .requiredOption('--dir <dir>', 'the data directory; `kryder init` makes one')
        .option('--listen <multiaddr>', 'listen for peers here, whatever node.json says', collect)
        .option('--announce <multiaddr>', 'tell others this address, whatever node.json says', collect)
        .option('--bootstrap <multiaddr>', 'join through this node, whatever node.json says', collect)
        .option('--api <host:port>', 'the HTTP API listens here, whatever node.json says')
        .option('--workers <n>', 'threads that verify signatures')
        .option('--log-level <level>', LOG_LEVELS.join(', '), 'info')
        .addOption(supervisedOption(c)),
    run,
  });
}

/** For processes that start nodes: stop when standard input ends, and report the memory peak at the end. */
function supervisedOption(command: Command) {
  return command.createOption('--supervised').hideHelp();
}
