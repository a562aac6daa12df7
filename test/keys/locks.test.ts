import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/codec/errors.ts';
import { type LockPlace, lockConsensusKey, lockDataDirectory, takeLock } from '../../src/node/keys/locks.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder locks ü-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const inUse = (who: string) => new ProtocolError('TAKEN', who);
const NAME = 'ab'.repeat(32);

/** A process that listens where a lock would, and is killed: what it leaves behind. */
async function killedHolder(address: string): Promise<void> {
  const script = join(dir, 'holder.mjs');
  await writeFile(
    script,
    `import { createServer } from 'node:net';
     createServer(() => {}).listen(process.argv[2], () => process.send('ready'));`,
  );
  const child = fork(script, [address], { stdio: 'ignore' });
  await once(child, 'message');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const places: [string, () => LockPlace, string][] = [
  ['as socket files', () => ({ folder: join(dir, 'locks') }), 'file'],
  ...(process.platform === 'linux'
    ? ([['in the abstract namespace', () => 'abstract', 'abstract']] as [string, () => LockPlace, string][])
    : []),
];

describe.each(places)('locks %s', (_, place, kind) => {
  const name = () => NAME.slice(0, 48) + process.pid.toString(16).padStart(16, '0');
  const take = (where = dir) => takeLock(name(), where, inUse, place());

  it('are held by one, who is named, until they are released', async () => {
    const lock = await take('/data/one');
    await expect(take('/data/two')).rejects.toMatchObject({
      code: 'TAKEN',
      message: `process ${process.pid}, with data directory "/data/one",`,
    });
    await lock.release();
    const again = await take();
    await again.release();
    if (kind === 'file') expect(await readdir(join(dir, 'locks'))).toEqual([]);
  });

  it('of a killed process are free', async () => {
    await mkdir(join(dir, 'locks'));
    const address =
      kind === 'file' ? join(dir, 'locks', `${name().slice(0, 24)}.lock`) : `\0kryder/${name()}`;
    if (kind === 'file') {
      await killedHolder(address);
      expect(await readdir(join(dir, 'locks'))).toHaveLength(1);
    }
    const lock = await take();
    await expect(take()).rejects.toMatchObject({ code: 'TAKEN' });
    await lock.release();
  });

  it('are held by at most one of many who want them at once, after a killed process too', async () => {
    await mkdir(join(dir, 'locks'));
    if (kind === 'file') await killedHolder(join(dir, 'locks', `${name().slice(0, 24)}.lock`));
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => take()));
    const held = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(held).toHaveLength(1);
    await held[0]!.release();
  });

  it('are in use while somebody listens there, whatever he says', async () => {
    await mkdir(join(dir, 'locks'));
    const address =
      kind === 'file' ? join(dir, 'locks', `${name().slice(0, 24)}.lock`) : `\0kryder/${name()}`;
    for (const answer of ['', '{}', 'x'.repeat(100_000), undefined]) {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        if (answer !== undefined) socket.end(answer);
      });
      server.listen(address);
      await once(server, 'listening');
      await expect(take()).rejects.toMatchObject({ code: 'TAKEN', message: 'another process' });
      await new Promise((done) => server.close(done));
    }
  });
});

describe('a data directory', () => {
  it('is one under all of its names', async () => {
    await mkdir(join(dir, 'data'));
    await symlink(join(dir, 'data'), join(dir, 'alias'));
    const lock = await lockDataDirectory(join(dir, 'data'));
    await expect(lockDataDirectory(join(dir, 'alias'))).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_IN_USE',
      message: expect.stringContaining('stop it first'),
    });
    await lock.release();
    await (await lockDataDirectory(join(dir, 'alias'))).release();
  });

  it('must be there', async () => {
    await expect(lockDataDirectory(join(dir, 'nothing'))).rejects.toMatchObject({ code: 'DATA_DIRECTORY' });
  });
});

describe('a consensus key', () => {
  it('votes in one process', async () => {
    const seed = new Uint8Array(32).fill(process.pid % 251);
    const lock = await lockConsensusKey(seed, '/data/one');
    await expect(lockConsensusKey(seed, '/data/two')).rejects.toMatchObject({
      code: 'CONSENSUS_KEY_IN_USE',
      message: expect.stringContaining('"/data/one"'),
    });
    const other = await lockConsensusKey(new Uint8Array(32).fill(252), '/data/two');
    await other.release();
    await lock.release();
    await (await lockConsensusKey(seed, '/data/two')).release();
  });
});
