/** Watchers of the machine's resources: when they warn, when they stop the node, and when they stay silent. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/codec/errors.ts';
import { ClockWatcher } from '../../src/node/resources/clock.ts';
import { DiskWatcher } from '../../src/node/resources/disk.ts';
import { EventLoopMonitor, EventLoopWatcher, type LagWindow } from '../../src/node/resources/event-loop.ts';
import {
  HandleWatcher,
  limitsWithin,
  peerHandles,
  planFileHandles,
} from '../../src/node/resources/file-handles.ts';
import { type Finding, ResourceError, resourceErrorOf, stopError } from '../../src/node/resources/finding.ts';
import { type MemoryUse, MemoryWatcher } from '../../src/node/resources/memory.ts';
import { fileHandleLimit, freeBytes, memoryUse, openFileHandles } from '../../src/node/resources/system.ts';
import { ResourceWatch } from '../../src/node/resources/watch.ts';
import { DEFAULT_LIMITS } from '../../src/p2p/limits.ts';

const levels = (findings: readonly Finding[]): string[] =>
  findings.map(({ code, level }) => `${code} ${level}`);

describe('disk', () => {
  const watcher = (free: number): DiskWatcher =>
    new DiskWatcher({ paths: ['/data'], warnBytes: 2_000, stopBytes: 1_000, free: async () => free });

  it.each([
    [2_000, []],
    [1_999, ['DISK_LOW warn']],
    [1_000, ['DISK_LOW warn']],
    [999, ['DISK_LOW stop']],
    [0, ['DISK_LOW stop']],
  ])('with %i bytes free: %j', async (free, expected) => {
    expect(levels(await watcher(free).check())).toEqual(expected);
  });

  it('counts where it is scarcest, and only what is there', async () => {
    const free: Record<string, number> = { '/data': 5_000, '/data/db': 5_000, '/data/journal': 900 };
    const disk = new DiskWatcher({
      paths: ['/data', '/data/db', '/data/journal', '/data/later'],
      warnBytes: 2_000,
      stopBytes: 1_000,
      free: async (path) => free[path] ?? Promise.reject(Object.assign(new Error(path), { code: 'ENOENT' })),
    });
    const [finding] = await disk.check();
    expect(finding).toMatchObject({ level: 'stop', message: expect.stringContaining('/data/journal') });
    expect(disk.free).toBe(900);
    free['/data/journal'] = 9_000;
    expect(await disk.check()).toEqual([]);
    expect(disk.free).toBe(5_000);
  });

  it('is asked of a real file system', async () => {
    expect(await freeBytes('.')).toBeGreaterThan(0);
  });
});

interface Net {
  readonly wall: { ms: number };
  readonly mono: { ms: number };
  readonly clock: ClockWatcher;
}

const DELTA = 100;
const ALLOWANCE = 400;

function clockOf(stakes: readonly bigint[], self: number | undefined, stopMs = 600): Net {
  const wall = { ms: 1_000_000 };
  const mono = { ms: 0 };
  const clock = new ClockWatcher({
    stakes,
    self,
    delta: DELTA,
    allowance: ALLOWANCE,
    stopMs,
    wall: () => wall.ms,
    monotonic: () => mono.ms,
  });
  return { wall, mono, clock };
}

function pass(net: Net, ms: number): void {
  net.wall.ms += ms;
  net.mono.ms += ms;
}

/** One proposal of each leader whose clock is `apart[leader]` ms ahead of the own one, `way` ms on its way. */
function round(net: Net, apart: readonly (number | undefined)[], way = 20): void {
  apart.forEach((ahead, leader) => {
    pass(net, 1_000);
    if (ahead !== undefined) net.clock.onProposal(leader, net.wall.ms + ahead - way);
  });
}

