/**
 * TON: the back-off of the timers is reset by something that is known here alone (a notarization, a view entered, a
 * proposal seen), so nodes never come to wait long enough for each other. Only a finalization certificate ends it.
 */
import { expect } from 'vitest';
import { patch } from '../../simulator/mutants/mutant.ts';
import { Bench, led } from '../bench.ts';
import { F, N, proposal, X } from '../support.ts';
import { against } from './against.ts';
import { code } from './code.ts';

against('a back-off that is reset by a local hint', {
  module: 'code.ts',
  code,
  check: (given) => {
    // So little stake that it never leads here.
    const bench = new Bench(led([1, 2, 3], [1, 1_000, 1_000, 1_000]), 0, undefined, undefined, given);
    const wait = (view: number): number => {
      const before = bench.now;
      while (!bench.has(X(view))) bench.pass(1);
      return bench.now - before;
    };
    let parent = 0;
    const waits: number[] = [];
    for (let view = 1; view <= 18; view++) {
      if (view % 3 === 0) {
        // Notarized and executed, and never final.
        const block = proposal(view, parent);
        bench.certificate(N(block), [1, 2, 3]);
        bench.certified(block);
        parent = view;
      } else {
        waits.push(wait(view));
        bench.certificate(X(view), [1, 2, 3]);
      }
    }
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits[0]).toBe(300);
    expect(waits.at(-1)).toBe(2_400);
    const block = proposal(19, parent);
    bench.certificate(N(block), [1, 2, 3]);
    bench.certified(block);
    bench.certificate(F(block), [1, 2, 3]);
    expect(wait(20)).toBe(300);
  },
  bugs: {
    'a view that was entered by a notarization begins anew': [
      patch(
        'engine/views.ts',
        'state.leaderDeadline = now + pacing.leaderTimeout(view, floor);',
        'state.leaderDeadline = now + pacing.leaderTimeout(view, by?.subject.kind === NOTARIZE ? view : floor);',
      ),
    ],
    'there is no back-off': [
      patch('engine/pacing.ts', 'return Math.min(8, factor);', 'return Math.min(1, factor);'),
    ],
    'a finalization does not end it': [
      patch(
        'engine/pacing.ts',
        'for (let k = view - lastFinal - 2;',
        'for (let k = view + 0 * lastFinal - 2;',
      ),
    ],
  },
});
