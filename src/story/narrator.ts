/** Tells people what happens: the steps of the story, and between them each block as it becomes final. */
import { type FinalEvent, finalBlocks } from './queries.ts';

export interface Narrator {
  /** A step of the story. */
  step(title: string): void;
  /** Something about the step. */
  note(text: string): void;
  /** Shows the final blocks of a node from now on, until `signal` is aborted. */
  follow(api: string, signal: AbortSignal): void;
  /** Times to finality seen so far, ms, ascending. */
  finalityTimes(): number[];
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function describe({ height, transactions, finalityMs }: FinalEvent): string {
  const count = transactions === 1 ? '1 transaction ' : `${transactions} transactions`;
  return `  block ${String(height).padStart(4)}   ${count.padEnd(16)} final after ${seconds(finalityMs)}`;
}

export function narrate(print: (line: string) => void): Narrator {
  const times: number[] = [];
  return {
    step: (title) => print(`\n${title}`),
    note: (text) => print(`    ${text}`),
    follow(api, signal) {
      void (async () => {
        for await (const event of finalBlocks(api, signal)) {
          times.push(event.finalityMs);
          print(describe(event));
        }
      })();
    },
    finalityTimes: () => times.toSorted((a, b) => a - b),
  };
}
