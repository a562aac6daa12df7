/** What chance rarely makes of a scenario. */
import type { Scenario } from '../../scenario.ts';

/** Somebody is always being restarted, and too little is heard to finalise much. */
export const RESTLESS: Partial<Scenario> = {
  loss: 0.3,
  trouble: 9_000,
  crashes: Array.from({ length: 40 }, (_, i) => ({ at: 200 * (i + 5), node: 3 * i, downtime: 50 })),
};

/** The power goes wherever a file has just been removed. */
export const AFTER_REMOVAL: Partial<Scenario> = {
  trouble: 9_000,
  failPoints: Array.from({ length: 40 }, (_, i) => ({
    ...{ at: 200 * i, node: 3 * i, operations: 0, downtime: 50 },
    ...({ when: 'after', operation: 'remove' } as const),
  })),
};
