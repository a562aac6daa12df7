/** What overlapping faults make of the network, and the packet filter's rules for it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conditionsOf, hubRules, nodeRules, timeline } from './conditions.ts';
import { type Fault, makeSchedule } from './schedule.ts';
import { placesOf } from './wires.ts';

const span = { atMs: 0, forMs: 1_000 };
const cutsOf = (...faults: Fault[]): string[] =>
  conditionsOf(faults, 4).cut.flatMap((row, from) =>
    row.flatMap((cut, to) => (cut ? [`${from}>${to}`] : [])),
  );

describe('conditions', () => {
  it('are calm without faults, and no rule drops anything', () => {
    const calm = conditionsOf([], 4);
    expect(calm.down.concat(calm.paused)).toEqual(Array(8).fill(false));
    expect(cutsOf()).toEqual([]);
    const places = placesOf(4);
    expect(hubRules(places, calm) + nodeRules(0, places, calm)).not.toContain('DROP');
  });

  it.each<[string, Fault, string[]]>([
    [
      'a partition cuts both ways, and leaves each side whole',
      { kind: 'partition', ...span, nodes: [0, 1] },
      ['0>2', '0>3', '1>2', '1>3', '2>0', '2>1', '3>0', '3>1'],
    ],
    ['a one-way partition cuts one way', { kind: 'one-way', ...span, nodes: [3] }, ['3>0', '3>1', '3>2']],
    ['a link is cut one way', { kind: 'link', ...span, nodes: [2, 1], bothWays: false }, ['2>1']],
    ['or both', { kind: 'link', ...span, nodes: [2, 1], bothWays: true }, ['1>2', '2>1']],
  ])('%s', (_, fault, cuts) => {
    expect(cutsOf(fault)).toEqual(cuts);
  });

  it('add up where faults overlap: the worst bandwidth and disk, all delays, either loss', () => {
    const both = conditionsOf(
      [
        { kind: 'bandwidth', ...span, nodes: [0], kbit: 512 },
        { kind: 'bandwidth', ...span, nodes: [0, 1], kbit: 64 },
        { kind: 'disk', ...span, nodes: [2], leftBytes: 4_096 },
        { kind: 'disk', ...span, nodes: [2], leftBytes: 0 },
        { kind: 'delay', ...span, nodes: [0], delayMs: 10, jitterMs: 1 },
        { kind: 'delay', ...span, nodes: [1, 2], delayMs: 20, jitterMs: 2 },
        { kind: 'loss', ...span, nodes: [3], ppm: 500_000 },
        { kind: 'loss', ...span, nodes: [3], ppm: 100_000 },
        { kind: 'kill', ...span, nodes: [1] },
        { kind: 'pause', ...span, nodes: [1, 2] },
      ],
      4,
    );
    expect(both.kbit).toEqual([64, 64, undefined, undefined]);
    expect(both.leftBytes).toEqual([undefined, undefined, 0, undefined]);
    expect(both.late[0]!.map(({ delayMs, jitterMs }) => [delayMs, jitterMs])).toEqual([
      [10, 1],
      [30, 3],
      [30, 3],
      [10, 1],
    ]);
    expect(both.late[1]![2]).toEqual({ delayMs: 20, jitterMs: 2 });
    expect(both.lossPpm).toEqual([0, 0, 0, 550_000]);
    expect(both.down).toEqual([false, true, false, false]);
    expect(both.paused).toEqual([false, true, true, false]);
  });
});

describe('rules', () => {
  it('drop what is cut at both of its ends, and lose what a node sends and gets', () => {
    const places = placesOf(4);
    const now = conditionsOf(
      [
        { kind: 'link', ...span, nodes: [0, 2], bothWays: false },
        { kind: 'loss', ...span, nodes: [1], ppm: 12_345 },
      ],
      4,
    );
    const drops = (rules: string): string[] => rules.split('\n').filter((line) => line.endsWith('-j DROP'));
    expect(drops(hubRules(places, now))).toEqual([
      '-A INPUT -s 10.77.0.1/32 -d 10.88.0.3/32 -j DROP',
      '-A INPUT -s 10.77.0.2/32 -m statistic --mode random --probability 0.012345 -j DROP',
    ]);
    expect(drops(nodeRules(2, places, now))).toEqual(['-A INPUT -s 10.88.0.1/32 -j DROP']);
    expect(drops(nodeRules(0, places, now))).toEqual([]);
    expect(drops(nodeRules(1, places, now))).toHaveLength(1);
  });
});

describe('the timeline', () => {
  it('has each fault from its beginning to its end, and ends with none', () => {
    const seeds = fc.tuple(fc.nat(10_000), fc.integer({ min: 4, max: 7 }));
    fc.assert(
      fc.property(seeds, ([seed, nodes]) => {
        for (const { stormMs, faults } of makeSchedule(seed, nodes, 3).rounds) {
          const moments = timeline(faults, stormMs);
          expect(moments.map(({ atMs }) => atMs)).toEqual(
            [...new Set(moments.map(({ atMs }) => atMs))].sort((a, b) => a - b),
          );
          expect(moments.at(-1)).toEqual({ atMs: stormMs, active: [] });
          for (const fault of faults) {
            const active = moments.filter((moment) => moment.active.includes(fault));
            expect(active[0]!.atMs).toBe(fault.atMs);
            const after = moments.find(({ atMs }) => atMs > active.at(-1)!.atMs)!;
            expect(after.atMs).toBe(fault.atMs + fault.forMs);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});
