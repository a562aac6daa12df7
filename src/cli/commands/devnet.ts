/** `kryder devnet`: a network of node processes on this machine. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { DEVNET_PARAMETERS } from '../../chain/genesis.ts';
import { formatKry } from '../../codec/amount.ts';
import {
  createDevnet,
  type Devnet,
  FAUCET_AMOUNT,
  faucetFileOf,
  readDevnet,
  startDevnet,
} from '../../story/devnet.ts';
import { withParameters } from '../../story/new-genesis.ts';
import { collect, wholeNumber } from '../options.ts';
import { remark, usageError } from '../output.ts';
import { addService, type ServiceContext } from '../service.ts';
import { withLogLevel } from '../settings-options.ts';

interface DevnetOptions {
  readonly dir: string;
  readonly validators?: string;
  readonly followers?: string;
  readonly interval?: string;
  readonly set?: readonly string[];
  readonly logLevel: string;
}

/** Makes the devnet unless the folder holds one, which must then be the one that was asked for. */
async function prepare(dir: string, options: DevnetOptions): Promise<void> {
  const found = await readDevnet(dir);
  const validators = options.validators && wholeNumber(options.validators, '--validators', 1, 100);
  const followers = options.followers && wholeNumber(options.followers, '--followers', 0, 100);
  if (found === undefined) {
    const interval = options.interval === undefined ? [] : [`blockInterval=${options.interval}`];
    await createDevnet(dir, {
      validators: Number(validators ?? 4),
      followers: Number(followers ?? 0),
      parameters: withParameters(DEVNET_PARAMETERS, [...interval, ...(options.set ?? [])]),
    });
    return;
  }
  const differs =
    Number(validators ?? found.validators) !== found.validators ||
    Number(followers ?? found.followers) !== found.followers;
  if (differs || options.interval !== undefined || options.set !== undefined) {
    throw usageError(
      `"${dir}" holds a devnet of ${found.validators} validators and ${found.followers} followers already`,
      'start it with --dir alone, or choose another folder',
    );
  }
  remark(`starting the devnet in ${dir} again`);
}

/** Says it when a node ends that nobody stopped; the others go on. */
function watch(devnet: Devnet, stop: AbortSignal): void {
  for (const { child, dir } of devnet.nodes) {
    void child.exited.then(({ code, signal }) => {
      if (stop.aborted) return;
      remark(
        `${child.name} (process ${child.pid}) ended ${signal === null ? `with status ${code}` : `by ${signal}`}`,
      );
      remark(`  start it again with: kryder node --dir "${dir}"`);
    });
  }
}

async function run(options: DevnetOptions, context: ServiceContext): Promise<void> {
  const dir = resolve(options.dir);
  await prepare(dir, options);
  const devnet = await startDevnet(dir, {
    logLevel: options.logLevel,
    signal: context.stop,
    report: remark,
  });
  watch(devnet, context.stop);
  const nodes = devnet.nodes.map(({ child, api, dir: folder, validator }) => {
    return { pid: child.pid, api, dir: folder, validator };
  });
  const keyFile = faucetFileOf(dir);
  await context.announce({
    json: { genesisHash: devnet.genesisHash, nodes, faucet: { keyFile, amount: FAUCET_AMOUNT } },
    text: [
      `devnet in ${dir}, genesis ${devnet.genesisHash}`,
      ...nodes.map(
        ({ pid, api, validator }, i) =>
          `${validator ? 'validator' : 'follower '} ${i}  ${api}  process ${pid}`,
      ),
      `an account with ${formatKry(FAUCET_AMOUNT)} KRY to play with: ${keyFile}`,
      'Ctrl-C stops all of it; the same command starts it again',
    ],
  });
  await new Promise<void>((done) => {
    if (context.stop.aborted) done();
    context.stop.addEventListener('abort', () => done());
  });
  await devnet.stop();
}

export function register(program: Command): void {
  addService<DevnetOptions>(program, {
    usage: 'devnet',
    description: 'run a network of node processes on this machine until it is stopped',
    configure: (c) =>
      withLogLevel(c)
        .requiredOption('--dir <dir>', 'its folder; one that holds a devnet is started again')
        .option('--validators <n>', 'nodes that vote (default: 4)')
        .option('--followers <n>', 'nodes that only follow (default: 0)')
        .option('--interval <ms>', 'time between blocks (default: 1000)')
        .option('--set <parameter=value>', 'another value of a parameter, amounts in µKRY', collect),
    run,
  });
}
