import { describe, expect, it } from 'vitest';
import { configurationPage } from '../../src/config/markdown.ts';
import { chosenSettings, resolveSettings, type Sources, settingToJson } from '../../src/config/resolve.ts';
import {
  flagOf,
  OTHER_VARIABLES,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  settingOf,
  shownFlagOf,
  variableOf,
} from '../../src/config/settings.ts';

const PEER = '12D3KooWBhJHzQXxpLasxjojQNuT8ajme2pDfike3K8hyfor5Ye2';
const file = (content: Record<string, unknown>) => ({ path: 'data/node.json', content });

function problemsOf(sources: Sources): string {
  try {
    resolveSettings(sources);
  } catch (error) {
    expect(error).toMatchObject({ code: 'SETTING_INVALID' });
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

describe('the table of settings', () => {
  it('has defaults that it would accept itself, in the file and as text', () => {
    const defaults = resolveSettings({}).settings;
    for (const name of SETTING_NAMES) {
      const { kind } = settingOf(name);
      if (defaults[name] === undefined) continue;
      const json = settingToJson(defaults, name);
      expect(kind.fromJson(json), name).toEqual(defaults[name]);
      expect(kind.parse(Array.isArray(json) ? json.join(',') : String(json)), name).toEqual(defaults[name]);
    }
  });

  it('has a flag and a variable of its own for each entry, and a meaning of one line', () => {
    const flags = SETTING_NAMES.map(flagOf);
    const variables = [...SETTING_NAMES.map(variableOf), ...Object.keys(OTHER_VARIABLES)];
    expect(new Set(flags).size).toBe(flags.length);
    expect(new Set(variables).size).toBe(variables.length);
    for (const name of ['--dir', '--json', '--genesis', '--consensus-key', '--help']) {
      expect(flags).not.toContain(name);
    }
    for (const name of SETTING_NAMES) expect(settingOf(name).meaning).toMatch(/^[^\n]{8,140}[^.\n]$/);
  });
});

describe('a setting', () => {
  it('comes from the flag before the environment before the file before the default', () => {
    const flags = { workers: '5' };
    const environment = { KRYDER_WORKERS: '4' };
    const content = file({ workers: 3 });
    for (const [sources, value, origin] of [
      [{ flags, environment, file: content }, 5, { from: 'flag', name: '--workers' }],
      [{ environment, file: content }, 4, { from: 'environment', name: 'KRYDER_WORKERS' }],
      [{ file: content }, 3, { from: 'file', name: 'data/node.json' }],
      [{}, SETTINGS.workers.default, { from: 'default', name: 'default' }],
      [{ environment: { KRYDER_WORKERS: '' }, file: content }, 3, { from: 'file', name: 'data/node.json' }],
    ] as const) {
      const { settings, origins } = resolveSettings(sources);
      expect(settings.workers).toBe(value);
      expect(origins.workers).toEqual(origin);
    }
  });

  it('that is a list is taken whole from one place', () => {
    const content = file({ deny: ['10.0.0.1'] });
    const environment = { KRYDER_DENY: '10.0.0.0/8, 2001:db8::/32' };
    expect(resolveSettings({ file: content }).settings.deny).toEqual(['10.0.0.1']);
    expect(resolveSettings({ file: content, environment }).settings.deny).toEqual([
      '10.0.0.0/8',
      '2001:db8::/32',
    ]);
    const flags = { deny: ['10.0.0.2', PEER] };
    expect(resolveSettings({ file: content, environment, flags }).settings.deny).toEqual(['10.0.0.2', PEER]);
  });

  it('of the command line alone is what a new data directory is given', () => {
    expect(chosenSettings({ workers: '3', api: '[::1]:0' })).toEqual({
      workers: 3,
      api: { host: '::1', port: 0 },
    });
    expect(chosenSettings({})).toEqual({});
  });
});

describe('a value that is wrong', () => {
  it('is told with its setting, its source and its range, all of them at once', () => {
    const text = problemsOf({
      flags: { api: '7070' },
      environment: { KRYDER_WORKERS: 'many' },
      file: file({ maxStrangers: -1, listen: '/ip4/127.0.0.1/tcp/1' }),
    });
    expect(text).toMatch(/^ {2}api, given by --api: "7070" will not do; it must be host:port/m);
    expect(text).toMatch(/workers, given by KRYDER_WORKERS: "many" will not do; it must be .* from 1 to 64/);
    expect(text).toMatch(
      /maxStrangers, given by data\/node.json: -1 will not do; it must be .* from 0 to 10000/,
    );
    expect(text).toMatch(/listen, given by data\/node.json: "\/ip4.*" is no list; it must be at most 16/);
  });

  it('is told when it does not go with another one', () => {
    expect(problemsOf({ flags: { maxStrangers: '99' }, file: file({ maxConnections: 50 }) })).toBe(
      'maxStrangers is 99 (--max-strangers), maxConnections is 50 (data/node.json): ' +
        'maxStrangers must not be more than maxConnections',
    );
  });

  const refused: readonly (readonly [SettingName, string])[] = [
    ['listen', '/ip4/127.0.0.1/udp/1'],
    ['listen', '/ip4/127.0.0.1/tcp/65536'],
    ['listen', '/ip4/256.0.0.1/tcp/1'],
    ['listen', '/dns4/localhost/tcp/1'],
    ['listen', '127.0.0.1:7300'],
    ['listen', `/ip4/127.0.0.1/tcp/1/p2p/${PEER}`],
    ['announce', '/ip6/fe80::1%eth0/tcp/1'],
    ['announce', '/dns4/-bad-.example/tcp/1'],
    ['bootstrap', '/ip4/1.2.3.4/tcp/1/p2p/QmNothing'],
    ['bootstrap', `/ip4/1.2.3.4/tcp/1/p2p/${PEER}/p2p-circuit`],
    ['persistentPeers', '/ip4/1.2.3.4/udp/1'],
    ['allow', '10.0.0.0/33'],
    ['allow', '::/129'],
    ['deny', '10.0.0'],
    ['deny', PEER.slice(0, -1)],
    ['deny', `${PEER.slice(0, -1)}0`],
    ['api', '127.0.0.1'],
    ['api', '::1:7070'],
    ['api', '[127.0.0.1]:1'],
    ['workers', '0'],
    ['workers', '1.5'],
    ['workers', '0x2'],
    ['workers', '9007199254740993'],
    ['mempoolBytes', '1 MB'],
    ['mempoolBytes', '9999999999999999TiB'],
    ['logLevel', 'loud'],
    ['logLevel', 'info,p3p=debug'],
    ['logLevel', 'info,p2p=loud'],
    ['logLevel', 'info,warn'],
    ['logLevel', 'p2p=info,p2p=warn'],
    ['logLevel', 'info,constructor=debug'],
  ];
  for (const [name, value] of refused) {
    it(`is refused: ${name} = ${value}`, () => {
      expect(problemsOf({ flags: { [name]: value } })).toContain(`${name}, given by ${flagOf(name)}: `);
    });
  }

  it('is refused in the file where its type is another one', () => {
    for (const value of [null, {}, [1], true, '2', 2.5, 1e300]) {
      expect(problemsOf({ file: file({ workers: value }) })).toContain('workers, given by');
    }
    expect(problemsOf({ file: file({ api: { host: 'a', port: 1 } }) })).toContain('is no string');
    const nested = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown;
    for (const name of ['workers', 'listen', 'api', 'metrics', 'mempoolBytes', 'logLevel'])
      expect(problemsOf({ file: file({ [name]: nested }) })).toContain('a list');
    expect(problemsOf({ file: file({ deny: Array(1_025).fill('10.0.0.1') }) })).toContain('these are 1025');
    const long = problemsOf({ file: file({ logLevel: 'x'.repeat(100_000) }) });
    expect(long.length).toBeLessThan(600);
  });

  it('is not to be found among these', () => {
    const { settings } = resolveSettings({
      flags: {
        listen: ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/7300'],
        announce: ['/dns4/validator-0/tcp/7300', `/ip4/1.2.3.4/tcp/1/p2p/${PEER}`],
        bootstrap: ['/dns/seed.example.org/tcp/1', '/dns6/under_score.example/tcp/1'],
        persistentPeers: [`/dns4/a/tcp/1/p2p/${PEER}`],
        allow: [PEER, '10.0.0.1', '10.0.0.0/8', '::1', '2001:db8::/32'],
        mempoolBytes: '2 MiB',
        logLevel: 'warn,p2p=debug',
      },
      file: file({ journalSegmentBytes: 16_384 }),
    });
    expect(settings.mempoolBytes).toBe(2 * 1024 ** 2);
    expect(settings.journalSegmentBytes).toBe(16_384);
    expect(settings.logLevel).toEqual({ all: 'warn', parts: { p2p: 'debug' } });
  });
});

describe('a name that nobody knows', () => {
  it('is an error in the file, with the name that was probably meant', () => {
    expect(problemsOf({ file: file({ persistantPeers: [], frobnication: 1, __proto__x: 1 }) })).toBe(
      [
        'data/node.json: there is no setting "persistantPeers"; did you mean "persistentPeers"?',
        'data/node.json: there is no setting "frobnication"; `kryder config` lists all',
        'data/node.json: there is no setting "__proto__x"; `kryder config` lists all',
      ].join('\n  '),
    );
    expect(problemsOf({ file: file({ apiPort: 1 }) })).toMatch(/now one key, like "api"/);
  });

  it('is a warning in the environment', () => {
    const { warnings } = resolveSettings({
      environment: { KRYDER_LISEN: '1', KRYDER_SERVICE_HOST_NAME: 'x', KRYDER_API: 'http://a', PATH: '/' },
    });
    expect(warnings).toEqual([
      'the environment variable KRYDER_LISEN means nothing to this program; did you mean KRYDER_LISTEN?',
      'the environment variable KRYDER_SERVICE_HOST_NAME means nothing to this program',
    ]);
  });
});

describe('docs/configuration.md', () => {
  it('has a row for every setting', () => {
    const page = configurationPage();
    for (const name of SETTING_NAMES) {
      expect(page).toContain(`| \`${name}\` | \`${shownFlagOf(name)}\` |`);
      expect(page).toContain(`\`${variableOf(name)}\``);
    }
  });
});
