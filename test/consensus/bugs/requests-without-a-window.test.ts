/**
 * ava-labs #563: the last of the look-ahead windows that were missing. What a certificate of a far view, or a peer's
 * request, makes this node ask for, hold or send is bounded, and each thing is asked for once.
 */
import { expect } from 'vitest';
import { encodeTransactionsRequest } from '../../../src/node/requests.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import { X } from '../support.ts';
import { against } from './against.ts';
import { follower } from './bench.ts';
import { code as blocksCode } from './blocks-code.ts';
import { code } from './code.ts';

against('a certificate of a far view that makes a node ask for everything below it (#563)', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    bench.certificate(X(20_000), [1, 2, 3]);
    expect(bench.engine.roundCount).toBeLessThan(5);
    bench.pass(2_000);
    const asked = bench.take('request-certificate').map(({ query }) => query.view);
    expect(new Set(asked)).toEqual(new Set(Array.from({ length: 32 }, (_, at) => at + 1)));
    for (let view = 20_003; view < 20_100; view++) bench.vote(2, X(view));
    expect(bench.engine.roundCount).toBeLessThan(5);
  },
  bugs: {
    'everything that is missing is asked for': [
      patch('engine/fetcher.ts', 'const WINDOW = 32;', 'const WINDOW = 1e9;'),
      patch('engine/tasks.ts', 'const GAP_WINDOW = 32;', 'const GAP_WINDOW = 1e9;'),
    ],
    'votes ahead of the view are held': [
      patch(
        'engine/votes.ts',
        'return view > state.floor && view <= state.view + 1;',
        'return view > state.floor;',
      ),
    ],
  },
});

against('a request for more than a block has (#563)', {
  module: 'blocks-code.ts',
  code: blocksCode,
  check: ({ decodeTransactionsRequest }) => {
    const hash = new Uint8Array(32);
    const request = (indexes: readonly number[]) => (): unknown =>
      decodeTransactionsRequest(encodeTransactionsRequest({ hash, indexes }), 10_000);
    expect(request(Array.from({ length: 100 }, (_, i) => i))).not.toThrow();
    expect(request(Array.from({ length: 101 }, (_, i) => i))).toThrow();
    expect(request([3, 3])).toThrow();
  },
  bugs: {
    'the list has no bound': [
      {
        file: 'node/requests.ts',
        find: 'r.bin(4, 4 * Math.ceil(maxBlockBytes / LEAST_TRANSACTION_BYTES))',
        replace: 'r.bin(4, 1e9)',
      },
    ],
    'one thing is asked for many times': [
      { file: 'node/requests.ts', find: 'if (index <= last) throw', replace: 'if (index < last) throw' },
    ],
  },
});
