import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { crc32 } from '../../src/consensus/journal/crc32.ts';
import type { Disk } from '../../src/consensus/journal/disk.ts';
import { Journal } from '../../src/consensus/journal/journal.ts';
import type { JournalRecord } from '../../src/consensus/journal/records.ts';
import { FINALIZE, NOTARIZE, NULLIFY } from '../../src/consensus/types.ts';
import { MemoryDisk } from './memory-disk.ts';
import { committee, F, GENESIS_HASH, N, proposal, X } from './support.ts';

const { set, vote, certificate } = committee();

let salts = 0;
const open = (disk: Disk, segmentBytes?: number): Promise<Journal> =>
  Journal.open({
    disk,
    set,
    genesisHash: GENESIS_HASH,
    randomBytes: (length) => sha256(utf8(`salt ${salts++}`)).slice(0, length),
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
  });

const body = (view: number, size = 40): JournalRecord & { type: 'body' } => ({
  type: 'body',
  view,
  payload: proposal(view, view - 1).payload,
  body: new Uint8Array(size).fill(view),
});

/** Everything that a view can leave behind. */
function recordsOf(view: number): JournalRecord[] {
  const p = proposal(view, view - 1);
  return [
    body(view),
    { type: 'vote', vote: vote(0, N(p)) },
    { type: 'certificate', certificate: certificate(N(p), [0, 1, 2]) },
    { type: 'verdict', view, payload: p.payload, ok: view % 5 !== 0 },
    { type: 'vote', vote: vote(0, view % 2 === 0 ? F(p) : X(view)) },
    { type: 'certificate', certificate: certificate(view % 2 === 0 ? F(p) : X(view), [1, 2, 3]) },
  ];
}

async function contents(journal: Journal): Promise<unknown> {
  const { state } = journal;
  const bodies: string[] = [];
  for (const { view, payload } of state.bodies()) {
    bodies.push(`${view} ${toHex(payload)} ${toHex((await journal.readBody(payload))!)}`);
  }
  return {
    floor: state.floor,
    bodies,
    views: state.views().map((view) => ({
      view,
      certificates: [NOTARIZE, NULLIFY, FINALIZE].map((kind) => {
        const held = state.certificatesOf(view)[kind as typeof NOTARIZE];
        return held && toHex(held.signers);
      }),
      votes: ([NOTARIZE, NULLIFY, FINALIZE] as const).map((kind) => {
        const held = state.ownVote(0, kind, view);
        return held && toHex(held.signature);
      }),
      verdict: state.verdictOf(view)?.ok,
    })),
  };
}

async function written(disk: Disk, batches: readonly (readonly JournalRecord[])[], segmentBytes?: number) {
  const journal = await open(disk, segmentBytes);
  for (const batch of batches) {
    for (const record of batch) journal.append(record);
    await journal.commit();
  }
  return journal;
}

