/** ava-labs #328: recovery takes the last record of the journal for the view. */
import { expect } from 'vitest';
import { patch } from '../../simulator/mutants/mutant.ts';
import { N, X } from '../support.ts';
import { against } from './against.ts';
import { follower, p1 } from './bench.ts';
import { code } from './code.ts';

against('recovery from the last record', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    bench.certificate(X(3), [1, 2, 3]);
    bench.certificate(N(p1), [1, 2, 3]);
    bench.certified(p1);
    expect(bench.engine.view).toBe(4);
    expect(bench.restart().engine.view).toBe(4);
    const uncertified = follower(given);
    uncertified.certificate(N(p1), [1, 2, 3]);
    const restarted = uncertified.restart();
    expect(restarted.engine.view).toBe(1);
    expect(restarted.take('certify')).toMatchObject([{ proposal: p1 }]);
    const nullified = follower(given);
    nullified.certificate(X(1), [1, 2, 3]);
    nullified.pass(400);
    expect(nullified.has(X(2))).toBe(true);
    expect(nullified.restart().engine.view).toBe(2);
  },
  bugs: {
    'a later record of an earlier view wins': [
      patch(
        'engine/recovery.ts',
        'return [view, entry];',
        'const [last] = rounds.between(floor + 1, Number.MAX_SAFE_INTEGER); return last === undefined ? [view, entry] : [last.view + 1, undefined];',
      ),
    ],
    'the view of the highest record is taken, whatever it says': [
      patch(
        'engine/recovery.ts',
        'return [view, entry];',
        'const last = rounds.between(floor + 1, Number.MAX_SAFE_INTEGER).at(-1); return last === undefined ? [view, entry] : [last.view + 1, undefined];',
      ),
    ],
  },
});
