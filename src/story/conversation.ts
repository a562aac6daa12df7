/**
 * The child's side of the talk between the story and its two people: JSON objects, one a line. What they did
 * goes out, `{"go": …}` comes in where the order matters. When the other side is gone, so is the reason to go on.
 */
import { createInterface } from 'node:readline';
import { printJson } from '../cli/output.ts';

export interface Instruction {
  readonly go: string;
  readonly [field: string]: unknown;
}

/** Hears what somebody did: `{"bounty": …}`. */
export type Say = (what: Readonly<Record<string, unknown>>) => Promise<void>;

/** Says what happened. */
export function say(what: Readonly<Record<string, unknown>>): Promise<void> {
  return printJson(what);
}

/** Instructions as they come in; ends with standard input or when `stop` is aborted. */
export async function* instructions(stop: AbortSignal): AsyncGenerator<Instruction> {
  const lines = createInterface({ input: process.stdin, signal: stop });
  for await (const text of lines) {
    const line = Object(JSON.parse(text)) as Partial<Instruction>;
    if (typeof line.go === 'string') yield line as Instruction;
  }
}
