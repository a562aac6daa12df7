/**
 * How every command speaks. With `--json` the last line of standard output is one JSON object, also for an
 * error (`{"error": {"code", "message"}}`); without it there are lines for people, and an error says on
 * standard error what is wrong and what to do, never with a stack trace. Remarks on the way go to standard
 * error. Byte strings are written in hex, amounts as decimal strings of µKRY.
 */
import { Command, CommanderError } from 'commander';
import { toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { systemProblem } from '../system/problems.ts';

/** Exit statuses; README.md has this table. */
export const EXIT = {
  /** The job was done. */
  ok: 0,
  /** Something failed that is neither of the below. */
  failed: 1,
  /** The command line, a file or a value in it is wrong: change it. */
  usage: 2,
  /** The chain or the node refuses: the code says why. */
  refused: 3,
  /** The node does not answer, or not as a node does. */
  unreachable: 4,
  /** Nothing went wrong, but what was waited for did not happen in time. */
  timeout: 5,
  /** What the node has on disk is damaged, incomplete or retired: to go on could break what it has promised. */
  unsafe: 6,
  /** The machine does not give what the node needs: disk, clock, file handles. */
  resource: 7,
  /** Another process has the data directory, the key or the address. */
  inUse: 8,
} as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** What a command ends with when it cannot do its job. `advice` says what to do about it. */
export class CommandError extends ProtocolError {
  readonly exit: ExitStatus;
  readonly advice: string | undefined;

  constructor(exit: ExitStatus, code: string, message: string, advice?: string) {
    super(code, message);
    this.name = 'CommandError';
    this.exit = exit;
    this.advice = advice;
  }
}

export function usageError(message: string, advice?: string): CommandError {
  return new CommandError(EXIT.usage, 'USAGE', message, advice);
}

/** The outcome of a command in its two forms. */
export interface Answer {
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: readonly string[];
}

/** Exit statuses of errors by their code; the first row that fits counts, and `failed` where none does. */
const STATUS_OF_CODE: readonly (readonly [RegExp, ExitStatus])[] = [
  [/^(\w+_IN_USE|DATABASE_LOCKED|EADDRINUSE)$/, EXIT.inUse],
  [/^(RESOURCE_\w+|ENOSPC|EDQUOT|EMFILE|ENFILE|ENOMEM|EROFS|EIO|EFBIG)$/, EXIT.resource],
  [/^(JOURNAL|DATABASE|HISTORY)_|^(KEY_RETIRED|KEY_ELSEWHERE|JournalError)$/, EXIT.unsafe],
  [
    /^(HEX|ADDRESS|AMOUNT|FILE|KEY|BLOB|CHALLENGE|GENESIS|CODEC|TX|SETTING|SETTINGS|PASSPHRASE)_|^(VERIFY_INPUT|SIGNATURE_BACKEND_UNKNOWN|BOOTSTRAP_INVALID|(API|LISTEN)_ADDRESS)$/,
    EXIT.usage,
  ],
  [/^(DATA_DIRECTORY|DEVNET_DIRECTORY|TESTNET_PLAN)/, EXIT.usage],
  [/^(ENOENT|EACCES|EPERM|EISDIR|ENOTDIR|EEXIST|ENOTEMPTY|ENAMETOOLONG|ELOOP|EINVAL)$/, EXIT.usage],
  [/^(EADDRNOTAVAIL|EAFNOSUPPORT|ENOTFOUND)$/, EXIT.usage],
];

/** The exit status that goes with the code of an error. */
export function exitOf(code: string): ExitStatus {
  return STATUS_OF_CODE.find(([codes]) => codes.test(code))?.[1] ?? EXIT.failed;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return item.toString();
    return item instanceof Uint8Array ? toHex(item) : item;
  });
}

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((done) => {
    stream.write(text, () => done());
  });
}

/** Text for a terminal. Parts of it came from a node: what could steer the terminal is shown as "?". */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (c) => (c === '\n' ? c : '?'));
}

const ignore = (): void => {};

/** Standard error. Where nobody reads it, or its disk is full, the exit status speaks alone: it must not change. */
function standardError(): NodeJS.WriteStream {
  if (process.stderr.listenerCount('error', ignore) === 0) process.stderr.on('error', ignore);
  return process.stderr;
}

/** A remark for people on standard error: progress, a warning. */
export function remark(text: string): void {
  standardError().write(`${plain(text)}\n`);
}

/** One line of JSON on standard output. */
export function printJson(value: Readonly<Record<string, unknown>>): Promise<void> {
  return write(process.stdout, `${toJson(value)}\n`);
}

export interface CommandSpec<Options> {
  /** Name and arguments in commander's notation: `status <id>`. */
  readonly usage: string;
  readonly description: string;
  readonly configure?: (command: Command) => Command;
  readonly run: (args: readonly string[], options: Options) => Promise<Answer>;
}

/** Adds a command that runs to its end and answers once; `--json` comes with it. */
export function addCommand<Options = object>(parent: Command, spec: CommandSpec<Options>): Command {
  const command = parent.command(spec.usage).description(spec.description);
  spec.configure?.(command);
  command.option('--json', 'print one JSON object on the last line');
  return command.action(async () => {
    const options = command.opts<Options & { json?: boolean }>();
    const answer = await spec.run(command.processedArgs as string[], options);
    if (options.json === true) await printJson(answer.json);
    else await write(process.stdout, plain(answer.text.map((line) => `${line}\n`).join('')));
  });
}

interface Failure {
  readonly exit: ExitStatus;
  readonly code: string;
  readonly message: string;
  readonly advice: string | undefined;
}

function failureOf(error: unknown): Failure {
  if (error instanceof CommandError) return error;
  if (error instanceof CommanderError) {
    const message =
      error.code === 'commander.help' ? 'no command was given' : error.message.replace(/^error: /, '');
    return { exit: EXIT.usage, code: 'USAGE', message, advice: 'see `kryder help`' };
  }
  const problem = systemProblem(error);
  if (problem !== undefined) return { exit: exitOf(problem.code), ...problem };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ProtocolError) {
    return { exit: exitOf(error.code), code: error.code, message, advice: undefined };
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'INTERNAL';
  return { exit: exitOf(code), code, message, advice: undefined };
}

/** Reports a failure in the form that was asked for; returns the exit status. */
export async function reportFailure(error: unknown, json: boolean): Promise<ExitStatus> {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  const { exit, code, message, advice } = failureOf(error);
  if (json)
    await printJson({ error: { code, message: advice === undefined ? message : `${message}; ${advice}` } });
  else {
    await write(standardError(), plain(`kryder: ${message} (${code})\n`));
    if (advice !== undefined) await write(standardError(), plain(`  ${advice}\n`));
  }
  return exit;
}

/** The root command: errors are thrown instead of printed, so that `reportFailure` alone speaks. */
export function rootCommand(): Command {
  return new Command('kryder').exitOverride().configureOutput({ outputError: () => {} });
}
