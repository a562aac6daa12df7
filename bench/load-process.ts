/** A load generator as a process of its own: it says JSON lines on its standard output and starts when it is told. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class LoadProcess {
  readonly #lines: AsyncIterator<string>;
  readonly #child;

  /** `script` stands beside this module, compiled; `plan` is its argument. */
  constructor(script: string, plan: object) {
    const file = fileURLToPath(new URL(script, import.meta.url));
    this.#child = spawn(process.execPath, [file, JSON.stringify(plan)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line. Throws when the process has ended. */
  async line<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the sender ended early');
    return JSON.parse(value) as T;
  }

  go(): void {
    this.#child.stdin.write('go\n');
  }

  /** Ends its standard input: a load that goes on until then says what it did and ends. */
  hangUp(): void {
    this.#child.stdin.end();
  }

  /** Kills it if it is still there. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
  }
}
