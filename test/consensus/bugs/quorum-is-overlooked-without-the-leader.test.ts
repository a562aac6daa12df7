/** commonware #4347: a quorum of F votes is overlooked when the leader's vote, or its proposal, was missed. */
import { expect } from 'vitest';
import { patch } from '../../simulator/mutants/mutant.ts';
import { F, N } from '../support.ts';
import { against } from './against.ts';
import { follower, p1 } from './bench.ts';
import { code } from './code.ts';

against('a quorum of F votes that is overlooked because the leader’s is missing', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    bench.certificate(N(p1), [0, 2, 3]);
    bench.certified(p1);
    bench.vote(2, F(p1));
    bench.vote(3, F(p1));
    expect(bench.engine.lastFinal).toEqual(p1);
    // Neither proposal nor notarization was heard of: the votes for the finalization are enough.
    const blind = follower(given, 2);
    for (const signer of [1, 3]) blind.vote(signer, F(p1));
    expect(blind.engine.lastFinal.view).toBe(0);
    blind.vote(0, F(p1));
    expect(blind.engine.lastFinal).toEqual(p1);
  },
  bugs: {
    'the leader’s F is waited for': [
      patch(
        'engine/round.ts',
        'if (!hasQuorum(stake, set.totalStake)) return undefined;',
        'if (!hasQuorum(stake, set.totalStake) || (subject.kind === FINALIZE && this.vote(FINALIZE, this.leader) === undefined)) return undefined;',
      ),
    ],
    'the proposal is waited for': [
      patch(
        'engine/round.ts',
        'if (!hasQuorum(stake, set.totalStake)) return undefined;',
        'if (!hasQuorum(stake, set.totalStake) || (subject.kind === FINALIZE && this.proposal === undefined)) return undefined;',
      ),
    ],
  },
});
