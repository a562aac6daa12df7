import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { genesisHash } from '../../src/chain/genesis.ts';
import * as genesis from '../../src/cli/commands/genesis.ts';
import * as init from '../../src/cli/commands/init.ts';
import * as keys from '../../src/cli/commands/keys.ts';
import { encodeAddress } from '../../src/codec/address.ts';
import { toHex } from '../../src/codec/bytes.ts';
import { loadSettings } from '../../src/config/file.ts';
import { publicKeyOf } from '../../src/crypto/keys.ts';
import { openDataDirectory, readGenesisFile } from '../../src/node/data-directory.ts';
import { PLAIN_ACCESS, readKeyFile } from '../../src/node/keys/key-file.ts';
import { run as runIn } from './run.ts';

const ADDRESS = encodeAddress(publicKeyOf(new Uint8Array(32).fill(5)));
const run = (...args: string[]) => runIn([genesis, init, keys], ...args);

let dir: string;
const path = (...names: string[]): string => join(dir, ...names);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder genesis ü-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const make = (...more: string[]) =>
  run(
    'genesis',
    'new',
    '--name',
    'harbour',
    '--validators',
    '2',
    '--out',
    path('chain'),
    '--plain',
    '--json',
    ...more,
  );

describe('kryder genesis', () => {
  it('makes a genesis file with a consensus key file for each validator, and checks it', async () => {
    const made = await make('--account', `${ADDRESS}=12.5`, '--interval', '200', '--set', 'claimFee=7');
    expect(made).toMatchObject({ status: 0, json: { validators: 2, accounts: 1, supply: '2012500000' } });
    const file = path('chain', 'genesis.json');
    const g = await readGenesisFile(file);
    expect(made.json.genesisHash).toBe(toHex(genesisHash(g)));
    expect(g.parameters).toMatchObject({ blockInterval: 200, claimFee: 7n });
    expect(g.accounts.map(({ address, amount }) => [encodeAddress(address), amount])).toEqual([
      [ADDRESS, 12_500_000n],
    ]);
    for (const [i, keyFile] of (made.json.keyFiles as string[]).entries()) {
      expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
      const { key } = await readKeyFile(keyFile, 'consensus', PLAIN_ACCESS);
      expect(key.publicKey).toEqual(g.validators[i]!.publicKey);
    }

    const verified = await run('genesis', 'verify', file, '--json');
    expect(verified.json).toMatchObject({ genesisHash: made.json.genesisHash, supply: '2012500000' });
    expect((await run('genesis', 'verify', file)).out).toContain(
      '2012.5 KRY: 12.5 in 1 account, 2000 staked',
    );
  });

  it('overwrites nothing', async () => {
    await make();
    const before = await readFile(path('chain', 'genesis.json'), 'utf8');
    expect(await make()).toMatchObject({ status: 2, json: { error: { code: 'GENESIS_EXISTS' } } });
    expect(await readFile(path('chain', 'genesis.json'), 'utf8')).toBe(before);
  });

  for (const [what, args, code] of [
    ['an address without an amount', ['--account', ADDRESS], 'USAGE'],
    ['an address that is none', ['--account', 'kry1nobody=1'], 'ADDRESS_INVALID'],
    ['an account under the deposit', ['--account', `${ADDRESS}=0.000001`], 'GENESIS_INVALID'],
    ['the same account twice', ['--account', `${ADDRESS}=1`, '--account', `${ADDRESS}=1`], 'GENESIS_INVALID'],
    ['a parameter that there is not', ['--set', 'frobnication=1'], 'GENESIS_INVALID'],
    ['parameters that do not fit together', ['--set', 'txLifetime=61'], 'GENESIS_INVALID'],
    ['an unknown set of parameters', ['--parameters', 'moon'], 'USAGE'],
    ['a name with capitals', ['--name', 'Harbour'], 'GENESIS_INVALID'],
  ] as const) {
    it(`refuses ${what}, and writes nothing`, async () => {
      expect(await make(...args)).toMatchObject({ status: 2, json: { error: { code } } });
      await expect(stat(path('chain'))).rejects.toMatchObject({ code: 'ENOENT' });
    });
  }

  it('says what is wrong with a file that was tampered with', async () => {
    await make();
    const file = path('chain', 'genesis.json');
    const json = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    await writeFile(file, JSON.stringify({ ...json, surprise: 1 }));
    const verified = await run('genesis', 'verify', file, '--json');
    expect(verified).toMatchObject({ status: 2, json: { error: { code: 'GENESIS_INVALID' } } });
    expect(JSON.stringify(verified.json)).toContain('surprise');
  });
});

describe('kryder init', () => {
  const initialise = (...more: string[]) =>
    run(
      'init',
      '--dir',
      path('data'),
      '--genesis',
      path('chain', 'genesis.json'),
      '--plain-keys',
      '--json',
      ...more,
    );

  it('makes the data directory of a validator, with what was said about the network', async () => {
    await make();
    const made = await initialise(
      ...['--consensus-key', path('chain', 'validator-1.consensus.key.json'), '--api', '127.0.0.1:8123'],
      ...['--listen', '/ip4/127.0.0.1/tcp/9001', '--listen', '/ip4/127.0.0.1/tcp/9002'],
      ...['--bootstrap', '/ip4/127.0.0.1/tcp/9003'],
    );
    expect(made).toMatchObject({ status: 0, json: { chain: 'harbour', validator: 1 } });
    const { consensusKey } = await openDataDirectory(path('data'), PLAIN_ACCESS);
    const { settings } = await loadSettings(path('data'));
    expect(settings).toMatchObject({
      listen: ['/ip4/127.0.0.1/tcp/9001', '/ip4/127.0.0.1/tcp/9002'],
      announce: [],
      bootstrap: ['/ip4/127.0.0.1/tcp/9003'],
      api: { host: '127.0.0.1', port: 8123 },
    });
    expect(consensusKey).toBeDefined();
    expect(await initialise()).toMatchObject({
      status: 2,
      json: { error: { code: 'DATA_DIRECTORY_EXISTS' } },
    });
  });

  it('makes one that only follows when there is no consensus key', async () => {
    await make();
    expect(await initialise()).toMatchObject({ status: 0, json: { validator: null } });
    expect((await openDataDirectory(path('data'), PLAIN_ACCESS)).consensusKey).toBeUndefined();
  });

  it('refuses a key that is no validator’s, a key of another kind, and an address that is none', async () => {
    await make();
    await run('keys', 'new', path('stranger'), '--kind', 'consensus', '--plain');
    await run('keys', 'new', path('account'), '--plain');
    for (const [args, code] of [
      [['--consensus-key', path('stranger')], 'USAGE'],
      [['--consensus-key', path('account')], 'KEY_FILE'],
      [['--api', '7070'], 'SETTING_INVALID'],
      [['--api', '127.0.0.1:70700'], 'SETTING_INVALID'],
    ] as const) {
      expect(await initialise(...args)).toMatchObject({ status: 2, json: { error: { code } } });
    }
    await expect(stat(path('data'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
