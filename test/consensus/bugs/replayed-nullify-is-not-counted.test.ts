/**
 * commonware #4275: after a restart of everybody, own nullify votes are sent again and not counted in one's own tally.
 * Each replica then waits for one vote more than there is: the whole cluster is deadlocked.
 */
import { expect } from 'vitest';
import { patch } from '../../simulator/mutants/mutant.ts';
import type { Bench } from '../bench.ts';
import { X } from '../support.ts';
import { against } from './against.ts';
import { follower } from './bench.ts';
import { code } from './code.ts';

against('a replayed own nullify vote that is not counted', {
  module: 'code.ts',
  code,
  check: (given) => {
    // Three of four are up: all of their votes are needed.
    const before = [0, 2, 3].map((self) => follower(given, self));
    for (const bench of before) bench.pass(300);
    expect(before.map((bench) => bench.has(X(1)))).toEqual([true, true, true]);
    const after = before.map((bench): Bench => bench.restart());
    const votes = after.flatMap((bench) => bench.take('send-vote').map(({ vote }) => vote));
    expect(votes.map(({ subject }) => subject)).toEqual([X(1), X(1), X(1)]);
    for (const bench of after) {
      for (const vote of votes) if (vote.signer !== bench.self) bench.vote(vote.signer, vote.subject);
    }
    expect(after.map(({ engine }) => engine.view)).toEqual([2, 2, 2]);
  },
  bugs: {
    'replay marks the vote as given and does not count it': [
      patch('engine/recovery.ts', 'round.count(vote, state.options.set);', ''),
    ],
    'replay counts the vote and does not send it': [
      patch('engine/recovery.ts', 'sendOwn(state, round, vote);', 'void sendOwn;'),
    ],
  },
});
