/**
 * A child process of the `kryder` command that speaks JSON, one object a line, on its standard output, and may
 * be told lines on its standard input. Its standard error goes to a log file. It is started in a process group
 * of its own, so that Ctrl-C at a terminal reaches only the parent, which then stops its children in order; and
 * it sees its standard input end if the parent dies, however that happens.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ProtocolError } from '../codec/errors.ts';
import { withoutSettings } from '../config/resolve.ts';

export type Line = Readonly<Record<string, unknown>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  /** For messages: "validator 2", "the owner". */
  readonly name: string;
  readonly args: readonly string[];
  /** Standard error is appended here. */
  readonly log: string;
  /** Options of the JavaScript runtime itself, for profiling. */
  readonly runtimeArgs?: readonly string[];
  /** Words before the runtime's own, for a program that becomes it: `nsenter`, `nice`. */
  readonly launcher?: readonly string[];
  /** On top of this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

const STOP_MS = 10_000;
const TAIL_BYTES = 2_000;
const MAX_UNREAD = 10_000;

/** The compiled command: beside this module when that is compiled too, else where the build puts it. */
export function commandFile(): string {
  for (const place of ['../cli/main.js', '../../dist/src/cli/main.js']) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new ProtocolError('NOT_BUILT', 'the command is not compiled; run `npm run build`');
}

async function tail(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, from);
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await file.close();
  }
}

interface Waiter {
  readonly key: string;
  readonly resolve: (line: Line) => void;
  readonly reject: (error: Error) => void;
}

export class Child {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #log: string;
  #unread: Line[] = [];
  readonly #waiters = new Set<Waiter>();
  #failure: Error | undefined;
  #stopping = false;
  #forced = false;

  private constructor(options: ChildOptions, child: ChildProcess, pid: number) {
    this.name = options.name;
    this.pid = pid;
    this.#log = options.log;
    this.#process = child;
    // A child that is gone cannot be told anything: its exit says so.
    child.stdin!.on('error', () => {});
    createInterface({ input: child.stdout! }).on('line', (text) => this.#onLine(text));
    // After `close` nothing more comes from its pipes.
    this.exited = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Exit);
    void this.exited.then((exit) => this.#onExit(exit));
  }

  /** Throws `CHILD_FAILED` when the process cannot be started at all. */
  static async start(options: ChildOptions): Promise<Child> {
    const log = openSync(options.log, 'a', 0o600);
    try {
      const [program, ...args] = [
        ...(options.launcher ?? []),
        process.execPath,
        ...(options.runtimeArgs ?? []),
        commandFile(),
        ...options.args,
      ];
      const child = spawn(program!, args, {
        stdio: ['pipe', 'pipe', log],
        detached: true,
        env: { ...withoutSettings(process.env), ...options.environment },
      });
      await once(child, 'spawn').catch((error: Error) => {
        throw new ProtocolError('CHILD_FAILED', `${options.name} cannot be started: ${error.message}`);
      });
      return new Child(options, child, child.pid!);
    } finally {
      closeSync(log);
    }
  }

  #onLine(text: string): void {
    let line: Line;
    try {
      line = Object(JSON.parse(text)) as Line;
    } catch {
      return;
    }
    if ('error' in line) {
      const { code, message } = Object(line.error) as { code?: unknown; message?: unknown };
      this.#fail(new ProtocolError(String(code), `${this.name}: ${String(message)}`));
      return;
    }
    for (const waiter of this.#waiters) {
      if (!(waiter.key in line)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(line);
      return;
    }
    this.#unread.push(line);
    if (this.#unread.length > MAX_UNREAD) this.#unread.shift();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiter of this.#waiters) waiter.reject(this.#failure);
    this.#waiters.clear();
  }

  async #onExit({ code, signal }: Exit): Promise<void> {
    const how = signal === null ? `with status ${code}` : `by ${signal}`;
    const said = this.#stopping ? '' : await tail(this.#log).catch(() => '');
    const message = `${this.name} ended ${how}${said === '' ? '' : `; the end of ${this.#log}:\n${said}`}`;
    this.#fail(new ProtocolError('CHILD_FAILED', message));
  }

  /** False once it has ended. */
  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /**
   * The first line, not taken before, that has the field `key`. Rejects when the child reports an error or ends,
   * when `signal` is aborted, and after `ms` with `CHILD_SILENT`.
   */
  async waitFor(key: string, ms: number, signal?: AbortSignal): Promise<Line> {
    signal?.throwIfAborted();
    const at = this.#unread.findIndex((line) => key in line);
    if (at >= 0) return this.#unread.splice(at, 1)[0]!;
    if (this.#failure !== undefined) throw this.#failure;
    return new Promise<Line>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        key,
        resolve: (line) => {
          end();
          resolve(line);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(signal!.reason as Error);
      const timer = setTimeout(() => {
        waiter.reject(
          new ProtocolError('CHILD_SILENT', `${this.name} did not come to "${key}" within ${ms / 1_000} s`),
        );
      }, ms);
      signal?.addEventListener('abort', onAbort);
      this.#waiters.add(waiter);
    });
  }

  /** Writes one line to its standard input. */
  tell(line: Line): void {
    this.#process.stdin!.write(`${JSON.stringify(line)}\n`);
  }

  /** Ends its standard input, as the death of this process would. */
  hangUp(): void {
    this.#process.stdin!.end();
  }

  /** SIGKILL, without a word before: a crash. */
  kill(): void {
    if (this.running) this.#process.kill('SIGKILL');
  }

  /** SIGTERM, and SIGKILL to the same process if it is still there ten seconds later. */
  async stop(): Promise<Exit> {
    this.#stopping = true;
    if (this.running) this.#process.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.#forced = this.#process.kill('SIGKILL');
    }, STOP_MS);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** True when it did not end by itself after it had been told to. */
  get forced(): boolean {
    return this.#forced;
  }

  /** The last line with the field `key` that nobody took. */
  leftover(key: string): Line | undefined {
    return this.#unread.findLast((line) => key in line);
  }
}
