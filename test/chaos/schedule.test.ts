/** The schedule of faults: the same from the same seed, with every kind in it, and over when a storm is over. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countKinds,
  describeRound,
  KINDS,
  LEAST_NODES,
  MOST_NODES,
  makeSchedule,
  nodesOf,
} from './schedule.ts';

const anySchedule = fc
  .tuple(
    fc.nat(1_000_000),
    fc.integer({ min: LEAST_NODES, max: MOST_NODES }),
    fc.integer({ min: 1, max: 10 }),
  )
  .map(([seed, nodes, minutes]) => ({ seed, nodes, minutes, schedule: makeSchedule(seed, nodes, minutes) }));

describe('the schedule', () => {
  it('follows from seed and nodes, and a longer one begins like a shorter one', () => {
    fc.assert(
      fc.property(anySchedule, ({ seed, nodes, minutes, schedule }) => {
        expect(makeSchedule(seed, nodes, minutes)).toEqual(schedule);
        const longer = makeSchedule(seed, nodes, minutes + 3);
        expect(longer.smallDisk).toBe(schedule.smallDisk);
        expect(longer.rounds.slice(0, schedule.rounds.length)).toEqual(schedule.rounds);
        expect(makeSchedule(seed + 1, nodes, minutes).rounds).not.toEqual(schedule.rounds);
      }),
      { numRuns: 50 },
    );
  });

  it('is as long as was asked, to within a round', () => {
    fc.assert(
      fc.property(anySchedule, ({ minutes, schedule }) => {
        const lengths = schedule.rounds.map(({ stormMs, calmMs }) => stormMs + calmMs);
        const all = lengths.reduce((sum, ms) => sum + ms, 0);
        expect(all).toBeGreaterThanOrEqual(60_000 * minutes);
        expect(all - lengths.at(-1)!).toBeLessThan(60_000 * minutes);
      }),
    );
  });

  it('has every kind of fault, in one minute too', () => {
    fc.assert(
      fc.property(anySchedule, ({ schedule }) => {
        expect(Object.values(countKinds(schedule.rounds)).every((count) => count > 0)).toBe(true);
      }),
    );
  });

  it('has faults that begin and end within their storm, and nodes that there are', () => {
    fc.assert(
      fc.property(anySchedule, ({ nodes, schedule }) => {
        for (const { stormMs, calmMs, faults } of schedule.rounds) {
          expect(calmMs).toBeGreaterThan(0);
          expect(faults.length).toBeGreaterThanOrEqual(5);
          for (const fault of faults) {
            expect(fault.atMs).toBeGreaterThanOrEqual(0);
            expect(fault.forMs).toBeGreaterThan(0);
            expect(fault.atMs + fault.forMs).toBeLessThanOrEqual(stormMs);
            const named: readonly number[] = fault.nodes;
            expect(named.length).toBeGreaterThan(0);
            expect(new Set(named).size).toBe(named.length);
            expect(named.every((node) => node >= 0 && node < nodes)).toBe(true);
            if (fault.kind === 'partition' || fault.kind === 'one-way')
              expect(named.length).toBeLessThan(nodes);
            if (fault.kind === 'disk') expect(named).toEqual([schedule.smallDisk]);
          }
        }
      }),
    );
  });

  it('lets faults overlap, hits few nodes and all of them, and cuts links both ways and one way', () => {
    const { rounds } = makeSchedule(1, 4, 60);
    const faults = rounds.flatMap((round) => round.faults);
    const overlapping = rounds.filter((round) =>
      round.faults.some((a) =>
        round.faults.some((b) => a !== b && a.atMs <= b.atMs && b.atMs < a.atMs + a.forMs),
      ),
    );
    expect(overlapping.length).toBe(rounds.length);
    const killed = faults.flatMap((fault) => (fault.kind === 'kill' ? [fault.nodes.length] : []));
    expect(new Set(killed)).toEqual(new Set([1, 2, 3, 4]));
    const both = faults.flatMap((fault) => (fault.kind === 'link' ? [fault.bothWays] : []));
    expect(new Set(both)).toEqual(new Set([true, false]));
    const left = faults.flatMap((fault) => (fault.kind === 'disk' ? [fault.leftBytes === 0] : []));
    expect(new Set(left)).toEqual(new Set([true, false]));
  });

  it('is told a line a fault, and no two kinds in the same words', () => {
    const { rounds } = makeSchedule(3, 5, 10);
    for (const round of rounds) expect(describeRound(round)).toHaveLength(1 + round.faults.length);
    const words = new Map<string, Set<string>>(KINDS.map((kind) => [kind, new Set()]));
    for (const round of rounds) {
      describeRound(round)
        .slice(1)
        .forEach((line, i) => {
          words.get(round.faults[i]!.kind)!.add(line.replace(/^.*long: /, '').replace(/[\d.]+/g, '#'));
        });
    }
    const all = [...words.values()].flatMap((set) => [...set]);
    expect(new Set(all).size).toBe(all.length);
  });

  it('has as many nodes as a run may have, where nobody chose', () => {
    const counts = new Set(Array.from({ length: 100 }, (_, seed) => nodesOf(seed)));
    expect([...counts].sort()).toEqual([4, 5, 6, 7]);
  });
});
