/** Counts by code. Codes come from this program alone, so there are few; still there is a bound. */
const MAX_CODES = 64;
const OTHER = 'other';

export class CodeCounter {
  readonly #counts = new Map<string, number>();

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  add(code: string): void {
    const key = this.#counts.has(code) || this.#counts.size < MAX_CODES ? code : OTHER;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}
