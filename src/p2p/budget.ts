/** A fixed amount of something (bytes, places) that callers reserve, in the order in which they ask. */
export class Budget {
  #free: number;
  readonly #waiting: { readonly amount: number; readonly grant: () => void }[] = [];

  constructor(total: number) {
    this.#free = total;
  }

  get free(): number {
    return this.#free;
  }

  /** Resolves when `amount`, at most the total, is reserved. */
  async acquire(amount: number): Promise<void> {
    if (this.#waiting.length === 0 && amount <= this.#free) {
      this.#free -= amount;
      return;
    }
    await new Promise<void>((grant) => this.#waiting.push({ amount, grant }));
  }

  release(amount: number): void {
    this.#free += amount;
    for (
      let next = this.#waiting[0];
      next !== undefined && next.amount <= this.#free;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#free -= next.amount;
      next.grant();
    }
  }
}
