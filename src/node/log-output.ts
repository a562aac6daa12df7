/**
 * Where the log goes: lines to a file descriptor, each before the next step is taken, so that the last words of a
 * process that dies are there. It promises that a log that cannot be written (a full disk, a reader that is gone or
 * does not read) costs lines and never the node; when writing works again, a line says how many are missing.
 */
import { writeSync } from 'node:fs';

/** How often, and how long in between, a reader that does not read is given another chance: half a block interval. */
const TRIES = 10;
const PAUSE_MS = 10;

const asleep = new Int32Array(new SharedArrayBuffer(4));

export class LogOutput {
  readonly #fd: number;
  readonly #write: (fd: number, bytes: Uint8Array) => number;
  #lost = 0;
  /** The last line ends in its middle. */
  #torn = false;

  constructor(fd: number, write: (fd: number, bytes: Uint8Array) => number = writeSync) {
    this.#fd = fd;
    this.#write = write;
  }

  /** One line with its end. Never throws. */
  write(line: string): void {
    if (this.#lost > 0) {
      const time = new Date().toISOString();
      const notice = {
        level: 'warn',
        time,
        part: 'node',
        lines: this.#lost,
        msg: 'the log could not be written',
      };
      if (!this.#put(`${JSON.stringify(notice)}\n`)) {
        this.#lost++;
        return;
      }
      this.#lost = 0;
    }
    if (!this.#put(line)) this.#lost++;
  }

  #put(line: string): boolean {
    let bytes: Uint8Array = Buffer.from(this.#torn ? `\n${line}` : line);
    // Where lines were lost the reader had its chances: they are not given for each line anew.
    for (let tries = this.#lost > 0 ? 1 : TRIES; bytes.length > 0; ) {
      try {
        const written = this.#write(this.#fd, bytes);
        if (written === 0) return false;
        this.#torn = written < bytes.length;
        bytes = bytes.subarray(written);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || --tries <= 0) return false;
        Atomics.wait(asleep, 0, 0, PAUSE_MS);
      }
    }
    return true;
  }
}
