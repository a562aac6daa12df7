/**
 * What of the log is wanted: a level for all parts of the node, and other levels for single parts, written as
 * `info` or `info,p2p=debug,consensus=warn`. The table of parts is closed: every line of the log has one of them.
 */
import { type Kind, words } from './kinds.ts';

/** From nothing at all to everything. */
export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** Every part of a node that writes to its log, with what it tells. */
export const LOG_PARTS = {
  node: 'start, stop, and what ends the node',
  config: 'settings and where they come from',
  keys: 'key files, locks and the signing history',
  crypto: 'the library that checks signatures',
  storage: 'the database and the journal',
  ledger: 'the account tree',
  chain: 'final blocks, and blocks that could not be built',
  consensus: 'views, votes, missed views, equivocations',
  sync: 'catching up with the chain',
  outbox: 'transactions of the node’s own users, kept across restarts',
  p2p: 'connections, peers, offences and bans',
  mempool: 'transactions that wait, and those that were dropped',
  api: 'requests that failed',
  resources: 'disk, clock, file handles, memory and event loop',
} as const;
export type LogPart = keyof typeof LOG_PARTS;

export interface LogLevels {
  readonly all: LogLevel;
  readonly parts: Readonly<Partial<Record<LogPart, LogLevel>>>;
}

function isLevel(text: string | undefined): text is LogLevel {
  return (LOG_LEVELS as readonly (string | undefined)[]).includes(text);
}

function parse(text: string): LogLevels | undefined {
  let all: LogLevel | undefined;
  const parts: Partial<Record<LogPart, LogLevel>> = {};
  for (const term of text.split(',')) {
    const [name = '', level, ...rest] = term.trim().split('=');
    if (rest.length > 0) return undefined;
    if (level === undefined) {
      if (all !== undefined || !isLevel(name)) return undefined;
      all = name;
    } else {
      if (!Object.hasOwn(LOG_PARTS, name) || Object.hasOwn(parts, name) || !isLevel(level)) return undefined;
      parts[name as LogPart] = level;
    }
  }
  return { all: all ?? 'info', parts };
}

export const logLevels: Kind<LogLevels> = words({
  placeholder: '<levels>',
  range:
    `one of ${LOG_LEVELS.join(', ')}, and if need be others for single parts, like info,p2p=debug; ` +
    `the parts are ${Object.keys(LOG_PARTS).join(', ')}`,
  parse,
  print: ({ all, parts }) =>
    [all, ...Object.entries(parts).map(([part, level]) => `${part}=${level}`)].join(','),
});