describe('the journal', () => {
  it('has a CRC that everybody knows', () => {
    expect(crc32(utf8('123456789'))).toBe(0xcbf43926);
    expect(crc32(utf8('6789'), crc32(utf8('12345')))).toBe(0xcbf43926);
    expect(crc32(utf8('The quick brown fox jumps over the lazy dog'))).toBe(0x414fa339);
  });

  it('has a CRC that does not depend on how the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (bytes, cut) => {
        const [head, tail] = [bytes.subarray(0, cut), bytes.subarray(cut)];
        let single = 0;
        for (const byte of bytes) single = crc32(Uint8Array.of(byte), single);
        expect([crc32(bytes), crc32(tail, crc32(head))]).toEqual([single, single]);
      }),
    );
  });

  it('gives back what was committed', async () => {
    const disk = new MemoryDisk();
    const journal = await written(disk, [recordsOf(1), recordsOf(2), recordsOf(3)]);
    expect(await contents(await open(disk.copy()))).toEqual(await contents(journal));
    expect(journal.state.highestFinalization()).toBe(2);
  });

  it('commits everything that was appended with one fsync', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk);
    const before = journal.metrics.fsyncs;
    const commits: Promise<void>[] = [];
    for (const record of [...recordsOf(1), ...recordsOf(2)]) {
      journal.append(record);
      commits.push(journal.commit());
    }
    await Promise.all(commits);
    expect(journal.metrics.fsyncs - before).toBe(1);
    await journal.commit();
    journal.append(recordsOf(1)[0]!);
    await journal.commit();
    expect(journal.metrics.fsyncs - before).toBe(1);
  });

  it('cuts off a tail torn at any byte, and nothing else', async () => {
    const disk = new MemoryDisk();
    const journal = await written(disk, [recordsOf(1)]);
    const kept = await contents(journal);
    const name = disk.segment;
    const good = disk.files.get(name)!.length;
    const mark = disk.files.get('synced')!;
    for (const record of recordsOf(2)) journal.append(record);
    await journal.commit();
    const whole = disk.files.get(name)!;
    for (let length = good; length < whole.length; length += 7) {
      const torn = disk.copy();
      torn.files.set('synced', mark);
      torn.files.set(name, whole.slice(0, length));
      const reopened = await open(torn);
      expect(await contents(reopened)).toEqual(kept);
      expect(reopened.tornBytes).toBe(length - good);
      expect(torn.files.get(name)!.length).toBe(good);
      for (const record of recordsOf(2)) reopened.append(record);
      await reopened.commit();
      expect(await contents(await open(torn))).toEqual(await contents(journal));
    }
  });

  it('names the place of a corruption before the last batch', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk);
    const name = disk.segment;
    const ends = [journal.metrics.segmentBytes];
    for (const view of [1, 2, 3]) {
      for (const record of recordsOf(view)) journal.append(record);
      await journal.commit();
      ends.push(journal.metrics.segmentBytes);
    }
    const [start, second, third] = ends as [number, number, number, number];
    for (let at = start; at < third; at += 11) {
      const rotten = disk.copy();
      rotten.files.get(name)![at]! ^= 0x10;
      await expect(open(rotten)).rejects.toMatchObject({
        code: 'JOURNAL_CORRUPT',
        details: { segment: name, offset: at < second ? start : second },
      });
    }
  });

  it('does not mistake a body for a batch', async () => {
    const disk = new MemoryDisk();
    const journal = await written(disk, [recordsOf(1)]);
    const name = disk.segment;
    const segment = disk.files.get(name)!;
    const mark = disk.files.get('synced')!;
    // Whoever makes blocks may know what batches look like, but not this segment's salt.
    const other = new MemoryDisk();
    await written(other, [recordsOf(7), recordsOf(8), recordsOf(9)]);
    journal.append({ ...body(2), body: other.files.get(name)! });
    await journal.commit();
    const torn = disk.copy();
    torn.files.set('synced', mark);
    torn.files.set(name, disk.files.get(name)!.slice(0, -3));
    const reopened = await open(torn);
    expect(reopened.tornBytes).toBeGreaterThan(0);
    expect(torn.files.get(name)!.length).toBe(segment.length);
  });

  it('refuses the journal of another chain, and a segment without its checkpoint', async () => {
    const disk = new MemoryDisk();
    await written(disk, [recordsOf(1)]);
    const name = disk.segment;
    const foreign = Journal.open({
      disk,
      set,
      genesisHash: sha256(utf8('another')),
      randomBytes: (length) => new Uint8Array(length),
    });
    await expect(foreign).rejects.toMatchObject({ code: 'JOURNAL_FOREIGN' });
    for (const length of [0, 10, 52, 60]) {
      const cut = disk.copy();
      cut.files.set(name, disk.files.get(name)!.slice(0, length));
      await expect(open(cut)).rejects.toMatchObject({ code: 'JOURNAL_CORRUPT' });
    }
  });

  it('forgets what is durable elsewhere, and only that, when a segment is full', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, 20_000);
    for (let view = 1; view <= 200; view++) {
      for (const record of recordsOf(view)) journal.append(record);
      if (view % 2 === 0 && view > 4) journal.append({ type: 'floor', view: view - 4 });
      await journal.commit();
      expect(disk.files.size).toBe(2);
      expect(disk.files.get(disk.segment)!.length).toBeLessThan(30_000);
    }
    const reopened = await open(disk.copy(), 20_000);
    expect(await contents(reopened)).toEqual(await contents(journal));
    expect(reopened.state.floor).toBe(196);
    expect(reopened.state.views()).toEqual([196, 197, 198, 199, 200]);
    expect(reopened.state.bodies().map(({ view }) => view)).toEqual([197, 198, 199, 200]);
    // The floor's own certificates stay: the next block is built on them.
    expect(reopened.state.certificatesOf(196)[NOTARIZE]).toBeDefined();
    expect(reopened.state.certificatesOf(196)[FINALIZE]).toBeDefined();
  });

  it('keeps everything above the floor, however much that is', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk, 2_000);
    for (let view = 1; view <= 60; view++) {
      for (const record of recordsOf(view)) journal.append(record);
      await journal.commit();
    }
    const reopened = await open(disk.copy(), 2_000);
    expect(reopened.state.views().length).toBe(60);
    expect(await contents(reopened)).toEqual(await contents(journal));
    // Rotation is amortised: a checkpoint is followed by at least its own size of records.
    expect(disk.operations.filter((operation) => operation.startsWith('rename')).length).toBeLessThan(12);
  });

  it('survives a failure at every operation of a rotation', async () => {
    const prepare = async (): Promise<{ disk: MemoryDisk; journal: Journal }> => {
      const disk = new MemoryDisk();
      const journal = await open(disk, 4_000);
      for (let view = 1; journal.metrics.segmentBytes < 4_000; view++) {
        for (const record of recordsOf(view)) journal.append(record);
        await journal.commit();
      }
      return { disk, journal };
    };
    const steps: string[] = [];
    for (let step = 0; ; step++) {
      const { disk, journal } = await prepare();
      const before = await contents(journal);
      const done = disk.operations.length;
      disk.failAfter = done + step;
      for (const record of recordsOf(99)) journal.append(record);
      const outcome = await journal.commit().then(
        () => 'committed',
        () => 'failed',
      );
      disk.failAfter = Number.POSITIVE_INFINITY;
      const after = await contents(await open(disk, 4_000));
      if (outcome === 'committed') {
        expect(after).not.toEqual(before);
        steps.push(...disk.operations.slice(done, done + step));
        break;
      }
      // What was not committed may be there or not; what was is.
      expect(JSON.stringify(after)).toContain(JSON.stringify((before as { views: unknown[] }).views[0]));
      expect((after as { views: unknown[] }).views.slice(0, -1)).toEqual(
        expect.arrayContaining((before as { views: unknown[] }).views.slice(0, -1)),
      );
      expect(() => journal.append(body(100))).toThrow('EIO');
      await expect(journal.commit()).rejects.toThrow('EIO');
    }
    expect(steps.map((operation) => operation.replace(/\d{8,}/g, '#'))).toEqual([
      'append journal-#.tmp',
      'append journal-#.tmp',
      'sync journal-#.tmp',
      'rename journal-#.tmp journal-#',
      'sync directory',
      'overwrite synced',
      'remove journal-#',
      'append journal-#',
      'sync journal-#',
      'overwrite synced',
    ]);
  });

  it('makes durable what a killed process has left, before anything is made of it', async () => {
    const disk = new MemoryDisk();
    const journal = await written(disk, [recordsOf(1), recordsOf(2)]);
    // Killed in the middle of a commit: appended, and neither synced nor marked.
    const killed = disk.copy();
    const mark = killed.files.get('synced')!;
    journal.append(recordsOf(3)[0]!);
    await journal.commit();
    killed.files.set(killed.segment, disk.files.get(disk.segment)!);
    expect(await contents(await open(killed))).toEqual(await contents(journal));
    expect(killed.operations).toEqual([`sync ${killed.segment}`, 'sync directory', 'overwrite synced']);
    expect(killed.files.get('synced')).toEqual(disk.files.get('synced'));
    expect(killed.files.get('synced')).not.toEqual(mark);
  });

  it('opens on the newest segment when a crash left more than one', async () => {
    const disk = new MemoryDisk();
    const journal = await written(disk, [recordsOf(1), recordsOf(2)]);
    const name = disk.segment;
    disk.files.set('journal-0000000000', new Uint8Array(5));
    disk.files.set('journal-0000000002.tmp', new Uint8Array(5));
    disk.files.set('LOCK', new Uint8Array(0));
    expect(await contents(await open(disk))).toEqual(await contents(journal));
    expect([...disk.files.keys()].sort()).toEqual(['LOCK', name, 'synced']);
  });

  it('holds large bodies, in batches that it can read back', async () => {
    const disk = new MemoryDisk();
    const journal = await open(disk);
    const size = 7 * 1024 * 1024;
    for (const view of [1, 2, 3]) journal.append(body(view, size));
    await journal.commit();
    expect(disk.operations.filter((operation) => operation.startsWith('sync journal')).length).toBe(3);
    const reopened = await open(disk);
    for (const view of [1, 2, 3]) {
      const read = await reopened.readBody(body(view).payload);
      expect([read!.length, read![0], read![size - 1]]).toEqual([size, view, view]);
    }
    expect(await reopened.readBody(sha256(utf8('unknown')))).toBeUndefined();
    expect(() => journal.append(body(4, 17 * 1024 * 1024))).toThrow(RangeError);
  });

  it('replays any history to the state that it had in memory', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 20 }).map(recordsOf) },
      {
        weight: 1,
        arbitrary: fc.integer({ min: 1, max: 15 }).map((view): JournalRecord[] => [{ type: 'floor', view }]),
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.constantFrom(500, 3_000, 100_000),
        async (steps, size) => {
          const disk = new MemoryDisk();
          const journal = await written(disk, steps, size);
          expect(await contents(await open(disk, size))).toEqual(await contents(journal));
        },
      ),
      { numRuns: 40 },
    );
  });
});
