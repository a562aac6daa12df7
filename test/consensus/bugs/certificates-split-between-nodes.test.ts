/**
 * commonware #2192 (and the configuration of #2149): one half of the nodes holds the notarization of a view, the other
 * its nullification, and neither ever hears of what the other has. Two thirds are honest and online, and no proposal is
 * acceptable to enough of them.
 */
import { expect } from 'vitest';
import type { Certificate } from '../../../src/consensus/types.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import type { Bench } from '../bench.ts';
import { N, proposal, X } from '../support.ts';
import { against } from './against.ts';
import { follower, p1 } from './bench.ts';
import { code } from './code.ts';

against('certificates that are split between nodes', {
  module: 'code.ts',
  code,
  check: (given) => {
    const [left, right] = [follower(given, 0), follower(given, 3)];
    left.certificate(N(p1), [1, 2, 3]);
    left.certified(p1);
    right.certificate(X(1), [0, 1, 2]);
    expect([left.engine.view, right.engine.view]).toEqual([2, 2]);
    for (const bench of [left, right]) bench.out = [];
    const sent = (bench: Bench): Certificate[] =>
      bench.take('broadcast-certificate').map(({ certificate }) => certificate);
    left.pass(7_000);
    right.pass(7_000);
    const [fromLeft, fromRight] = [sent(left), sent(right)];
    for (const certificate of fromLeft) right.step({ type: 'certificate', certificate, peer: 'left' });
    for (const certificate of fromRight) left.step({ type: 'certificate', certificate, peer: 'right' });
    // Each can now vote for a block on either side of the split.
    expect(right.take('certify')).toMatchObject([{ proposal: p1 }]);
    right.certified(p1);
    left.certificate(X(2), [1, 2, 3]);
    right.certificate(X(2), [0, 1, 2]);
    for (const bench of [left, right]) {
      bench.propose(proposal(3, 0));
      expect(bench.take('verify').map(({ proposal: asked }) => asked.view)).toContain(3);
    }
    const other = follower(given, 3);
    other.certificate(X(1), [0, 1, 2]);
    for (const certificate of fromLeft) other.step({ type: 'certificate', certificate, peer: 'left' });
    other.certified(p1);
    other.certificate(X(2), [0, 1, 2]);
    other.propose(proposal(3, 1));
    expect(other.take('verify').map(({ proposal: asked }) => asked.view)).toContain(3);
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
