/**
 * Runs targets: rounds of generated inputs from a seed, in the same order every time; a finding is shrunk by
 * fast-check and comes back as the bytes that show it.
 */
import fc from 'fast-check';
import { type Bytes, toHex } from '../../src/codec/bytes.ts';
import { inputsFor } from './inputs.ts';
import { Broken, type Target } from './target.ts';

export interface Finding {
  readonly target: string;
  /** Seed of the round that found it. */
  readonly seed: number;
  /** The shrunken input. */
  readonly input: Bytes;
  readonly what: string;
  readonly shrinks: number;
}

export interface Tally {
  readonly target: string;
  executions: number;
  /** Milliseconds in which it ran, shrinking apart. */
  ms: number;
  /** How often each outcome came. */
  readonly outcomes: Map<string, number>;
  /** Milliseconds of processor time of the dearest input, and that input. */
  slowest: { ms: number; input: Bytes };
  finding: Finding | undefined;
}

export function emptyTally({ name }: Target): Tally {
  const slowest = { ms: 0, input: new Uint8Array(0) };
  return { target: name, executions: 0, ms: 0, outcomes: new Map(), slowest, finding: undefined };
}

/** An input that costs more processor time than this is a finding where time counts at all. */
const MOST_CPU_MS = 3_000;

export function describe(error: unknown): string {
  if (error instanceof Broken) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error);
}

/** Pieces of honest values that every target gets for its cross-overs. */
export function piecesOf(targets: readonly Target[]): Bytes[] {
  const pieces = targets.filter(({ form }) => form === 'packed').flatMap(({ seeds }) => seeds);
  return [...new Map(pieces.map((bytes) => [toHex(bytes), bytes])).values()];
}

interface RoundOptions {
  readonly seed: number;
  readonly runs: number;
  readonly pieces: readonly Bytes[];
  /** Makes processor time a property. */
  readonly timed?: boolean;
}

/** One round; adds to the tally what it saw, and the finding, if it made one. */
export async function round(target: Target, tally: Tally, options: RoundOptions): Promise<void> {
  const { seed, runs, pieces, timed = false } = options;
  const began = performance.now();
  const once = async (input: Bytes): Promise<void> => {
    const before = process.cpuUsage();
    const outcome = await target.run(input);
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1_000;
    tally.executions += 1;
    tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
    if (ms > tally.slowest.ms) tally.slowest = { ms, input };
    if (timed && ms > MOST_CPU_MS) throw new Broken(`it takes ${Math.round(ms)} ms of processor time`);
  };
  const property = fc.asyncProperty(inputsFor(target, pieces), once);
  const details = await fc.check(property, { seed, numRuns: runs });
  tally.ms += performance.now() - began;
  if (!details.failed || details.counterexample === null) return;
  tally.finding = {
    target: target.name,
    seed,
    input: details.counterexample[0],
    what: describe(details.errorInstance),
    shrinks: details.numShrinks,
  };
}