describe('clock', () => {
  const four = [1n, 1n, 1n, 1n];

  it('says nothing while the clock is right, however long blocks are on their way within what is allowed', () => {
    for (const way of [0, 20, ALLOWANCE]) {
      const net = clockOf(four, 0);
      round(net, [0, 0, 0, 0], way);
      expect(net.clock.offset).toBe(0);
      expect(net.clock.check()).toEqual([]);
    }
  });

  it.each([
    ['behind', 300, -280, /is 0\.28 s behind/],
    ['ahead', -900, 520, /is 0\.52 s ahead of/],
  ])('warns when the own clock is %s by more than Δ', (_, apart, offset, text) => {
    const net = clockOf(four, 0);
    round(net, [0, apart, apart, apart]);
    expect(net.clock.offset).toBe(offset);
    const [finding, ...more] = net.clock.check();
    expect(finding).toMatchObject({ code: 'CLOCK_OFF', level: 'warn' });
    expect(finding?.message).toMatch(text);
    expect(more).toEqual([]);
  });

  it('stops a validator only when it was too far off for a minute', () => {
    const net = clockOf(four, 0);
    round(net, [0, 5_000, 5_000, 5_000]);
    expect(levels(net.clock.check())).toEqual(['CLOCK_OFF warn']);
    pass(net, 59_000);
    expect(levels(net.clock.check())).toEqual(['CLOCK_OFF warn']);
    pass(net, 1_001);
    expect(levels(net.clock.check())).toEqual(['CLOCK_OFF stop']);
    expect(stopError(net.clock.check()[0]!)).toMatchObject({ code: 'RESOURCE_CLOCK' });
  });

  it('does not take late blocks for a clock that is ahead, unless nothing else explains them', () => {
    for (const [way, level] of [
      [30_000, 'CLOCK_OFF warn'],
      [65_000, 'CLOCK_OFF stop'],
    ] as const) {
      const net = clockOf(four, 0);
      round(net, [0, 0, 0, 0], way);
      net.clock.check();
      pass(net, 60_001);
      expect(levels(net.clock.check())).toEqual([level]);
    }
  });

  it('begins to count anew when the clock was right in between', () => {
    const net = clockOf(four, 0);
    round(net, [0, 5_000, 5_000, 5_000]);
    net.clock.check();
    pass(net, 40_000);
    for (let i = 0; i < 8; i++) round(net, [0, 0, 0, 0]);
    expect(net.clock.check()).toEqual([]);
    for (let i = 0; i < 8; i++) round(net, [0, 5_000, 5_000, 5_000]);
    net.clock.check();
    pass(net, 40_000);
    expect(levels(net.clock.check())).toEqual(['CLOCK_OFF warn']);
  });

  it.each([
    ['a node without a vote', clockOf(four, undefined)],
    ['a validator that is told not to stop', clockOf(four, 0, 0)],
  ])('never stops %s', (_, net) => {
    round(net, [5_000, 5_000, 5_000, 5_000]);
    net.clock.check();
    pass(net, 120_000);
    expect(levels(net.clock.check())).toEqual(['CLOCK_OFF warn']);
  });

  it('has no opinion before leaders with two thirds of the stake were heard, nor from old proposals', () => {
    const net = clockOf(four, 0);
    round(net, [0, 5_000, 5_000, undefined]);
    expect(net.clock.offset).toBeUndefined();
    round(net, [undefined, undefined, undefined, 5_000]);
    expect(net.clock.offset).toBe(-4_980);
    pass(net, 11 * 60_000);
    expect(net.clock.offset).toBeUndefined();
    expect(net.clock.check()).toEqual([]);
  });

  it('is not moved by less than a third of the stake, whatever that claims', () => {
    const stake = fc.bigInt({ min: 1n, max: 1_000n });
    const lie = fc.integer({ min: -1e12, max: 1e12 });
    fc.assert(
      fc.property(fc.array(fc.tuple(stake, lie), { minLength: 4, maxLength: 20 }), (validators) => {
        const total = validators.reduce((sum, [weight]) => sum + weight, 0n);
        const net = clockOf(
          validators.map(([weight]) => weight),
          0,
        );
        let liars = 0n;
        const apart = validators.map(([weight, claim], index) => {
          if (index === 0 || 3n * (liars + weight) >= total) return 0;
          liars += weight;
          return claim;
        });
        round(net, apart);
        fc.pre(net.clock.offset !== undefined);
        expect(net.clock.offset).toBe(0);
      }),
    );
  });

  it('tells of a clock that jumped, and forgets what it measured with the old one', () => {
    const net = clockOf(four, 0);
    round(net, [0, 0, 0, 0]);
    expect(net.clock.check()).toEqual([]);
    net.wall.ms += 3_600_000;
    const [finding] = net.clock.check();
    expect(finding).toMatchObject({ code: 'CLOCK_JUMPED', level: 'warn' });
    expect(finding?.message).toContain('3600 s forward');
    expect(net.clock.offset).toBeUndefined();
    pass(net, 60_000);
    expect(levels(net.clock.check())).toEqual(['CLOCK_JUMPED warn']);
    pass(net, 10 * 60_000);
    expect(net.clock.check()).toEqual([]);
    net.wall.ms -= 500;
    expect(net.clock.check()[0]?.message).toContain('0.50 s back');
  });

  it('does not take a slow drift for a jump', () => {
    const net = clockOf(four, 0);
    for (let i = 0; i < 100; i++) {
      pass(net, 5_000);
      net.wall.ms += 3;
      expect(net.clock.check()).toEqual([]);
    }
  });
});

