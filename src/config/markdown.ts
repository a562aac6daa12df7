/** docs/configuration.md, made from the table of settings and the table of the log's parts. */
import { LOG_LEVELS, LOG_PARTS } from './log-levels.ts';
import { printSetting } from './resolve.ts';
import {
  GROUPS,
  OTHER_VARIABLES,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  type Settings,
  settingOf,
  shownFlagOf,
  variableOf,
} from './settings.ts';

const DEFAULTS = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, entry]) => [name, entry.default]),
) as Partial<Settings>;

/** The default of a setting for people; empty lists and missing values say so. */
export function printDefault(name: SettingName): string {
  const text = settingOf(name).default === undefined ? '' : printSetting(DEFAULTS, name);
  return text === '' ? 'none' : text;
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function settingRow(name: SettingName): string {
  const { kind, meaning } = settingOf(name);
  const shown = printDefault(name);
  return row(
    `\`${name}\``,
    `\`${shownFlagOf(name)}\``,
    `\`${variableOf(name)}\``,
    shown === 'none' ? shown : `\`${shown}\``,
    meaning,
    kind.range,
  );
}

const INTRODUCTION = `# Configuration

This page is made from the tables in \`src/config/settings.ts\` and \`src/config/log-levels.ts\` by \`npm run docs\`; a
test fails when it differs from them.

A node reads its settings from \`node.json\` in its data directory, from the environment and from the flags of
\`kryder node\`. **A flag goes before the environment, the environment before the file, the file before the default.**
\`kryder config --dir DIR\` shows every setting with its value and where it comes from; give it the flags that the node
would get and it shows what they do. \`kryder init\` takes the same flags and writes them into \`node.json\`, where only
those settings stand that somebody chose.

- A list is an array in the file, a flag that is repeated, and comma-separated in the environment. The value that goes
  first replaces the whole list of the others; nothing is merged.
- A switch is \`true\` or \`false\` in the file and in the environment, where \`1\` and \`0\` will do too; on the command line
  \`--name\` turns it on and \`--no-name\` off.
- A size is a number of bytes or text with a unit: \`65536\`, \`"64KiB"\`, \`"64MiB"\`, \`"2GiB"\`.
- An environment variable that is empty counts as not set.
- A key in \`node.json\` that is no setting is an error: the node does not start, names the nearest one, and ends with
  exit status 2. A variable \`KRYDER_…\` that is none is a warning in the log, because container engines add variables of
  their own. A value that is out of its range is an error, wherever it comes from.
- Settings are read when the node starts; restart it after a change.

A file for a node behind a router, with a relay of its own:

    {
      "listen": ["/ip4/0.0.0.0/tcp/7300"],
      "announce": ["/dns4/node.example.org/tcp/7300"],
      "bootstrap": ["/dns4/seed.example.org/tcp/7300"],
      "persistentPeers": ["/ip4/10.0.0.2/tcp/7300/p2p/12D3KooWBhJHzQXxpLasxjojQNuT8ajme2pDfike3K8hyfor5Ye2"],
      "deny": ["203.0.113.0/24"],
      "api": "127.0.0.1:7070",
      "mempoolBytes": "256MiB",
      "logLevel": "info,p2p=debug"
    }`;

const LOG = `## The log

A node writes its log to standard error, one JSON object a line:

    {"level":"info","time":"2026-11-21T15:54:36.945Z","part":"chain","height":3,"view":4,"transactions":0,"finalityMs":180,"msg":"final"}

| field | |
| --- | --- |
| \`level\` | \`${LOG_LEVELS.slice(1).join('`, `')}\` |
| \`time\` | UTC, ISO 8601, in milliseconds |
| \`part\` | the part of the node that speaks, see below |
| \`msg\` | what happened: a fixed text, so it can be searched and counted |
| \`err\` | with an error: its \`type\`, \`code\` and \`message\`, and the \`stack\` where it is one that nobody expected |
| others | the particulars; heights, views and counts are numbers, names end in their unit (\`finalityMs\`, \`bytes\`) |

What comes from peers and clients stands in fields, never in \`msg\`; JSON escapes it, and a text is cut after 500
characters. \`logLevel\` is one level for all parts, and others for single ones: \`warn,consensus=debug\`. \`silent\` says
nothing at all, not even why the node ends; that is on standard output and in the exit status all the same.`;

/** The whole page. */
export function configurationPage(): string {
  const groups = GROUPS.map((group) => [
    `## ${group}`,
    '',
    row('setting', 'flag', 'environment', 'default', 'meaning', 'range'),
    row('---', '---', '---', '---', '---', '---'),
    ...SETTING_NAMES.filter((name) => settingOf(name).group === group).map(settingRow),
  ]);
  const others = [
    '## Other environment variables',
    '',
    row('variable', 'meaning'),
    row('---', '---'),
    ...Object.entries(OTHER_VARIABLES).map(([name, meaning]) => row(`\`${name}\``, meaning)),
  ];
  const parts = [
    row('part', 'it tells of'),
    row('---', '---'),
    ...Object.entries(LOG_PARTS).map(([part, meaning]) => row(`\`${part}\``, meaning)),
  ];
  const sections = [[INTRODUCTION], ...groups, others, [LOG], parts];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
