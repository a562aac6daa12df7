/**
 * A fixed amount of something (bytes, places) that callers reserve, in the order in which they ask. A part of it is
 * kept for trusted callers: the others wait in a line of their own and never take it, so they cannot hold them up.
 */
interface Waiting {
  readonly amount: number;
  readonly grant: () => void;
}

export class Budget {
  #free: number;
  readonly #kept: number;
  readonly #trusted: Waiting[] = [];
  readonly #others: Waiting[] = [];

  /** `kept` of `total` is for trusted callers only. */
  constructor(total: number, kept = 0) {
    this.#free = total;
    this.#kept = kept;
  }

  /** Callers that are not trusted wait. */
  get contended(): boolean {
    return this.#others.length > 0;
  }

  get free(): number {
    return this.#free;
  }

  /** Resolves when `amount`, at most what this caller may ever have, is reserved. */
  async acquire(amount: number, trusted = false): Promise<void> {
    const line = trusted ? this.#trusted : this.#others;
    await new Promise<void>((grant) => {
      line.push({ amount, grant });
      this.#grant();
    });
  }

  release(amount: number): void {
    this.#free += amount;
    this.#grant();
  }

  #grant(): void {
    this.#grantLine(this.#trusted, 0);
    this.#grantLine(this.#others, this.#kept);
  }

  #grantLine(line: Waiting[], least: number): void {
    for (let next = line[0]; next !== undefined && this.#free - next.amount >= least; next = line[0]) {
      line.shift();
      this.#free -= next.amount;
      next.grant();
    }
  }
}
