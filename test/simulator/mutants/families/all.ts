/** All broken variants, by what they break. */
import type { Mutant } from '../mutant.ts';
import { BODIES } from './bodies.ts';
import { BOUNDS } from './bounds.ts';
import { CERTIFICATES } from './certificates.ts';
import { EXECUTION } from './execution.ts';
import { JOURNAL } from './journal.ts';
import { LIVENESS } from './liveness.ts';
import { RECOVERY } from './recovery.ts';
import { VOTING } from './voting.ts';

export const MUTANTS: readonly Mutant[] = [
  ...VOTING,
  ...CERTIFICATES,
  ...EXECUTION,
  ...RECOVERY,
  ...JOURNAL,
  ...LIVENESS,
  ...BOUNDS,
  ...BODIES,
];
