import { describe, expect, it } from 'vitest';
import { explore } from '../explore/explore.ts';
import { Instance, type InstanceOptions } from '../explore/instance.ts';
import { Search } from '../explore/search.ts';

const ONE_VIEW: InstanceOptions = {
  leaders: [3],
  variants: [1],
  poison: false,
  crashes: 0,
  durable: true,
  commits: 'at-once',
  deliveries: 'certificates',
  early: false,
};
const BUDGET = { states: 20_000_000, time: 25 * 60_000 };

/** Validators 0 … 2 are interchangeable where none of them leads. */
function sentBy(options: InstanceOptions): Set<string> {
  const search = new Search(new Instance(options));
  expect(search.run(BUDGET)).toMatchObject({ complete: true, violations: [] });
  return new Set([...search.sentVectors()].map((vector) => vector.split(',').sort().join()));
}

describe('the exploration, at length', () => {
  it('loses nothing by delivering certificates instead of votes', () => {
    const vectors = sentBy(ONE_VIEW);
    expect(vectors.size).toBeGreaterThan(10);
    expect(sentBy({ ...ONE_VIEW, deliveries: 'votes' })).toEqual(vectors);
  });

  it.each([[[0, 1]], [[0, 3]], [[3, 0]], [[3, 3]], [[0, 0]]])(
    'finds nothing in two views, to the end, leaders %s',
    (leaders) => {
      const options = { ...ONE_VIEW, leaders, variants: [2, 1] };
      expect(explore(options, BUDGET)).toMatchObject({ complete: true, violations: [] });
    },
  );
});
