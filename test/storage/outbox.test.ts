/** What users sent is on disk when `add` resolves, survives whatever happens to the files, and goes when it may. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { concat, EMPTY_BYTES, keyOf } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { Disk } from '../../src/consensus/journal/disk.ts';
import { FileDisk } from '../../src/storage/journal-disk.ts';
import { Outbox, type OutboxEntry } from '../../src/storage/outbox.ts';
import { generator } from '../ledger/support.ts';

const LIMITS = { maxTransactions: 1_000, maxBytes: 64 * 1024 * 1024 };

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Files in memory, which a test reads and spoils. */
class MemoryDisk implements Disk {
  readonly files: Map<string, Uint8Array>;
  readonly synced: string[] = [];

  constructor(files: Iterable<[string, Uint8Array]> = []) {
    this.files = new Map(files);
  }

  async list(): Promise<readonly string[]> {
    return [...this.files.keys()];
  }

  async size(name: string): Promise<number> {
    return this.files.get(name)?.length ?? 0;
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    return this.files.get(name)!.slice(offset, offset + length);
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    this.files.set(name, concat(this.files.get(name) ?? EMPTY_BYTES, bytes));
  }

  async overwrite(name: string, bytes: Uint8Array): Promise<void> {
    this.files.set(name, bytes);
  }

  async truncate(name: string, length: number): Promise<void> {
    this.files.set(name, this.files.get(name)!.slice(0, length));
  }

  async sync(name: string): Promise<void> {
    this.synced.push(name);
  }

  async rename(from: string, to: string): Promise<void> {
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }

  async remove(name: string): Promise<void> {
    this.files.delete(name);
  }

  async syncDirectory(): Promise<void> {
    this.synced.push('.');
  }
}

const FIRST = '00000001.own';

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kryder-outbox-'));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function open(path: string): Promise<FileDisk> {
  const opened = await FileDisk.open(path, { failPoints: false });
  cleanups.push(() => opened.close());
  return opened;
}

function entry(name: number, length = 200): OutboxEntry {
  const bytes = new Uint8Array(length).fill(name);
  new DataView(bytes.buffer).setUint32(0, name);
  return { bytes, key: keyOf(sha256(bytes)) };
}

const hashes = (outbox: Outbox): string[] => outbox.transactions().map(({ key }) => key);
const hashesOf = (entries: readonly OutboxEntry[]): string[] => entries.map(({ key }) => key);

