/**
 * Commands that run until they are told to stop: a node, a local network, the story. The first SIGINT, SIGTERM
 * or SIGHUP asks for an orderly end (`context.stop`), the second one ends the process at once. Such a command
 * ends by `process.exit`, with everything that was printed flushed, so that no forgotten handle of a library can
 * keep it alive.
 */
import { constants } from 'node:os';
import type { Command } from 'commander';
import { isStray } from '../p2p/stray.ts';
import { type Answer, CommandError, EXIT, printJson, remark, reportFailure } from './output.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface ServiceContext {
  readonly json: boolean;
  /** Aborted when the process shall end. */
  readonly stop: AbortSignal;
  /** Prints an answer in the form that was asked for, while the command goes on. */
  announce(answer: Answer): Promise<void>;
}

export interface ServiceSpec<Options> {
  readonly usage: string;
  readonly description: string;
  /** Left out of the help: started by other commands only. */
  readonly hidden?: boolean;
  readonly configure?: (command: Command) => Command;
  /** Resolves when the job is done or, after `stop`, when everything is put away. */
  readonly run: (options: Options, context: ServiceContext) => Promise<void>;
}

function stopOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
      controller.abort(new CommandError(EXIT.failed, 'STOPPED', `stopped by ${name} before it was done`));
    });
  }
  return controller.signal;
}

/** Everything written so far has left the process. */
function flushed(): Promise<unknown> {
  return Promise.all(
    [process.stdout, process.stderr].map(
      (stream) => new Promise<void>((done) => stream.write('', () => done())),
    ),
  );
}

function fatal(error: unknown): void {
  if (isStray(error)) return;
  remark(`kryder: an error that nobody expected: ${error instanceof Error ? error.stack : String(error)}`);
  remark('  start it again: what was final is on disk; please report the lines above');
  process.exit(EXIT.failed);
}

/** Adds a command that runs until it is stopped; `--json` comes with it. */
export function addService<Options = object>(parent: Command, spec: ServiceSpec<Options>): Command {
  const command = parent.command(spec.usage, { hidden: spec.hidden === true }).description(spec.description);
  spec.configure?.(command);
  command.option('--json', 'print JSON, one object a line');
  return command.action(async () => {
    const options = command.opts<Options & { json?: boolean }>();
    const json = options.json === true;
    process.on('uncaughtException', fatal);
    process.on('unhandledRejection', fatal);
    const context: ServiceContext = {
      json,
      stop: stopOnSignals(),
      announce: async ({ json: value, text }) => {
        if (json) await printJson(value);
        else process.stdout.write(text.map((line) => `${line}\n`).join(''));
      },
    };
    const exit = await spec.run(options, context).then(
      () => EXIT.ok,
      // What was interrupted fails in its own way: the reason is that it was stopped.
      (error: unknown) => reportFailure(context.stop.aborted ? context.stop.reason : error, json),
    );
    await flushed();
    process.exit(exit);
  });
}
