import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/output.ts';
import { LOG_PARTS } from '../../src/config/log-levels.ts';
import { Child } from '../../src/story/child.ts';
import { TestNet } from './net.ts';

let net: TestNet;
beforeAll(async () => {
  net = await TestNet.start(1, { blockInterval: 100 });
});
afterAll(() => net.stop());

const START_MS = 60_000;
const start = (...more: string[]) => {
  const dir = net.dataDirectory(0);
  const args = ['node', '--dir', dir, '--plain-keys', '--supervised', '--json', ...more];
  return Child.start({ name: 'the node', args, log: join(dir, 'again.log') });
};

it('a node tells what it was told, in lines that each name their part', async () => {
  await net.untilHeight(0, 1);
  const text = await readFile(join(net.dataDirectory(0), 'node.log'), 'utf8');
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const line of lines) {
    expect(Object.keys(LOG_PARTS)).toContain(line.part);
    expect(line).toMatchObject({ level: expect.any(String), msg: expect.any(String) });
    expect(Number.isNaN(Date.parse(String(line.time)))).toBe(false);
  }
  const told = lines.find(({ part, chosen }) => part === 'config' && chosen !== undefined)!;
  expect(told.chosen).toContainEqual(expect.stringMatching(/^listen = \/ip4\/127.* \(.*node\.json\)$/));
  expect(told.chosen).toContainEqual('logLevel = info (--log-level)');
});

it('a second node on the directory ends with a status of its own', async () => {
  const child = await start();
  expect(await child.exited).toEqual({ code: EXIT.inUse, signal: null });
  await expect(child.waitFor('ready', START_MS)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE' });
});

it('an address that is taken ends it with the same, a setting that is wrong with another', async () => {
  await net.terminate(0);
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
  const { port } = taken.address() as AddressInfo;
  try {
    for (const [args, code, status] of [
      [['--api', `127.0.0.1:${port}`], 'API_ADDRESS_IN_USE', EXIT.inUse],
      [['--listen', `/ip4/127.0.0.1/tcp/${port}`], 'LISTEN_ADDRESS_IN_USE', EXIT.inUse],
      [['--max-strangers', '-1'], 'SETTING_INVALID', EXIT.usage],
      [['--log-level', 'info,moon=debug'], 'SETTING_INVALID', EXIT.usage],
    ] as const) {
      const child = await start(...args);
      expect(await child.exited).toEqual({ code: status, signal: null });
      await expect(child.waitFor('ready', START_MS)).rejects.toMatchObject({
        code,
        message: expect.not.stringMatching(/\n\s+at /),
      });
    }
  } finally {
    taken.close();
  }
});
