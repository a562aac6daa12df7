/** Reads Prometheus' text format, as far as tests need it. */

export class Samples {
  readonly #values = new Map<string, number>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const [, series, value] = /^([a-z_]+(?:\{[^{}]*\})?) (\S+)$/.exec(line) ?? [];
      if (series === undefined) throw new Error(`not a line of Prometheus' text format: ${line}`);
      this.#values.set(series, Number(value));
    }
  }

  /** One series, written as in the text: `name{label="value"}`. Throws when it is not there. */
  at(series: string): number {
    const value = this.#values.get(series);
    if (value === undefined) throw new Error(`there is no ${series}`);
    return value;
  }

  /** The sum over all series of a name; for a histogram name its `_count`. */
  sum(name: string): number {
    let sum = 0;
    for (const [series, value] of this.#values)
      if (series === name || series.startsWith(`${name}{`)) sum += value;
    return sum;
  }
}
