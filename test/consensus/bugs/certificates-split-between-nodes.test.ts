/**
 * commonware #2192 (and the configuration of #2149): one half of the nodes holds the notarization of a view, the other
 * its nullification, and neither ever hears of what the other has. Two thirds are honest and online, and no proposal is
 * acceptable to enough of them.
 */
import { expect } from 'vitest';
import type { Certificate } from '../../../src/consensus/types.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import { Bench, led } from '../bench.ts';
import { N, proposal, X } from '../support.ts';
import { against } from './against.ts';
import { p1 } from './bench.ts';
import { code } from './code.ts';

against('certificates that are split between nodes', {
  module: 'code.ts',
  code,
  check: (given) => {
    const members = led([1, 2, 1, 2]);
    const bench = (self: number): Bench => new Bench(members, self, undefined, undefined, given);
    const others = (self: number): number[] => [0, 1, 2, 3].filter((other) => other !== self);
    const nullify = (one: Bench, view: number): unknown => one.certificate(X(view), others(one.self!));
    const [left, right] = [bench(0), bench(3)];
    left.certificate(N(p1), [1, 2, 3]);
    left.certified(p1);
    nullify(right, 1);
    for (const one of [left, right]) {
      nullify(one, 2);
      one.out = [];
      one.pass(7_000);
    }
    expect([left.engine.view, right.engine.view]).toEqual([3, 3]);
    const [fromLeft, fromRight] = [left, right].map((one): Certificate[] =>
      one.take('broadcast-certificate').map(({ certificate }) => certificate),
    );
    for (const certificate of fromLeft!) right.step({ type: 'certificate', certificate, peer: 'left' });
    for (const certificate of fromRight!) left.step({ type: 'certificate', certificate, peer: 'right' });
    expect(right.take('certify')).toMatchObject([{ proposal: p1 }]);
    right.certified(p1);
    // Each can now vote for a block on either side of the split.
    for (const parent of [0, 1]) {
      for (const one of [left, right]) {
        const restarted = one.restart();
        nullify(restarted, 3);
        restarted.propose(proposal(4, parent));
        expect(restarted.take('verify').map(({ proposal: asked }) => asked.view)).toEqual([4]);
      }
    }
  },
  bugs: {
    'certificates of views that were left are not sent again': [
      patch('engine/standstill.ts', 'const items = [...round.certificates(), ', 'const items = ['),
    ],
    'a nullified view’s block is not executed any more': [
      patch(
        'engine/acceptance.ts',
        '  state.uncertified.add(round.view);\n',
        '  if (round.certificate(NULLIFY) === undefined) state.uncertified.add(round.view);\n',
      ),
    ],
    'a nullification is of no use where the view was notarized': [
      patch(
        'engine/acceptance.ts',
        'if (rounds.certificate(subject.kind, view) !== undefined) return false;',
        'if (rounds.peek(view)?.certificates()[0] !== undefined) return false;',
      ),
    ],
  },
});
