/** What happened, line by line, folded into one hash: the same seed must give the same hash. */
import { createHash } from 'node:crypto';

/** Lines are hashed in pieces of about this many characters. */
const PIECE = 16_384;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #print: ((line: string) => void) | undefined;
  #pending = '';

  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  add(now: number, line: string): void {
    const full = `${Math.round(now * 1_000)} ${line}\n`;
    this.#pending += full;
    if (this.#pending.length > PIECE) this.#flush();
    this.#print?.(full);
  }

  /** Ends the trace. */
  digest(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#pending);
    this.#pending = '';
  }
}
