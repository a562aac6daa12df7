import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as genesis from '../../src/cli/commands/genesis.ts';
import * as init from '../../src/cli/commands/init.ts';
import * as keys from '../../src/cli/commands/keys.ts';
import { toHex } from '../../src/codec/bytes.ts';
import { publicKeyOf } from '../../src/crypto/keys.ts';
import { writeKeyFile } from '../../src/node/keys/key-file.ts';
import { run as runIn } from './run.ts';

const run = (...args: string[]) => runIn([genesis, init, keys], ...args, '--json');
const SEED = new Uint8Array(32).fill(0x5e);
const OLD = 'the old passphrase';
const NEW = 'the new passphrase';
const CHEAP = { n: 16, r: 1, p: 1 };

let dir: string;
const path = (...names: string[]): string => join(dir, ...names);
beforeEach(async () => {
  vi.stubEnv('KRYDER_PLAIN_KEYS', undefined);
  vi.stubEnv('KRYDER_PASSPHRASE', undefined);
  dir = await mkdtemp(join(tmpdir(), 'kryder keys ü-'));
  await writeFile(path('old'), `${OLD}\n`, { mode: 0o600 });
  await writeFile(path('new'), `${NEW}\n`, { mode: 0o600 });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

describe('kryder keys', () => {
  it('makes an encrypted key, with the cost that is the default', async () => {
    const made = await run('keys', 'new', path('k'), '--passphrase-file', path('old'));
    expect(made).toMatchObject({ status: 0, json: { kind: 'account', encrypted: true } });
    const content = JSON.parse(await readFile(path('k'), 'utf8'));
    expect(content).toMatchObject({ version: 2, kdf: { name: 'scrypt', n: 131_072, r: 8, p: 1 } });
    expect((await stat(path('k'))).mode & 0o777).toBe(0o600);
    expect(await run('keys', 'show', path('k'))).toMatchObject({ status: 0, json: made.json });
    expect(await run('keys', 'show', path('k'), '--check', '--passphrase-file', path('old'))).toMatchObject({
      status: 0,
    });
    expect(await run('keys', 'show', path('k'), '--check', '--passphrase-file', path('new'))).toMatchObject({
      status: 2,
      json: { error: { code: 'KEY_PASSPHRASE' } },
    });
  });

  it('needs a passphrase, and takes it from the environment', async () => {
    expect(await run('keys', 'new', path('k'))).toMatchObject({
      status: 2,
      json: { error: { code: 'PASSPHRASE_MISSING' } },
    });
    vi.stubEnv('KRYDER_PASSPHRASE', 'too short');
    expect(await run('keys', 'new', path('k'))).toMatchObject({
      status: 2,
      json: { error: { code: 'PASSPHRASE_INVALID' } },
    });
    vi.stubEnv('KRYDER_PASSPHRASE', OLD);
    expect(await run('keys', 'new', path('k'))).toMatchObject({ status: 0 });
    expect(process.env.KRYDER_PASSPHRASE).toBeUndefined();
  });

  it('changes a passphrase, and gives one to a plain file', async () => {
    await writeKeyFile(path('e'), 'consensus', SEED, { passphrase: OLD, cost: CHEAP });
    await writeKeyFile(path('p'), 'consensus', SEED, 'plain');
    for (const [file, old] of [
      ['e', ['--passphrase-file', path('old')]],
      ['p', []],
    ] as const) {
      const changed = await run(
        'keys',
        'passphrase',
        path(file),
        ...old,
        '--new-passphrase-file',
        path('new'),
      );
      expect(changed).toMatchObject({
        status: 0,
        json: { publicKey: toHex(publicKeyOf(SEED)), encrypted: true },
      });
      const shown = await run('keys', 'show', path(file), '--check', '--passphrase-file', path('new'));
      expect(shown).toMatchObject({ status: 0 });
      expect(await readFile(path(file), 'utf8')).not.toContain(toHex(SEED));
    }
    const before = await readFile(path('e'));
    const refused = await run(
      ...[
        'keys',
        'passphrase',
        path('e'),
        '--passphrase-file',
        path('old'),
        '--new-passphrase-file',
        path('new'),
      ],
    );
    expect(refused).toMatchObject({ status: 2, json: { error: { code: 'KEY_PASSPHRASE' } } });
    expect(await readFile(path('e'))).toEqual(before);
    expect((await readdir(dir)).sort()).toEqual(['e', 'new', 'old', 'p']);
  });

  it('exports a seed only when told to, into a private file, and takes it back', async () => {
    await writeKeyFile(path('k'), 'consensus', SEED, { passphrase: OLD, cost: CHEAP });
    const exported = (...more: string[]) =>
      run('keys', 'export', path('k'), path('seed'), '--passphrase-file', path('old'), ...more);
    expect(await exported()).toMatchObject({ status: 2, json: { error: { code: 'USAGE' } } });
    const done = await exported('--plain');
    expect(done).toMatchObject({ status: 0, json: { kind: 'consensus' } });
    expect(done.out).not.toContain(toHex(SEED));
    expect(await readFile(path('seed'), 'utf8')).toBe(`${toHex(SEED)}\n`);
    expect((await stat(path('seed'))).mode & 0o777).toBe(0o600);
    expect(await exported('--plain')).toMatchObject({ status: 2, json: { error: { code: 'KEY_SEED' } } });

    const imported = await run(
      ...['keys', 'import', path('again'), '--seed-file', path('seed'), '--kind', 'consensus', '--plain'],
    );
    expect(imported).toMatchObject({ status: 0, json: { publicKey: toHex(publicKeyOf(SEED)) } });
  });

  it('refuses what is no seed, without saying what it was', async () => {
    for (const text of ['correct horse battery staple', '00'.repeat(31), `${'00'.repeat(32)} 00`, '']) {
      await writeFile(path('seed'), text, { mode: 0o600 });
      const refused = await run('keys', 'import', path('k'), '--seed-file', path('seed'), '--plain');
      expect(refused).toMatchObject({ status: 2, json: { error: { code: 'USAGE' } } });
      if (text !== '') expect(JSON.stringify(refused.json)).not.toContain(text);
    }
    await writeFile(path('open'), '00'.repeat(32), { mode: 0o644 });
    expect(await run('keys', 'import', path('k'), '--seed-file', path('open'), '--plain')).toMatchObject({
      status: 2,
      json: { error: { code: 'KEY_SEED' } },
    });
    await expect(stat(path('k'))).rejects.toThrow('ENOENT');
  });
});

describe('a chain with encrypted keys', () => {
  it('genesis new encrypts them all, and init copies one as it is', async () => {
    const made = await run(
      ...['genesis', 'new', '--name', 'harbour', '--validators', '1', '--out', path('chain')],
      ...['--passphrase-file', path('old')],
    );
    expect(made).toMatchObject({ status: 0 });
    const [file] = made.json.keyFiles as string[];
    expect(await run('keys', 'show', file!)).toMatchObject({ json: { kind: 'consensus', encrypted: true } });
    const data = ['init', '--genesis', path('chain', 'genesis.json'), '--consensus-key', file!, '--dir'];
    expect(await run(...data, path('wrong'), '--passphrase-file', path('new'))).toMatchObject({
      status: 2,
      json: { error: { code: 'KEY_PASSPHRASE' } },
    });
    expect(await run(...data, path('data'))).toMatchObject({ status: 0, json: { validator: 0 } });
    expect(await readFile(path('data', 'consensus.key.json'))).toEqual(await readFile(file!));
    await expect(stat(path('wrong'))).rejects.toThrow('ENOENT');
    // The path that is kept does not depend on where this was typed.
    expect(await run(...data, path('kept'), '--passphrase-file', relative('.', path('old')))).toMatchObject({
      status: 0,
    });
    expect(JSON.parse(await readFile(path('kept', 'node.json'), 'utf8'))).toEqual({
      passphraseFile: path('old'),
    });
  });

  it('a plain key of a validator is agreed to, and the agreement is kept', async () => {
    await run('genesis', 'new', '--name', 'harbour', '--validators', '1', '--out', path('chain'), '--plain');
    const file = path('chain', 'validator-0.consensus.key.json');
    const data = ['init', '--genesis', path('chain', 'genesis.json'), '--consensus-key', file, '--dir'];
    expect(await run(...data, path('data'))).toMatchObject({
      status: 2,
      json: { error: { code: 'KEY_PLAIN' } },
    });
    expect(await run(...data, path('data'), '--plain-keys')).toMatchObject({ status: 0 });
    expect(JSON.parse(await readFile(path('data', 'node.json'), 'utf8'))).toMatchObject({ plainKeys: true });
  });
});