describe('the outbox', () => {
  it('holds after a restart what was added and not removed, in its order', async () => {
    const path = await directory();
    const entries = Array.from({ length: 50 }, (_, i) => entry(i));
    const first = await Outbox.open(await open(path), LIMITS);
    await first.add(entries.slice(0, 10));
    await Promise.all(entries.slice(10).map((one) => first.add([one])));
    await first.add(entries);
    expect(first.size).toBe(50);
    for (const one of entries.slice(0, 5)) first.remove(one.key);
    const second = await Outbox.open(await open(path), LIMITS);
    // Removals are not written one by one: whoever reads them again finds them final.
    expect(hashes(second)).toEqual(hashesOf(entries));
    for (const one of entries.slice(0, 25)) second.remove(one.key);
    await second.add([entry(99)]);
    expect(hashes(second)).toEqual(hashesOf([...entries.slice(25), entry(99)]));
    await second.close();
  });

  it('removes files in which nothing waits any more', async () => {
    const path = await directory();
    const entries = Array.from({ length: 20 }, (_, i) => entry(i));
    const first = await Outbox.open(await open(path), LIMITS);
    await first.add(entries);
    await first.close();
    const second = await Outbox.open(await open(path), LIMITS);
    for (const one of entries) second.remove(one.key);
    await second.close();
    expect(await readdir(path)).toEqual([]);
    const third = await Outbox.open(await open(path), LIMITS);
    expect(third.size).toBe(0);
  });

  it('stays small on disk, also where one that waits long stands in every file', async () => {
    const disk = new MemoryDisk();
    const outbox = await Outbox.open(disk, { ...LIMITS, fileBytes: 16_384 });
    const stay: OutboxEntry[] = [];
    for (let round = 0; round < 12; round++) {
      const entries = Array.from({ length: 100 }, (_, i) => entry(1_000 * round + i));
      await outbox.add(entries);
      stay.push(entries[7]!);
      for (const one of entries) if (one !== entries[7]) outbox.remove(one.key);
    }
    await outbox.close();
    expect(disk.files.size).toBeLessThanOrEqual(6);
    const again = await Outbox.open(disk, LIMITS);
    const kept = new Set(hashes(again));
    for (const hash of hashesOf(stay)) expect(kept.has(hash)).toBe(true);
  });

  it('reads the youngest again behind any number that have left', async () => {
    const limits = { maxTransactions: 10, maxBytes: 4_000, fileBytes: 16_384 };
    const disk = new MemoryDisk();
    const outbox = await Outbox.open(disk, limits);
    await outbox.add([entry(0)]);
    for (let i = 1; i < 300; i++) {
      await outbox.add([entry(i)]);
      if (i > 1) outbox.remove(entry(i - 1).key);
    }
    expect(hashes(outbox)).toEqual(hashesOf([entry(0), entry(299)]));
    const again = await Outbox.open(disk, limits);
    const kept = new Set(hashes(again));
    for (const hash of hashesOf([entry(0), entry(299)])) expect(kept.has(hash)).toBe(true);
    await expect(again.add([entry(300)])).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
    for (const { key } of again.transactions()) again.remove(key);
    await again.add([entry(300)]);
    expect(hashes(again)).toEqual(hashesOf([entry(300)]));
  });

  it('holds few dead on disk, however large the writes are that they came in', async () => {
    const limits = { maxTransactions: 1_000, maxBytes: 400_000, fileBytes: 16_384 };
    const disk = new MemoryDisk();
    const outbox = await Outbox.open(disk, limits);
    for (let round = 0; round < 10; round++) {
      const entries = Array.from({ length: 900 }, (_, i) => entry(1_000 * round + i));
      await outbox.add(entries);
      for (const one of entries.slice(1)) outbox.remove(one.key);
    }
    await outbox.close();
    const held = [...disk.files.values()].reduce((sum, { length }) => sum + length, 0);
    expect(held).toBeLessThan(2 * limits.maxBytes + 5 * limits.fileBytes);
    const again = await Outbox.open(disk, limits);
    const kept = new Set(hashes(again));
    for (let round = 0; round < 10; round++) expect(kept.has(entry(1_000 * round).key)).toBe(true);
  });

  it('makes durable what a killed process has left, since who sends it again is told that it is kept', async () => {
    const disk = new MemoryDisk();
    const outbox = await Outbox.open(disk, LIMITS);
    await outbox.add([entry(1)]);
    const killed = new MemoryDisk(disk.files);
    const next = await Outbox.open(killed, LIMITS);
    expect(next.size).toBe(1);
    expect(killed.synced).toEqual([FIRST, '.']);
  });

  it('writes what is added at whatever moment of a removal', async () => {
    for (let moment = 0; moment < 30; moment++) {
      const outbox = await Outbox.open(new MemoryDisk(), LIMITS);
      const [gone, kept] = [entry(1), entry(2)];
      await outbox.add([gone]);
      // As long as it may take for the file to be looked at.
      for (let i = 0; i < 30; i++) await Promise.resolve();
      outbox.remove(gone.key);
      for (let i = 0; i < moment; i++) await Promise.resolve();
      await outbox.add([kept]);
      expect(outbox.transactions().map(({ key }) => key)).toEqual([kept.key]);
    }
  });

  it('refuses what would pass its limits, and keeps nothing of it', async () => {
    const outbox = await Outbox.open(await open(await directory()), { maxTransactions: 3, maxBytes: 700 });
    await outbox.add([entry(1), entry(2)]);
    await expect(outbox.add([entry(3), entry(4)])).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
    await expect(outbox.add([entry(5, 400)])).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
    expect(outbox.size).toBe(2);
    outbox.remove(entry(1).key);
    await outbox.add([entry(3), entry(4)]);
    expect(outbox.size).toBe(3);
  });

  it('loses nothing but what was cut off, wherever a file is cut', async () => {
    const original = new MemoryDisk();
    const first = await Outbox.open(original, LIMITS);
    const ends: number[] = [];
    for (let i = 0; i < 4; i++) {
      await first.add([entry(i, 40)]);
      ends.push(original.files.get(FIRST)!.length);
    }
    const whole = original.files.get(FIRST)!;
    for (let length = 0; length < whole.length; length++) {
      const outbox = await Outbox.open(new MemoryDisk([[FIRST, whole.slice(0, length)]]), LIMITS);
      expect(outbox.size).toBe(ends.filter((end) => end <= length).length);
    }
  });

  it('never takes a flipped byte for a transaction, and says how much it could not read', async () => {
    const original = new MemoryDisk();
    const first = await Outbox.open(original, LIMITS);
    const entries = [entry(1, 40), entry(2, 40), entry(3, 40)];
    for (const one of entries) await first.add([one]);
    const sound = new Set(hashesOf(entries));
    const whole = original.files.get(FIRST)!;
    for (let at = 0; at < whole.length; at++) {
      const broken = whole.slice();
      broken[at]! ^= 0x41;
      const disk = new MemoryDisk([[FIRST, broken]]);
      const outbox = await Outbox.open(disk, LIMITS);
      expect(outbox.size).toBe(Math.floor((3 * at) / whole.length));
      expect(outbox.damaged).toBeGreaterThan(0);
      for (const hash of hashes(outbox)) expect(sound.has(hash)).toBe(true);
      // What is added now is not lost behind the damage.
      await outbox.add([entry(9, 40)]);
      expect(hashes(await Outbox.open(disk, LIMITS))).toContain(entry(9, 40).key);
    }
  });

  it('goes on in another file after the disk has failed', async () => {
    class FlakyDisk extends MemoryDisk {
      failing = false;
      override async sync(): Promise<void> {
        if (this.failing) throw new Error('ENOSPC');
      }
    }
    const disk = new FlakyDisk();
    const outbox = await Outbox.open(disk, LIMITS);
    await outbox.add([entry(1)]);
    disk.failing = true;
    await expect(outbox.add([entry(2)])).rejects.toThrow('ENOSPC');
    expect(outbox.size).toBe(1);
    disk.failing = false;
    await outbox.add([entry(3)]);
    await outbox.close();
    expect([...disk.files.keys()]).toEqual([FIRST, '00000002.own']);
    const again = await Outbox.open(disk, LIMITS);
    for (const hash of hashesOf([entry(1), entry(3)])) expect(hashes(again)).toContain(hash);
  });

  it('keeps its promise over random histories with a crash after each', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = generator(seed);
      let disk = new MemoryDisk();
      const must = new Map<string, OutboxEntry>();
      let names = 0;
      for (let life = 0; life < 4; life++) {
        // A crash: whatever the one before still does, it does not do it to these files.
        disk = new MemoryDisk(disk.files);
        const outbox = await Outbox.open(disk, { ...LIMITS, fileBytes: 30_000 });
        const found = new Set(hashes(outbox));
        for (const hash of must.keys()) expect(found.has(hash)).toBe(true);
        for (let step = 0; step < 12; step++) {
          const entries = Array.from({ length: 1 + random(5) }, () => entry(++names, 100 + random(9_000)));
          await outbox.add(entries);
          for (const one of entries) must.set(one.key, one);
          for (const [hash, one] of [...must]) {
            if (random(3) > 0) continue;
            outbox.remove(one.key);
            must.delete(hash);
          }
        }
        expect(new Set(hashes(outbox)).size).toBe(outbox.size);
      }
    }
  });
});
