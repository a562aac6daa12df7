import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FileDisk } from '../../src/storage/journal-disk.ts';
import { diskSuite } from './disk-suite.ts';

const directories: string[] = [];
const disks: FileDisk[] = [];
afterEach(async () => {
  for (const disk of disks.splice(0)) await disk.close();
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

async function open(): Promise<{ disk: FileDisk; path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'kryder-disk-'));
  directories.push(path);
  const disk = await FileDisk.open(join(path, 'journal'));
  disks.push(disk);
  return { disk, path: join(path, 'journal') };
}

describe('a journal disk of files', () => {
  diskSuite(async () => ({ disk: (await open()).disk, operate: (promise) => promise }));

  it('is readable by its owner only', async () => {
    const { disk, path } = await open();
    await disk.append('a', Uint8Array.of(1));
    expect((await stat(path)).mode & 0o077).toBe(0);
    expect((await stat(join(path, 'a'))).mode & 0o077).toBe(0);
    await disk.close();
  });

  it('takes no name that leads out of its directory', async () => {
    const { disk } = await open();
    await expect(disk.append('../x', Uint8Array.of(1))).rejects.toThrow('not a plain file name');
  });
});
