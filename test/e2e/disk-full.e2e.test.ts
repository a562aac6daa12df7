/**
 * A validator whose disk runs full: on a real file system of a few megabytes, which takes root to mount. Where that
 * is not to be had, this says so, and the limits are tested on the disk that there is.
 */
import { execFile } from 'node:child_process';
import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  rmdir,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/output.ts';
import { named } from '../ledger/support.ts';
import { TestNet } from './net.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const SMALL_BYTES = 64 * MIB;
/** More than any disk has. */
const NOWHERE = { diskWarnBytes: '1048576GiB', diskStopBytes: '1048576GiB' };

async function canMount(): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'kryder-mount-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', dir]);
    await run('umount', [dir]);
    return true;
  } catch {
    return false;
  } finally {
    await rmdir(dir);
  }
}

const mounts = await canMount();
if (!mounts) process.stderr.write('disk-full: no file system can be mounted here; only limits are tested\n');

let net: TestNet;
let mounted = false;
beforeAll(async () => {
  net = await TestNet.start(4);
  if (mounts) await moveToSmallDisk();
}, 90_000);
afterAll(async () => {
  if (mounted) await net.terminate(0);
  if (mounted) await run('umount', [net.dataDirectory(0)]);
  await net?.stop();
});

async function moveToSmallDisk(): Promise<void> {
  const dir = net.dataDirectory(0);
  await net.terminate(0);
  await rename(dir, `${dir}.moved`);
  await mkdir(dir, { mode: 0o700 });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_BYTES},mode=0700`, 'none', dir]);
  mounted = true;
  await cp(`${dir}.moved`, dir, { recursive: true });
}

async function change(settings: Record<string, unknown>): Promise<void> {
  const file = join(net.dataDirectory(0), 'node.json');
  const json = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...json, ...settings }));
}

const ballast = (): string => join(net.dataDirectory(0), 'ballast');

/** Takes all space of the small disk but `left` bytes; with 0, every last one, whatever the node takes meanwhile. */
async function fill(left: number): Promise<void> {
  const { bavail, bsize } = await statfs(net.dataDirectory(0));
  try {
    await writeFile(ballast(), new Uint8Array(Math.max(0, bavail * bsize - left)));
    while (left === 0) await appendFile(ballast(), new Uint8Array(4_096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** The node starts again, catches up and votes; nothing that it had is lost, and nobody saw it vote twice. */
async function recovers(before: { height: number; blockHash: string }, paid: string): Promise<void> {
  await net.restart([0]);
  expect(await net.get(0, `/v1/blocks/${before.height}?transactions=0`)).toMatchObject({
    hash: before.blockHash,
  });
  const { height } = await net.status(1);
  await net.untilHeight(0, height + 5);
  await net.untilFinal(0, paid);
  for (const index of [1, 2, 3]) {
    const metrics = await (await fetch(`${net.api(index)}/metrics`)).text();
    expect(metrics).toContain('kryder_equivocations_total 0\n');
    expect(metrics).toContain('kryder_conflicts_total 0\n');
  }
}

async function pay(name: string): Promise<string> {
  const { id, hex } = await net.payment(named(name), 50_000n);
  await net.post(0, { transactions: [hex] });
  await net.untilFinal(0, id);
  return id;
}

describe.runIf(mounts)('a validator on a small disk', { timeout: 120_000 }, () => {
  it('warns, stops before the disk is full, does not start on it, and goes on when there is room', async () => {
    await change({ diskWarnBytes: '16MiB', diskStopBytes: '4MiB' });
    await net.restart([0]);
    const paid = await pay('in time');
    await fill(10 * MIB);
    await net.until('a warning', async () => {
      const { warnings } = await net.get<{ warnings: { code: string }[] }>(0, '/healthz');
      return warnings.some(({ code }) => code === 'DISK_LOW');
    });
    const before = await net.status(0);
    await rm(ballast());
    await fill(2 * MIB);
    const end = await net.ended(0);
    expect(end.code).toBe(EXIT.resource);
    expect(end.reason).toMatch(
      /RESOURCE_DISK: .*[0-3] MiB are free .* needs 4 .*make room, then start it again/,
    );
    await net.restart([0], 'database.before-commit:1000000');
    expect((await net.ended(0)).code).toBe(EXIT.resource);
    await rm(ballast());
    await recovers(before, paid);
  });

  it('stops when a write fails, says what to do, and has lost nothing', async () => {
    await net.terminate(0);
    await change({ diskWarnBytes: 0, diskStopBytes: 0 });
    await net.restart([0]);
    const paid = await pay('at the last moment');
    const before = await net.status(0);
    await fill(0);
    const end = await net.ended(0);
    expect(end.code).toBe(EXIT.resource);
    expect(end.reason).toMatch(/RESOURCE_DISK: .*the disk is full: make room, then start the node again/);
    await net.restart([0], 'database.before-commit:1000000');
    expect((await net.ended(0)).code).toBe(EXIT.resource);
    await rm(ballast());
    await recovers(before, paid);
  });
});

describe('a node that needs more free space than there is', () => {
  it('does not start, and says why', async () => {
    await net.terminate(3);
    const file = join(net.dataDirectory(3), 'node.json');
    const json = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...json, ...NOWHERE }));
    await net.restart([3], 'database.before-commit:1000000');
    const end = await net.ended(3);
    expect(end.code).toBe(EXIT.resource);
    expect(end.reason).toMatch(/RESOURCE_DISK: .*make room, then start it again/);
  });
});
