/**
 * A log that peers cannot fill a disk with: lines that they cause come at a bounded rate, and what was left out is
 * counted in the next line. At the level `debug`, which somebody asked for, everything is said.
 */
import { TokenBucket } from './bucket.ts';
import type { NetworkLog } from './types.ts';

const LINES_PER_SECOND = 2;
const BURST = 200;

/** `now`: milliseconds. */
export function pacedLog(log: NetworkLog, now: () => number): NetworkLog {
  const bucket = new TokenBucket(LINES_PER_SECOND, BURST, now);
  let leftOut = 0;
  const paced =
    (level: 'info' | 'warn') =>
    (fields: Record<string, unknown>, message: string): void => {
      if (!bucket.tryTake(1)) {
        leftOut++;
        log.debug(fields, message);
        return;
      }
      log[level](leftOut === 0 ? fields : { ...fields, leftOut }, message);
      leftOut = 0;
    };
  return { debug: (fields, message) => log.debug(fields, message), info: paced('info'), warn: paced('warn') };
}
