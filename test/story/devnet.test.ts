import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEVNET_PARAMETERS, genesisHash } from '../../src/chain/genesis.ts';
import { equal, toHex } from '../../src/codec/bytes.ts';
import { loadSettings } from '../../src/config/file.ts';
import { openDataDirectory, readGenesisFile } from '../../src/node/data-directory.ts';
import { PLAIN_ACCESS, readKeyFile } from '../../src/node/keys/key-file.ts';
import { Child } from '../../src/story/child.ts';
import {
  createDevnet,
  FAUCET_AMOUNT,
  faucetFileOf,
  genesisFileOf,
  readDevnet,
  startDevnet,
} from '../../src/story/devnet.ts';
import { newGenesis, withParameters } from '../../src/story/new-genesis.ts';
import { freePorts } from '../../src/story/ports.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder devnet ü-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const parameters = DEVNET_PARAMETERS;

describe('free ports', () => {
  it('are different, below those of outgoing connections, and can be listened on', async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) {
      expect(port).toBeGreaterThanOrEqual(10_240);
      expect(port).toBeLessThan(32_768);
      const server = createServer();
      await new Promise<void>((done, failed) => {
        server.once('error', failed);
        server.listen(port, '127.0.0.1', done);
      });
      await new Promise((done) => server.close(done));
    }
  });
});

describe('a new genesis', () => {
  it('takes assignments to parameters, amounts and spans alike', () => {
    const changed = withParameters(parameters, ['blockInterval=200', 'claimFee=7']);
    expect(changed).toEqual({ ...parameters, blockInterval: 200, claimFee: 7n });
    expect(parameters.blockInterval).toBe(1_000);
  });

  for (const assignment of [
    '',
    'blockInterval',
    'blockInterval=',
    'blockInterval=1.5',
    'nothing=3',
    'a=b=c',
  ]) {
    it(`refuses "${assignment}"`, () => {
      expect(() => withParameters(parameters, [assignment])).toThrow(/sets no parameter/);
    });
  }

  it('has a fresh key for each validator, and is refused where a rule of the genesis is broken', () => {
    const plan = { name: 'test', validators: 3, stake: 5n, accounts: [], parameters };
    const { genesis, seeds } = newGenesis(plan);
    expect(genesis.validators.map(({ stake }) => stake)).toEqual([5n, 5n, 5n]);
    expect(new Set(seeds.map(toHex)).size).toBe(3);
    expect(() => newGenesis({ ...plan, validators: 0 })).toThrow(/validators/);
    expect(() => newGenesis({ ...plan, parameters: { ...parameters, txLifetime: 61 } })).toThrow(
      /leastClaimWindow/,
    );
  });
});

