/** commonware #4436: a check that began on one parent, or for one proposal, is used when another one stands there. */
import { expect } from 'vitest';
import { patch } from '../../simulator/mutants/mutant.ts';
import { GENESIS, proposal, X } from '../support.ts';
import { against } from './against.ts';
import { follower, p1, p2, upTo } from './bench.ts';
import { code } from './code.ts';

against('the verdict of a check on a stale parent', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    upTo(bench, 1);
    bench.propose(p2);
    bench.verified(p2, proposal(1, 0, 'other'));
    expect(bench.kinds(2)).toEqual([]);
    expect(bench.take('verify')).toMatchObject([
      { proposal: p2, parent: p1 },
      { proposal: p2, parent: p1 },
    ]);
    bench.verified(proposal(2, 1, 'other'), p1);
    expect(bench.kinds(2)).toEqual([]);
    const late = follower(given);
    late.propose(p1);
    late.certificate(X(1), [1, 2, 3]);
    late.verified(p1, GENESIS);
    expect(late.kinds(1)).toEqual([]);
  },
  bugs: {
    'the parent is not compared': [
      patch(
        'engine/tasks.ts',
        'if (current === undefined || !equal(current.payload, parent.payload)) {',
        'if (current === undefined || !equal(parent.payload, parent.payload)) {',
      ),
    ],
    'the proposal is not compared': [
      patch(
        'engine/tasks.ts',
        'if (round.proposal === undefined || !sameProposal(round.proposal, proposal)) return IGNORED;',
        'if (round.proposal === undefined) return IGNORED;',
      ),
    ],
    'the view may have been left': [
      patch(
        'engine/tasks.ts',
        "if (round === undefined || round.view !== state.view || round.verifying !== 'running') return IGNORED;",
        'if (round === undefined) return IGNORED;',
      ),
    ],
  },
});
