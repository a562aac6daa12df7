/** What happened, line by line, folded into one hash: the same seed must give the same hash. */
import { toHex, utf8 } from '../../src/codec/bytes.ts';
import { hashStream } from '../../src/codec/hash.ts';

export class Trace {
  readonly #hash = hashStream();
  readonly #print: ((line: string) => void) | undefined;

  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  add(now: number, line: string): void {
    const full = `${now.toFixed(3)} ${line}\n`;
    this.#hash.update(utf8(full));
    this.#print?.(full);
  }

  /** Ends the trace. */
  digest(): string {
    return toHex(this.#hash.digest());
  }
}
