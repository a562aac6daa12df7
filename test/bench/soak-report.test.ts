/** The figures of a soak: slopes, the two moments, and a table that says them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { earlyMoment, type NodeSample, slope, soakTable, summarise } from '../../bench/soak-report.ts';

const MIB = 2 ** 20;
const at = (minute: number, rss: number, handles = 40): NodeSample => ({
  minute,
  rss,
  heap: undefined,
  handles,
  threads: 13,
  cpuSeconds: minute,
  databaseBytes: minute * MIB,
  journalBytes: MIB,
  height: minute * 60,
  mempool: 0,
});

describe('the slope', () => {
  it('is that of a line, whatever line it is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1_000, max: 1_000 }),
        fc.integer({ min: -1_000, max: 1_000 }),
        (a, b) => {
          const points = [1, 2, 5, 9].map((x) => [x, a * x + b] as const);
          expect(slope(points)).toBeCloseTo(a, 6);
        },
      ),
    );
  });

  it('is not defined for fewer than three points, or points of one moment', () => {
    expect(slope([])).toBeUndefined();
    expect(
      slope([
        [1, 2],
        [2, 3],
      ]),
    ).toBeUndefined();
    expect(
      slope([
        [1, 2],
        [1, 3],
        [1, 4],
      ]),
    ).toBeUndefined();
  });
});

describe('the summary', () => {
  it('compares minute 10 with minute 60, and leaves the warm-up out of the slope', () => {
    const samples = Array.from({ length: 60 }, (_, i) =>
      i < 9 ? at(i + 1, 100 * MIB + i * 50 * MIB) : at(i + 1, 600 * MIB + (i + 1) * MIB),
    );
    const [node] = summarise(
      [
        { name: 'validator 0', samples },
        { name: 'gone', samples: [] },
      ],
      60,
    );
    expect(node).toMatchObject({ early: { minute: 10 }, late: { minute: 60 }, highestRss: 660 * MIB });
    expect(node!.rssSlope! / MIB).toBeCloseTo(1, 6);
    expect(node!.handlesSlope).toBeCloseTo(0, 6);
    expect(summarise([{ name: 'gone', samples: [] }], 60)).toEqual([]);
  });

  it('shows growth of handles', () => {
    const samples = Array.from({ length: 20 }, (_, i) => at(i + 1, MIB, 40 + 2 * i));
    expect(summarise([{ name: 'v', samples }], 20)[0]!.handlesSlope).toBeCloseTo(2, 6);
  });

  it('takes a sixth of a shorter run as its warm-up', () => {
    expect([60, 90, 30, 6].map(earlyMoment)).toEqual([10, 10, 5, 1]);
  });

  it('says all of it in a table', () => {
    const samples = Array.from({ length: 60 }, (_, i) => at(i + 1, (200 + i) * MIB));
    const table = soakTable(summarise([{ name: 'validator 0', samples }], 60));
    expect(table).toContain('| minute 10 → minute 60 |');
    expect(table).toContain(
      '| validator 0 | 209 → 259 | 259 | 60.0 | – | 40 → 40 | 10 → 60 | 1.0 → 1.0 | 600 → 3600 |',
    );
    expect(soakTable([])).toBe('nothing was sampled');
  });
});
