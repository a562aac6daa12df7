/** What a broken variant is, and what judges it. */
import type { Scenario } from '../scenario.ts';
import type { Patch } from './variant.ts';

/**
 * Who has to notice: the simulator as a whole; the state machine under a script of its own (trials/machine.ts); the
 * driver, as to what is on the disk when something leaves; the journal on a disk that crashes and rots; the bodies
 * of blocks among peers that lie.
 */
export type Trial = 'simulator' | 'machine' | 'driver' | 'journal' | 'bodies';

export interface Mutant {
  readonly name: string;
  readonly trial: Trial;
  readonly patches: readonly Patch[];
  /** Of the simulator: replaces parts of the seeds' scenarios, to get at what chance rarely finds. */
  readonly scenario?: Partial<Scenario>;
}

/** What a run found out. */
export interface Finding {
  /** Which invariant or bound does not hold, the same words whenever it is the same one. */
  readonly invariant: string;
  readonly detail: string;
}

/** One run; undefined when nothing was found. */
export type Run = (seed: number, changes: Partial<Scenario>) => Promise<Finding | undefined>;

/** A patch of src/consensus. */
export function patch(file: string, find: string, replace: string): Patch {
  return { file: `consensus/${file}`, find, replace };
}

/** The signer no longer refuses for this reason. */
export function unguarded(rule: string): Patch {
  return patch('signer.ts', `refuse('${rule}')`, 'undefined');
}
