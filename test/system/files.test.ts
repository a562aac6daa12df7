import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDirectory } from '../../src/system/directory.ts';
import { readText } from '../../src/system/text-file.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder system ü-'));
  await writeFile(join(dir, 'file'), 'ü'.repeat(50));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('reading a text file', () => {
  it('gives all of it, up to the bound', async () => {
    const path = join(dir, 'file');
    expect(await readText(path, 100)).toBe('ü'.repeat(50));
    await expect(readText(path, 99)).rejects.toMatchObject({ code: 'FILE_TOO_LONG' });
  });

  it('never reads more than the bound, however much there is', async () => {
    await expect(readText('/dev/zero', 1_000_000)).rejects.toMatchObject({ code: 'FILE_TOO_LONG' });
  });

  it('refuses what is no text, and names what cannot be read', async () => {
    await writeFile(join(dir, 'bytes'), Uint8Array.of(0x41, 0xff, 0xfe));
    await expect(readText(join(dir, 'bytes'), 10)).rejects.toMatchObject({ code: 'FILE_NOT_TEXT' });
    await expect(readText(dir, 10)).rejects.toMatchObject({ code: 'EISDIR', path: dir });
    const missing = join(dir, 'missing');
    await expect(readText(missing, 10)).rejects.toMatchObject({ code: 'ENOENT', path: missing });
  });

  it('reads a pipe as well', async () => {
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const [text] = await Promise.all([readText(pipe, 10), writeFile(pipe, 'through')]);
    expect(text).toBe('through');
  });
});

describe('making a directory', () => {
  it('makes those above it, for their owner alone, and leaves one that is there as it is', async () => {
    await makeDirectory(join(dir, 'a', 'b', 'c'));
    expect((await stat(join(dir, 'a', 'b'))).mode & 0o777).toBe(0o700);
    await mkdir(join(dir, 'open'), { mode: 0o755 });
    await makeDirectory(join(dir, 'open'));
    expect((await stat(join(dir, 'open'))).mode & 0o777).toBe(0o755);
  });

  it('fails where there can be none', async () => {
    const path = join(dir, 'file');
    await expect(makeDirectory(path)).rejects.toMatchObject({ code: 'ENOTDIR', path });
    await expect(makeDirectory(join(path, 'x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(makeDirectory('/proc/kryder/x')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
