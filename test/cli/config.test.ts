import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as config from '../../src/cli/commands/config.ts';
import * as devnet from '../../src/cli/commands/devnet.ts';
import * as init from '../../src/cli/commands/init.ts';
import * as node from '../../src/cli/commands/node.ts';
import { EXIT, exitOf } from '../../src/cli/output.ts';
import { withoutSettings } from '../../src/config/resolve.ts';
import { flagOf, SETTING_NAMES, settingOf, shownFlagOf, variableOf } from '../../src/config/settings.ts';
import { run as runIn } from './run.ts';

const run = (...args: string[]) => runIn([config, devnet, init, node], ...args);

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder config ü-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

const writeSettings = (content: unknown) => writeFile(join(dir, 'node.json'), JSON.stringify(content));

describe('kryder config', () => {
  it('shows each setting with its value and where it comes from', async () => {
    await writeSettings({ workers: 3, mempoolBytes: '128MiB', deny: ['10.0.0.1'] });
    vi.stubEnv('KRYDER_DENY', '10.0.0.0/8,192.0.2.1');
    vi.stubEnv('KRYDER_WROKERS', '9');
    const args = ['config', '--dir', dir, '--max-strangers', '7', '--no-metrics'];
    const { status, json, err } = await run(...args, '--json');
    expect(status).toBe(0);
    const file = join(dir, 'node.json');
    expect(Object.keys(json.settings as object)).toEqual(SETTING_NAMES);
    expect(json.settings).toMatchObject({
      workers: { value: 3, from: 'file', source: file },
      mempoolBytes: { value: '128MiB', from: 'file', source: file },
      deny: { value: ['10.0.0.0/8', '192.0.2.1'], from: 'environment', source: 'KRYDER_DENY' },
      maxStrangers: { value: 7, from: 'flag', source: '--max-strangers' },
      metrics: { value: false, from: 'flag', source: '--no-metrics' },
      api: { value: '127.0.0.1:7070', from: 'default', source: 'default' },
    });
    expect(err).toContain('KRYDER_WROKERS means nothing to this program; did you mean KRYDER_WORKERS?');

    const { out } = await run(...args);
    expect(out).toContain('10.0.0.0/8, 192.0.2.1  (KRYDER_DENY)');
    expect(out).toMatch(/workers +3 {2}\(.*node\.json\)/);
    expect(out).toMatch(/allow +\(none\) {2}\(default\)/);
  });

  it('says of every setting that nobody chose that it is left to its default', async () => {
    const { json } = await run('config', '--json');
    const origins = Object.values(json.settings as Record<string, { from: string }>);
    expect(new Set(origins.map(({ from }) => from))).toEqual(new Set(['default']));
  });

  it('takes a switch from wherever it was set, on or off', async () => {
    const names = SETTING_NAMES.filter((name) => settingOf(name).kind.placeholder === undefined);
    expect(names).toContain('metrics');
    for (const name of names) {
      for (const value of [true, false]) {
        const shown = async (...flags: string[]) => {
          const { json } = await run('config', '--dir', dir, ...flags, '--json');
          return (json.settings as Record<string, { value: boolean; from: string }>)[name];
        };
        await writeSettings({ [name]: value });
        expect(await shown()).toMatchObject({ value, from: 'file' });
        vi.stubEnv(variableOf(name), String(!value));
        expect(await shown()).toMatchObject({ value: !value, from: 'environment' });
        const flag = value ? flagOf(name) : flagOf(name).replace('--', '--no-');
        expect(await shown(flag)).toMatchObject({ value, from: 'flag', source: flag });
        vi.unstubAllEnvs();
      }
    }
  });

  it('takes the directory from the environment, and does without one', async () => {
    expect(await run('config')).toMatchObject({ status: 0 });
    await writeSettings({ workers: 3 });
    vi.stubEnv('KRYDER_DIR', dir);
    expect((await run('config', '--json')).json).toMatchObject({ settings: { workers: { value: 3 } } });
  });

  for (const [what, content, code, says] of [
    ['a key that it does not know', '{"worker": 1}', 'SETTING_INVALID', /did you mean "workers"\?/],
    [
      'a value out of range',
      '{"workers": 0}',
      'SETTING_INVALID',
      /workers.*node\.json: 0 will not do.* 1 to 64/,
    ],
    ['something that is no JSON', '{"workers": ', 'SETTINGS_FILE', /node\.json is not JSON/],
    ['a list', '[]', 'SETTINGS_FILE', /must hold one JSON object/],
    ['bytes', '\u0000\ufffd', 'SETTINGS_FILE', /is not JSON/],
    ['very much', ' '.repeat(300_000), 'FILE_TOO_LONG', /has more than 262144 bytes/],
  ] as const) {
    it(`refuses a file that holds ${what}`, async () => {
      await writeFile(join(dir, 'node.json'), content);
      const { status, json } = await run('config', '--dir', dir, '--json');
      expect(status).toBe(EXIT.usage);
      expect(json).toMatchObject({ error: { code, message: expect.stringMatching(says) } });
    });
  }

  it('says what to do where there is no data directory, or something else', async () => {
    expect(await run('config', '--dir', join(dir, 'none'))).toMatchObject({
      status: EXIT.usage,
      err: expect.stringMatching(/node\.json is missing; make a data directory with "kryder init"/),
    });
    await writeFile(join(dir, 'file'), '');
    expect(await run('config', '--dir', join(dir, 'file'))).toMatchObject({
      status: EXIT.usage,
      err: expect.stringMatching(/a file stands where a directory is needed/),
    });
  });
});

