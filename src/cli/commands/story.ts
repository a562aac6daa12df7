/** `kryder story`: the main job from end to end, on a network of its own; and the two people in it. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { narrate } from '../../story/narrator.ts';
import { collect, wholeNumber } from '../options.ts';
import { printJson, usageError } from '../output.ts';
import { addService, type ServiceContext } from '../service.ts';
import { withLogLevel } from '../settings-options.ts';
import { packageFile } from '../version.ts';

interface StoryCommandOptions {
  readonly blob?: string;
  readonly dir?: string;
  readonly validators: string;
  readonly interval?: string;
  readonly set?: readonly string[];
  readonly exit?: boolean;
  readonly logLevel: string;
}

/** A path as it was meant: `npm start` runs in the package's folder, wherever it was called. */
function fromUser(path: string): string {
  const { npm_package_name: name, npm_lifecycle_event: script, INIT_CWD: calledIn } = process.env;
  return name === 'kryder' && script === 'start' ? resolve(calledIn ?? '', path) : resolve(path);
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    signal.addEventListener('abort', () => done());
  });
}

async function run(options: StoryCommandOptions, { stop, json }: ServiceContext): Promise<void> {
  const { playStory } = await import('../../story/story.ts');
  const tell = narrate((line) => process.stdout.write(`${line}\n`));
  const result = await playStory(
    {
      blob: options.blob === undefined ? fileURLToPath(packageFile('LICENSE')) : fromUser(options.blob),
      dir: options.dir === undefined ? undefined : fromUser(options.dir),
      validators: wholeNumber(options.validators, '--validators', 2, 16),
      set: [
        ...(options.interval === undefined ? [] : [`blockInterval=${options.interval}`]),
        ...(options.set ?? []),
      ],
      logLevel: options.logLevel,
    },
    {
      tell,
      stop,
      afterwards: async () => {
        if (options.exit === true) return;
        tell.note('the network goes on: Ctrl-C stops it');
        await stopped(stop);
      },
    },
  );
  if (options.exit === true || json) await printJson({ ...result });
}

interface OwnerCommandOptions {
  readonly dir: string;
  readonly genesis: string;
  readonly api: string;
  readonly check: string;
  readonly blob: string;
}

interface StewardCommandOptions {
  readonly dir: string;
  readonly genesis: string;
  readonly api?: readonly string[];
}

function lastWords(): Promise<void> {
  return printJson({ stopped: true, peakRssBytes: process.resourceUsage().maxRSS * 1_024 });
}

export function register(program: Command): void {
  addService<StoryCommandOptions>(program, {
    usage: 'story',
    description: 'play the life of a bounty on a real file, with validators, an owner and a steward',
    configure: (c) =>
      withLogLevel(c)
        .option('--blob <file>', 'the file that is kept (default: the licence of this program)')
        .option('--exit', 'end when the story ends; the last line is its result as JSON')
        .option('--dir <dir>', 'keep everything here (default: a temporary folder, removed at the end)')
        .option('--validators <n>', 'how many validators', '4')
        .option('--interval <ms>', 'time between blocks (default: 1000)')
        .option('--set <parameter=value>', 'another value of a parameter, amounts in µKRY', collect),
    run,
  });
  addService<OwnerCommandOptions>(program, {
    usage: 'story-owner',
    description: 'the owner in the story',
    hidden: true,
    configure: (c) =>
      c
        .requiredOption('--dir <dir>')
        .requiredOption('--genesis <file>')
        .requiredOption('--api <url>')
        .requiredOption('--check <url>')
        .requiredOption('--blob <file>'),
    run: async (options, { stop }) => {
      const { runOwner } = await import('../../story/owner.ts');
      await runOwner(options, stop);
      await lastWords();
    },
  });
  addService<StewardCommandOptions>(program, {
    usage: 'story-steward',
    description: 'the steward in the story',
    hidden: true,
    configure: (c) =>
      c
        .requiredOption('--dir <dir>')
        .requiredOption('--genesis <file>')
        .option('--api <url>', 'nodes; the first is worked with', collect),
    run: async (options, { stop }) => {
      if (options.api === undefined) throw usageError('which node?', 'give --api');
      const { runSteward } = await import('../../story/steward.ts');
      await runSteward({ ...options, api: options.api }, stop);
      await lastWords();
    },
  });
}
