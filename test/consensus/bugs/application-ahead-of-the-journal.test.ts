/**
 * commonware #3727: the application holds blocks that the consensus journal knows nothing of, since it imported them by
 * itself or the journal was lost; the replica waits for ever in a view that everybody has left.
 */
import { expect } from 'vitest';
import { JournalState } from '../../../src/consensus/journal/state.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import { Bench } from '../bench.ts';
import { F, N, proposal } from '../support.ts';
import { against } from './against.ts';
import { follower, p1, p2, upTo } from './bench.ts';
import { code } from './code.ts';

against('an application that is ahead of the journal', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    const certificate = bench.committee.certificate(F(proposal(9, 8)), [1, 2, 3]);
    const floor = { proposal: proposal(9, 8), finalization: certificate };
    const ahead = new Bench(bench.committee, 0, new JournalState(), floor, given);
    expect([ahead.engine.view, ahead.engine.lastFinal.view]).toEqual([10, 9]);
    ahead.certificate(N(proposal(9, 8)), [1, 2, 3]);
    ahead.certificate(N(proposal(10, 9)), [1, 2, 3]);
    expect(ahead.take('certify')).toMatchObject([{ proposal: proposal(10, 9), parent: proposal(9, 8) }]);
    // Ahead while the replica runs.
    const running = follower(given);
    expect(running.step({ type: 'synced', certificate })).toEqual({ ok: true, useful: true });
    expect([running.engine.view, running.engine.lastFinal.view]).toEqual([10, 9]);
    expect(running.take('finalize')).toEqual([]);
    // And one that is behind is told again.
    upTo(bench, 4);
    bench.certificate(F(proposal(4, 3)), [1, 2, 3]);
    expect(bench.restart().take('finalize')).toMatchObject([
      { proposals: [p1, p2, proposal(3, 2), proposal(4, 3)], gap: false },
    ]);
  },
  bugs: {
    'the replica starts where the journal ends': [
      patch('engine/recovery.ts', 'let view = floor + 1;', 'let view = journalFloor + 1;'),
    ],
    'what the application imported moves nothing': [
      patch(
        'engine/acceptance.ts',
        'if (verdict.ok) accept(state, certificate, undefined, false);',
        'if (verdict.ok) state.rounds.at(0).setCertificate(certificate);',
      ),
    ],
    'an application that is behind is not told again': [
      patch(
        'engine/recovery.ts',
        'finalize(state, final, final.subject.proposal, true);',
        'finalize(state, final, final.subject.proposal, false);',
      ),
    ],
  },
});