describe('the flags of settings', () => {
  for (const command of ['node', 'init', 'config']) {
    it(`are in the help of kryder ${command}, all of them`, async () => {
      const { out } = await run(command, '--help');
      for (const name of SETTING_NAMES) expect(out).toContain(`  ${shownFlagOf(name)} `);
    });
  }

  it('are checked before anything is made or started', async () => {
    const genesis = ['--genesis', join(dir, 'none')];
    expect(
      await run('init', '--dir', join(dir, 'new'), ...genesis, '--workers', 'x', '--json'),
    ).toMatchObject({
      json: { error: { code: 'SETTING_INVALID' } },
    });
    expect(await run('config', '--frobnicate')).toMatchObject({ status: EXIT.usage });
  });

  it('are not inherited by nodes that a node’s launcher starts', () => {
    const environment = { PATH: '/bin', KRYDER_LISTEN: 'x', KRYDER_API_LISTEN: 'y', KRYDER_FAIL_POINT: 'z' };
    expect(withoutSettings(environment)).toEqual({ PATH: '/bin', KRYDER_FAIL_POINT: 'z' });
  });
});

describe('an exit status', () => {
  it('tells a supervisor whether to start the node again', () => {
    const codes = {
      [EXIT.inUse]: [
        'DATA_DIRECTORY_IN_USE',
        'CONSENSUS_KEY_IN_USE',
        'LISTEN_ADDRESS_IN_USE',
        'DATABASE_LOCKED',
      ],
      [EXIT.resource]: ['RESOURCE_DISK', 'RESOURCE_CLOCK', 'RESOURCE_FILE_HANDLES', 'ENOSPC'],
      [EXIT.unsafe]: [
        'JOURNAL_MISSING',
        'JOURNAL_CORRUPT',
        'KEY_RETIRED',
        'KEY_ELSEWHERE',
        'HISTORY_OLD',
        'DATABASE_CORRUPT',
      ],
      [EXIT.usage]: ['SETTING_INVALID', 'KEY_FILE', 'KEY_PLAIN', 'PASSPHRASE_MISSING', 'DATA_DIRECTORY'],
      [EXIT.failed]: ['INTERNAL', 'NODE_STOPPED', 'CHILD_FAILED'],
    };
    for (const [exit, names] of Object.entries(codes)) {
      for (const name of names) expect(exitOf(name), name).toBe(Number(exit));
    }
  });
});
