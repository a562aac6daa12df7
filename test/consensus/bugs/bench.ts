/** A replica of the committee of four that leads none of the first five views, on the code that is given. */
import { Bench, led } from '../bench.ts';
import { N, proposal } from '../support.ts';
import type { Code } from './code.ts';

export const p1 = proposal(1, 0);
export const p2 = proposal(2, 1);

export function follower(code: Code, self = 0): Bench {
  return new Bench(led([1, 2, 3, 1, 2]), self, undefined, undefined, code);
}

/** Views 1 … `to` notarized and executed, none final. */
export function upTo(bench: Bench, to: number): void {
  for (let view = 1; view <= to; view++) {
    bench.certificate(N(proposal(view, view - 1)), [1, 2, 3]);
    bench.certified(proposal(view, view - 1));
  }
}
