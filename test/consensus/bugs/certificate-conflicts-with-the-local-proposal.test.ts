/** commonware #2107: a certificate for another block than the one proposed here ends the process. */
import { expect } from 'vitest';
import { equal } from '../../../src/codec/bytes.ts';
import { FINALIZE } from '../../../src/consensus/types.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import { Bench, BODY, led } from '../bench.ts';
import { GENESIS, N, proposal } from '../support.ts';
import { against } from './against.ts';
import { follower, p1, p2 } from './bench.ts';
import { code } from './code.ts';

const other = proposal(1, 0, 'other');

against('a certificate that conflicts with the local proposal', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    bench.propose(p1);
    bench.verified(p1, GENESIS);
    expect(() => bench.certificate(N(other), [1, 2, 3])).not.toThrow();
    expect(bench.take('certify')).toMatchObject([{ proposal: other }]);
    bench.certified(other);
    expect(bench.engine.view).toBe(2);
    expect(bench.kinds(1)).not.toContain(FINALIZE);
    bench.propose(p2);
    const asked = bench.take('verify').filter(({ proposal: p }) => p.view === 2);
    expect(asked).toHaveLength(1);
    expect(equal(asked[0]!.parent.payload, other.payload)).toBe(true);
    // The leader itself, whose key was used twice.
    const leader = new Bench(led([0]), 0, undefined, undefined, given);
    leader.step({ type: 'built', view: 1, parent: GENESIS, block: { payload: p1.payload, body: BODY } });
    expect(() => leader.certificate(N(other), [1, 2, 3])).not.toThrow();
    expect(leader.take('certify')).toMatchObject([{ proposal: other }]);
  },
  bugs: {
    'it is taken for impossible': [
      patch(
        'engine/acceptance.ts',
        'if (local !== undefined && !sameProposal(local, proposal)) noteEquivocation(state, round);',
        "if (local !== undefined && !sameProposal(local, proposal)) throw new Error('the proposal changed');",
      ),
    ],
    'the local proposal stands': [
      patch('engine/acceptance.ts', '  round.proposal = proposal;\n', '  round.proposal ??= proposal;\n'),
      patch(
        'engine/acceptance.ts',
        'if (local !== undefined && !sameProposal(local, proposal)) noteEquivocation(state, round);',
        'if (local !== undefined && !sameProposal(local, proposal)) { state.uncertified.delete(round.view); return; }',
      ),
    ],
  },
});
