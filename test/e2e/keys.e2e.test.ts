/** Validators on a running net: one process a directory and a key, and a move to another directory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeRecord } from '../../src/consensus/journal/records.ts';
import { scanSegment } from '../../src/consensus/journal/segment.ts';
import type { Vote } from '../../src/consensus/types.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { sameSubject, subjectView } from '../../src/consensus/vote.ts';
import { initDataDirectory, readGenesisFile } from '../../src/node/data-directory.ts';
import { FileDisk } from '../../src/storage/journal-disk.ts';
import { Child, commandFile } from '../../src/story/child.ts';
import { TestNet } from './net.ts';

let net: TestNet;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder move ü-'));
  net = await TestNet.start(4, { blockInterval: 200 });
}, 120_000);
afterAll(async () => {
  await net?.stop();
  await rm(dir, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly code: string | undefined;
  readonly message: string;
  readonly json: Record<string, unknown>;
}

/** Runs a command that ends by itself. */
async function kryder(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [commandFile(), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  const [status] = (await once(child, 'close')) as [number | null];
  const json = JSON.parse(out.trimEnd().split('\n').at(-1) ?? '{}') as Record<string, unknown>;
  const error = Object(json.error) as { code?: string; message?: string };
  return { status, code: error.code, message: error.message ?? '', json };
}

/** A data directory elsewhere with the key of validator 0. */
async function elsewhere(name: string): Promise<string> {
  const path = join(dir, name);
  const first = net.dataDirectory(0);
  const { listen } = JSON.parse(await readFile(join(net.dataDirectory(1), 'node.json'), 'utf8'));
  await initDataDirectory(
    path,
    await readGenesisFile(join(first, 'genesis.json')),
    { bootstrap: listen, api: { host: '127.0.0.1', port: 0 }, plainKeys: true },
    { consensus: { file: join(first, 'consensus.key.json') } },
  );
  return path;
}

/** Every vote in a journal's files, those below the floor too. */
async function votesIn(directory: string): Promise<Vote[]> {
  const genesis = await readGenesisFile(join(directory, 'genesis.json'));
  const set = createValidatorSet(0, genesis.seed, genesis.validators);
  const disk = await FileDisk.open(join(directory, 'journal'));
  const votes: Vote[] = [];
  for (const name of (await disk.list()).filter((file) => /^journal-\d+$/.test(file))) {
    await scanSegment(disk, name, net.genesisHash, ({ records }) => {
      for (const { type, content } of records) {
        const record = decodeRecord(type, content, set);
        if (typeof record === 'object' && record.type === 'vote') votes.push(record.vote);
      }
    });
  }
  await disk.close();
  return votes;
}

it('a second process on a data directory, or with its key, is told who is there', async () => {
  const first = net.dataDirectory(0);
  const same = await kryder('node', '--dir', first);
  expect(same).toMatchObject({ status: 8, code: 'DATA_DIRECTORY_IN_USE' });
  expect(same.message).toContain('stop it first');
  expect(await kryder('keys', 'history', 'export', '--dir', first, join(dir, 'x'))).toMatchObject({
    status: 8,
    code: 'DATA_DIRECTORY_IN_USE',
  });
  const second = await elsewhere('second');
  const other = await kryder('node', '--dir', second);
  expect(other).toMatchObject({ status: 8, code: 'CONSENSUS_KEY_IN_USE' });
  expect(other.message).toContain(first);
  // It has not begun to vote there: whoever starts it when the first is gone is warned.
  expect(await readFile(join(second, 'signing.json'), 'utf8')).toContain('"none"');
  // Nobody was disturbed, and a killed process holds nothing.
  await net.kill(0);
  await net.restart([0]);
  const { height } = await net.status(0);
  await net.untilHeight(0, height + 2);
});

it('a validator moves to another directory and signs nothing twice', async () => {
  const old = net.dataDirectory(0);
  const place = await elsewhere('moved');
  const file = join(dir, 'history.json');
  await net.terminate(0);
  const exported = await kryder('keys', 'history', 'export', '--dir', old, file);
  expect(exported.status).toBe(0);
  expect(await kryder('keys', 'history', 'import', '--dir', place, file)).toMatchObject({ status: 0 });

  const moved = await Child.start({
    name: 'the moved validator',
    args: ['node', '--dir', place, '--supervised', '--json'],
    log: join(place, 'node.log'),
  });
  try {
    await moved.waitFor('ready', 40_000);
    expect(await kryder('node', '--dir', old)).toMatchObject({ status: 6, code: 'KEY_RETIRED' });
    // With a fourth validator down, nothing becomes final without the moved one's votes.
    await net.terminate(3);
    const { height } = await net.status(1);
    await net.untilHeight(1, height + 5, 60_000);
  } finally {
    await moved.stop();
  }

  const [before, after] = await Promise.all([votesIn(old), votesIn(place)]);
  const view = Number(exported.json.view);
  expect(Math.max(...before.map(({ subject }) => subjectView(subject)))).toBeLessThanOrEqual(view);
  expect(Math.min(...after.map(({ subject }) => subjectView(subject)))).toBeGreaterThan(view);
  expect(after.some(({ subject }) => before.some((vote) => sameSubject(vote.subject, subject)))).toBe(false);

  await rm(join(place, 'journal'), { recursive: true });
  const forgotten = await kryder('node', '--dir', place);
  expect(forgotten).toMatchObject({ status: 6, code: 'JOURNAL_MISSING' });
  expect(forgotten.message).toContain('history begin');
});
