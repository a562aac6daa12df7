/**
 * A fixed amount of something (bytes, places) that callers reserve: next is whoever holds least, and among equals who
 * asked first, so that a few cannot keep others from their turn by asking for more than there is. A part of it is kept
 * for trusted callers: the others wait in a line of their own and never take it, so they cannot hold them up.
 */
interface Waiting {
  readonly amount: number;
  readonly owner: object;
  readonly grant: () => void;
}

const NOBODY = {};

export class Budget {
  #free: number;
  readonly #kept: number;
  readonly #trusted: Waiting[] = [];
  readonly #others: Waiting[] = [];
  readonly #held = new Map<object, number>();

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
  async acquire(amount: number, trusted = false, owner: object = NOBODY): Promise<void> {
    const line = trusted ? this.#trusted : this.#others;
    await new Promise<void>((grant) => {
      line.push({ amount, owner, grant });
      this.#grant();
    });
  }

  release(amount: number, owner: object = NOBODY): void {
    this.#free += amount;
    this.#hold(owner, -amount);
    this.#grant();
  }

  #hold(owner: object, amount: number): void {
    const held = (this.#held.get(owner) ?? 0) + amount;
    if (held === 0) this.#held.delete(owner);
    else this.#held.set(owner, held);
  }

  #next(line: readonly Waiting[]): Waiting | undefined {
    let next: Waiting | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const waiting of line) {
      const held = this.#held.get(waiting.owner) ?? 0;
      if (held < least) [next, least] = [waiting, held];
    }
    return next;
  }

  #grant(): void {
    this.#grantLine(this.#trusted, 0);
    this.#grantLine(this.#others, this.#kept);
  }

  #grantLine(line: Waiting[], least: number): void {
    for (
      let next = this.#next(line);
      next !== undefined && this.#free - next.amount >= least;
      next = this.#next(line)
    ) {
      line.splice(line.indexOf(next), 1);
      this.#free -= next.amount;
      this.#hold(next.owner, next.amount);
      next.grant();
    }
  }
}
