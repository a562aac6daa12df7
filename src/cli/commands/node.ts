/** `kryder node`: runs a node on its data directory until it is told to stop. */
import type { Command } from 'commander';
import { genesisHash } from '../../chain/genesis.ts';
import { toHex } from '../../codec/bytes.ts';
import { loadSettings } from '../../config/file.ts';
import { openDataDirectory } from '../../node/data-directory.ts';
import { lockDataDirectory } from '../../node/keys/locks.ts';
import { systemProblem } from '../../system/problems.ts';
import { CommandError, exitOf, printJson } from '../output.ts';
import { keyAccess } from '../passphrase.ts';
import { addService, type ServiceContext } from '../service.ts';
import { type DirectoryOption, flagsOf, withDirectory, withSettings } from '../settings-options.ts';
import { packageVersion } from '../version.ts';

interface NodeCommandOptions extends DirectoryOption {
  readonly supervised?: boolean;
}

/** Resolves when standard input ends: the process that started this one is gone, however it went. */
function abandoned(): Promise<void> {
  return new Promise((done) => {
    process.stdin.on('end', done).on('error', () => done());
    process.stdin.resume();
  });
}

async function run(options: NodeCommandOptions, context: ServiceContext): Promise<void> {
  const lock = await lockDataDirectory(options.dir);
  try {
    await runLocked(options, context);
  } finally {
    await lock.release();
  }
}

async function runLocked(options: NodeCommandOptions, context: ServiceContext): Promise<void> {
  const configuration = await loadSettings(options.dir, {
    flags: flagsOf(options),
    environment: process.env,
  });
  const directory = await openDataDirectory(options.dir, keyAccess(configuration.settings, context.stop));
  // Loaded here: the network libraries take a while, and no other command needs them.
  const { startNode } = await import('../../node/node.ts');
  const node = await startNode(directory, { configuration, version: packageVersion() });
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
    const problem = systemProblem(died);
    const code = 'code' in died ? String(died.code) : 'NODE_FAILED';
    throw new CommandError(
      exitOf(code),
      code,
      `the node had to stop: ${problem?.message ?? died.message}`,
      problem?.advice ??
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
    configure: (c) => withSettings(withDirectory(c)).addOption(supervisedOption(c)),
    run,
  });
}

/** For processes that start nodes: stop when standard input ends, and report the memory peak at the end. */
function supervisedOption(command: Command) {
  return command.createOption('--supervised').hideHelp();
}
