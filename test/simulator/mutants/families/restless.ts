/** Somebody is always being restarted, and too little is heard to finalise much. */
import type { Scenario } from '../../scenario.ts';

export const RESTLESS: Partial<Scenario> = {
  loss: 0.3,
  trouble: 9_000,
  crashes: Array.from({ length: 40 }, (_, i) => ({ at: 200 * (i + 5), node: 3 * i, downtime: 50 })),
};