describe('file handles', () => {
  const PEER_HANDLES = peerHandles(DEFAULT_LIMITS);
  const wants = { tables: 1_000, connections: PEER_HANDLES, clients: 1_024 };

  it('leaves everything as it is where the limit suffices or is not known', () => {
    for (const limit of [undefined, 100_000, 64 + 1_000 + PEER_HANDLES + 1_024]) {
      expect(planFileHandles(limit, wants)).toEqual({ ...wants, remark: undefined });
    }
  });

  it('cuts down the database first, then API clients, then peers, and says so', () => {
    const whole = 64 + 1_000 + PEER_HANDLES + 1_024;
    expect(planFileHandles(whole - 900, wants)).toMatchObject({ ...wants, tables: 100 });
    const plan = planFileHandles(1_024, wants);
    expect(plan).toMatchObject({ tables: 64, connections: PEER_HANDLES });
    expect(plan.remark).toMatch(/may open 1024 .* need 2\d{3}: .*ulimit -n/);
    expect(planFileHandles(256, wants)).toMatchObject({ tables: 64, clients: 16, connections: 112 });
  });

  it('keeps to every limit that it accepts and refuses the others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000 }), (limit) => {
        try {
          const { tables, connections, clients } = planFileHandles(limit, wants);
          expect(64 + tables + connections + clients).toBeLessThanOrEqual(Math.max(limit, 2_488));
          const limits = limitsWithin(connections, DEFAULT_LIMITS);
          expect(limits.maxConnections + limits.inboundPending + limits.maxDials).toBeLessThanOrEqual(
            connections,
          );
        } catch (error) {
          if (!(error instanceof ResourceError)) throw error;
          expect(error).toMatchObject({ code: 'RESOURCE_FILE_HANDLES' });
          expect(limit).toBeLessThan(176);
        }
      }),
    );
  });

  it('warns from four fifths of the limit on', async () => {
    const at = async (open: number | undefined): Promise<string[]> =>
      levels(await new HandleWatcher({ limit: 100, open: async () => open }).check());
    expect(await at(79)).toEqual([]);
    expect(await at(80)).toEqual(['FILE_HANDLES_LOW warn']);
    expect(await at(undefined)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('reads limit and use of this very process', async () => {
    expect(await openFileHandles()).toBeGreaterThan(3);
    const limit = await fileHandleLimit();
    if (limit !== undefined) expect(limit).toBeGreaterThan(16);
  });
});

describe('event loop', () => {
  const windows = (p99s: readonly number[]): string[][] => {
    const rest = [...p99s];
    const watcher = new EventLoopWatcher({
      warnMs: 200,
      next: (): LagWindow => ({ p50: 0, p90: 0, p99: rest.shift()!, max: 1, busy: 0.9 }),
    });
    return p99s.map(() => levels(watcher.check()));
  };

  it('warns after three late windows in a row, and is silent again after a good one', () => {
    const late = ['EVENT_LOOP_LAG warn'];
    expect(windows([0.3, 0.3, 0.1, 0.3, 0.3, 0.3, 0.3, 0.2])).toEqual([[], [], [], [], [], late, late, []]);
  });

  it('measures a loop that was held up', async () => {
    const monitor = new EventLoopMonitor();
    try {
      await new Promise((done) => setTimeout(done, 30));
      const until = performance.now() + 300;
      while (performance.now() < until);
      await new Promise((done) => setTimeout(done, 30));
      const { max, busy } = monitor.next();
      expect(max).toBeGreaterThan(0.1);
      expect(busy).toBeGreaterThan(0.1);
      expect(monitor.last.max).toBe(max);
    } finally {
      monitor.stop();
    }
  });
});

describe('memory', () => {
  const looks = (uses: readonly Partial<MemoryUse>[]): string[][] => {
    const rest = [...uses];
    const watcher = new MemoryWatcher({
      warnShare: 0.85,
      look: () => ({ heapUsed: 0, heapLimit: 100, resident: 0, residentLimit: undefined, ...rest.shift() }),
    });
    return uses.map(() => levels(watcher.check()));
  };
  const warned = ['MEMORY_LOW warn'];

  it('warns when the heap stays near its limit', () => {
    expect(looks([86, 86, 85, 86, 86, 86].map((heapUsed) => ({ heapUsed })))).toEqual([
      [],
      [],
      [],
      [],
      [],
      warned,
    ]);
  });

  it('warns when the process stays near the limit of its container', () => {
    const near = { resident: 900, residentLimit: 1_000 };
    expect(looks([near, near, near])).toEqual([[], [], warned]);
    expect(looks([{ resident: 1e15 }, { resident: 1e15 }, { resident: 1e15 }])).toEqual([[], [], []]);
  });

  it('looks at this very process', () => {
    const { heapUsed, heapLimit, resident } = memoryUse();
    expect(heapUsed).toBeGreaterThan(0);
    expect(heapUsed).toBeLessThan(heapLimit);
    expect(resident).toBeGreaterThan(heapUsed / 2);
  });
});

describe('failed writes', () => {
  const system = (code: string): Error => Object.assign(new Error(`${code}: write failed`), { code });

  it.each(['ENOSPC', 'EDQUOT', 'EIO', 'EFBIG', 'EROFS'])('%s is a matter of the disk', (code) => {
    expect(resourceErrorOf(system(code), '/data')).toMatchObject({ code: 'RESOURCE_DISK' });
  });

  it('knows what the database says, also as a cause', () => {
    const level = Object.assign(new Error('IO error: /data/db/000012.log: No space left on device'), {
      code: 'LEVEL_IO_ERROR',
    });
    const wrapped = new Error('the batch failed', { cause: level });
    for (const error of [level, wrapped]) {
      const found = resourceErrorOf(error, '/data');
      expect(found).toMatchObject({ code: 'RESOURCE_DISK' });
      expect(found?.message).toMatch(
        /^the disk is full: make room, then start the node again \(\/data: .*\)/,
      );
    }
    const unreadable = new ProtocolError(
      'DATABASE_UNREADABLE',
      `the database cannot be opened: ${level.message}`,
    );
    expect(resourceErrorOf(unreadable, '/data')).toMatchObject({ code: 'RESOURCE_DISK' });
  });

  it('knows too many open files', () => {
    expect(resourceErrorOf(system('EMFILE'), '/data')).toMatchObject({ code: 'RESOURCE_FILE_HANDLES' });
  });

  it('leaves other errors alone', () => {
    expect(resourceErrorOf(new Error('a bug that speaks of ENOSPC'), '/data')).toBeUndefined();
    expect(resourceErrorOf(system('ECONNRESET'), '/data')).toBeUndefined();
    expect(resourceErrorOf('text', '/data')).toBeUndefined();
    expect(resourceErrorOf(new ProtocolError('TX_EXPIRED', 'EIO'), '/data')).toBeUndefined();
  });
});

describe('the watch', () => {
  it('tells of a warning when it comes and when it is over, and keeps the list', async () => {
    const lines: string[] = [];
    let findings: readonly Finding[] = [];
    let time = 1_000;
    const watcher = { name: 'test', check: () => findings };
    const log = {
      info: (fields: object, text: string) => lines.push(`${JSON.stringify(fields)} ${text}`),
      warn: (fields: object, text: string) => lines.push(`${JSON.stringify(fields)} ${text}`),
    };
    const watch = new ResourceWatch({
      watchers: [{ watcher, everyMs: 5 }],
      log,
      onStop: () => lines.push('stop'),
      now: () => time,
    });
    const low: Finding = { code: 'DISK_LOW', level: 'warn', message: 'little room' };
    findings = [low];
    await watch.start();
    expect(watch.warnings()).toEqual([{ code: 'DISK_LOW', message: 'little room', since: 1_000 }]);
    time = 2_000;
    findings = [{ ...low, message: 'less room' }];
    await expect.poll(() => watch.warnings()[0]?.message).toBe('less room');
    expect(watch.warnings()[0]?.since).toBe(1_000);
    findings = [];
    await expect.poll(() => watch.warnings()).toEqual([]);
    findings = [{ ...low, level: 'stop' }];
    await expect.poll(() => lines.includes('stop')).toBe(true);
    await new Promise((done) => setTimeout(done, 30));
    watch.stop();
    expect(lines).toEqual([
      '{"code":"DISK_LOW","detail":"little room"} a resource is short',
      '{"code":"DISK_LOW"} the warning is over',
      '{"code":"DISK_LOW","detail":"little room"} a resource is short',
      'stop',
    ]);
  });

  it('outlives a watcher that fails', async () => {
    const lines: string[] = [];
    let calls = 0;
    const watch = new ResourceWatch({
      watchers: [
        {
          watcher: {
            name: 'broken',
            check: () => {
              calls += 1;
              throw new Error('no such thing');
            },
          },
          everyMs: 5,
        },
      ],
      log: { info: () => {}, warn: (_, text) => lines.push(text) },
      onStop: () => {},
      now: () => 0,
    });
    await watch.start();
    await expect.poll(() => calls).toBeGreaterThan(2);
    watch.stop();
    expect(lines).toEqual(['a resource cannot be watched']);
  });
});
