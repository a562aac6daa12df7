/** TON: re-sends that nothing caps become the congestion that they are meant to cure. */
import { expect } from 'vitest';
import { subjectView } from '../../../src/consensus/vote.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import { X } from '../support.ts';
import { against } from './against.ts';
import { follower } from './bench.ts';
import { code } from './code.ts';

against('re-sends that feed their own congestion', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    for (let view = 1; view <= 2_000; view++) bench.certificate(X(view), [1, 2, 3]);
    bench.take('broadcast-certificate');
    bench.pass(5_000);
    bench.out = [];
    bench.pass(1_000);
    // A certificate of three signatures counts 321 bytes, of 262,144 a second; the view's own re-sends come on top.
    const sent = bench.take('broadcast-certificate').length + bench.take('send-vote').length;
    expect(sent).toBeGreaterThan(600);
    expect(sent).toBeLessThan(820);
    bench.pass(2_000);
    const views = new Set(
      bench.take('broadcast-certificate').map(({ certificate }) => subjectView(certificate.subject)),
    );
    // The sweep goes on where the last slice ended.
    expect(views.has(1_900)).toBe(true);
  },
  bugs: {
    'there is no cap': [
      patch(
        'engine/standstill.ts',
        "if (bytes > budget && effects.some(({ type }) => type !== 'report')) {",
        "if (bytes < 0 && effects.some(({ type }) => type !== 'report')) {",
      ),
    ],
    'a slice begins again with the first view': [
      patch(
        'engine/standstill.ts',
        'this.#cursor = { view: round.view, sent };',
        'this.#cursor = undefined;',
      ),
    ],
  },
});