describe('the folder of a devnet', () => {
  it('is made whole: keys, ports, and one bootstrap address a node', async () => {
    const net = join(dir, 'net');
    expect(await readDevnet(net)).toBeUndefined();
    await createDevnet(net, { validators: 3, followers: 1, parameters });
    expect(await readDevnet(net)).toEqual({ validators: 3, followers: 1 });

    const nodes = await Promise.all(
      [0, 1, 2, 3].map((i) => openDataDirectory(join(net, `node-${i}`), PLAIN_ACCESS)),
    );
    const settings = await Promise.all(
      [0, 1, 2, 3].map(async (i) => (await loadSettings(join(net, `node-${i}`))).settings),
    );
    const listens = settings.map(({ listen }) => listen[0]);
    expect(new Set([...listens, ...settings.map(({ api }) => api.port)]).size).toBe(8);
    expect(settings.map(({ bootstrap }) => bootstrap)).toEqual([
      [listens[1]],
      [listens[0]],
      [listens[0]],
      [listens[0]],
    ]);
    expect(nodes.map(({ consensusKey }) => consensusKey !== undefined)).toEqual([true, true, true, false]);
    nodes.slice(0, 3).forEach(({ consensusKey, genesis }, i) => {
      expect(equal(consensusKey!.key.publicKey, genesis.validators[i]!.publicKey)).toBe(true);
    });

    const genesis = await readGenesisFile(genesisFileOf(net));
    for (const node of nodes) expect(genesisHash(node.genesis)).toEqual(genesisHash(genesis));
    const { key } = await readKeyFile(faucetFileOf(net), 'account', PLAIN_ACCESS);
    expect(genesis.accounts).toEqual([{ address: key.publicKey, amount: FAUCET_AMOUNT }]);
  });

  it('is not taken for one when it holds something else, or only half of one', async () => {
    await writeFile(join(dir, 'letter.txt'), 'dear diary');
    await expect(readDevnet(dir)).rejects.toMatchObject({ code: 'DEVNET_DIRECTORY' });
    await expect(readDevnet(join(dir, 'letter.txt'))).rejects.toMatchObject({ code: 'DEVNET_DIRECTORY' });
    const half = join(dir, 'half');
    await mkdir(join(half, 'node-0'), { recursive: true });
    await expect(readDevnet(half)).rejects.toMatchObject({ code: 'DEVNET_DIRECTORY' });
    await writeFile(join(half, 'devnet.json'), '{"validators": "four"}');
    await expect(readDevnet(half)).rejects.toMatchObject({ code: 'DEVNET_DIRECTORY' });
  });

  it('starts nothing where there is no devnet', async () => {
    const options = { logLevel: 'info', signal: new AbortController().signal, report: () => {} };
    await expect(startDevnet(join(dir, 'nothing'), options)).rejects.toMatchObject({
      code: 'DEVNET_DIRECTORY',
    });
  });
});

describe('a child process', () => {
  const log = (): string => join(dir, 'child.log');

  it('turns the error that it prints into one with its name and code', async () => {
    const args = ['node', '--dir', join(dir, 'nothing'), '--supervised', '--json'];
    const child = await Child.start({ name: 'validator 7', args, log: log() });
    await expect(child.waitFor('ready', 30_000)).rejects.toMatchObject({
      code: 'DATA_DIRECTORY',
      message: expect.stringMatching(/^validator 7: .*is missing/),
    });
    expect(await child.exited).toEqual({ code: 2, signal: null });
    expect(child.running).toBe(false);
  });

  it('says how it ended and the end of its log when it ends without a word', async () => {
    const child = await Child.start({ name: 'the child', args: ['frobnicate'], log: log() });
    await expect(child.waitFor('ready', 30_000)).rejects.toMatchObject({
      code: 'CHILD_FAILED',
      message: expect.stringMatching(/ended with status 2[\s\S]*unknown command/),
    });
  });

  it('is waited for no longer than was said, hears when it is abandoned, and says its memory peak', async () => {
    const net = join(dir, 'net');
    await createDevnet(net, {
      validators: 1,
      followers: 0,
      parameters: { ...parameters, blockInterval: 200 },
    });
    const args = ['node', '--dir', join(net, 'node-0'), '--supervised', '--json'];
    const child = await Child.start({ name: 'validator 0', args, log: log() });
    try {
      await expect(child.waitFor('ready', 1)).rejects.toMatchObject({ code: 'CHILD_SILENT' });
      const aborted = AbortSignal.abort(new Error('no more'));
      await expect(child.waitFor('ready', 30_000, aborted)).rejects.toThrow('no more');
      const ready = await child.waitFor('ready', 30_000);
      expect(ready).toMatchObject({ ready: true, pid: child.pid, addresses: [expect.any(String)] });
      expect((await fetch(`${String(ready.api)}/healthz`)).status).toBe(200);
      child.hangUp();
      expect(await child.exited).toEqual({ code: 0, signal: null });
      expect(child.leftover('stopped')).toMatchObject({ peakRssBytes: expect.any(Number) });
      expect(await readFile(log(), 'utf8')).toMatch(/"stopped"/);
    } finally {
      await child.stop();
    }
  });
});
