/**
 * The one table of a node's settings. An entry `peerLimit` is the key "peerLimit" in node.json, the flag
 * `--peer-limit` and the environment variable `KRYDER_PEER_LIMIT`; help, validation, `kryder config` and
 * docs/configuration.md are all made from it, and `Settings` is its type. Whoever adds an entry adds nothing else,
 * but runs `npm run docs`.
 */
import { DEFAULT_API_LIMITS } from '../api/limits.ts';
import { DEFAULT_MEMPOOL_LIMITS } from '../mempool/types.ts';
import { DEFAULT_LIMITS } from '../p2p/limits.ts';
import {
  admissionRule,
  announcedAddress,
  hostPort,
  listenAddress,
  peerAddress,
  peerRule,
} from './addresses.ts';
import { bytes, type Kind, list, onOff, optional, text, whole } from './kinds.ts';
import { type LogLevels, logLevels } from './log-levels.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Headings of help and documentation, in their order. */
export const GROUPS = [
  'Network',
  'Limits of the network',
  'API',
  'Keys',
  'Mempool',
  'Work and storage',
  'Resources',
  'Log',
] as const;
type Group = (typeof GROUPS)[number];

export interface Setting<T> {
  readonly group: Group;
  readonly kind: Kind<T>;
  readonly default: T;
  /** One line, without a full stop. */
  readonly meaning: string;
  /** Where the name that follows from the key is taken by something else. */
  readonly variable?: string;
}

function setting<T>(entry: Setting<NoInfer<T>> & { readonly kind: Kind<T> }): Setting<T> {
  return entry;
}

const INFO: LogLevels = { all: 'info', parts: {} };

export const SETTINGS = {
  listen: setting({
    group: 'Network',
    kind: list(listenAddress, 16),
    default: ['/ip4/127.0.0.1/tcp/0'],
    meaning: 'where to listen for peers; the default is reached from this machine alone',
  }),
  announce: setting({
    group: 'Network',
    kind: list(announcedAddress, 16),
    default: [],
    meaning: 'addresses to tell others instead of those listened on, as behind a router or in a container',
  }),
  bootstrap: setting({
    group: 'Network',
    kind: list(peerAddress, 64),
    default: [],
    meaning: 'nodes to join the network through; one that answers is enough',
  }),
  persistentPeers: setting({
    group: 'Network',
    kind: list(peerAddress, 64),
    default: [],
    meaning: 'peers to stay connected to whatever the limits say, such as the node’s own relays',
  }),
  allow: setting({
    group: 'Network',
    kind: list(admissionRule, 1_024),
    default: [],
    meaning: 'with entries, only these may connect and are dialled, and bootstrap and persistent peers',
  }),
  deny: setting({
    group: 'Network',
    kind: list(peerRule, 1_024),
    default: [],
    meaning: 'these may not connect and are not dialled',
  }),

  maxConnections: setting({
    group: 'Limits of the network',
    kind: whole(8, 10_000, 'connections'),
    default: DEFAULT_LIMITS.maxConnections,
    meaning:
      'connections that peers make to this node; a quarter is kept for validators and persistent peers',
  }),
  maxStrangers: setting({
    group: 'Limits of the network',
    kind: whole(0, 10_000, 'connections'),
    default: DEFAULT_LIMITS.maxStrangers,
    meaning: 'connections to peers that are no validators',
  }),
  targetPeers: setting({
    group: 'Limits of the network',
    kind: whole(1, 1_000, 'peers'),
    default: DEFAULT_LIMITS.targetPeers,
    meaning: 'with fewer peers than this the node looks for more by itself',
  }),
  connectionsPerAddress: setting({
    group: 'Limits of the network',
    kind: whole(1, 10_000, 'connections'),
    default: DEFAULT_LIMITS.connectionsPerAddress,
    meaning: 'connections from one IPv4 address or one /64 of IPv6; raise it behind a proxy or NAT',
  }),
  inboundPerSecondPerAddress: setting({
    group: 'Limits of the network',
    kind: whole(1, 10_000, 'connections'),
    default: DEFAULT_LIMITS.inboundPerSecondPerAddress,
    meaning: 'new connections from one such address in a second, four times that in a burst',
  }),
  connectionsFromLoopback: setting({
    group: 'Limits of the network',
    kind: whole(1, 10_000, 'connections'),
    default: DEFAULT_LIMITS.connectionsFromLoopback,
    meaning: 'connections from one loopback address, where a whole network may run',
  }),
  servedBytes: setting({
    group: 'Limits of the network',
    kind: bytes(64 * MIB, 64 * GIB),
    default: DEFAULT_LIMITS.servedBytes,
    meaning: 'memory for answers on their way to peers; half of it is kept for validators',
  }),
  servedBytesPerSecond: setting({
    group: 'Limits of the network',
    kind: bytes(64 * KIB, GIB),
    default: DEFAULT_LIMITS.servedPerSecond,
    meaning: 'how fast one peer is sent answers, a second',
  }),

  api: setting({
    group: 'API',
    kind: hostPort,
    default: { host: '127.0.0.1', port: 7070 },
    meaning: 'where the HTTP API listens; whoever reaches it can read everything and submit transactions',
    variable: 'KRYDER_API_LISTEN',
  }),
  apiConnections: setting({
    group: 'API',
    kind: whole(8, 100_000, 'connections'),
    default: DEFAULT_API_LIMITS.maxConnections,
    meaning: 'connections of API clients in all',
  }),
  apiConnectionsPerAddress: setting({
    group: 'API',
    kind: whole(1, 100_000, 'connections'),
    default: DEFAULT_API_LIMITS.maxConnectionsPerAddress,
    meaning: 'connections of API clients from one IPv4 address or one /64 of IPv6',
  }),
  apiRequestsPerSecond: setting({
    group: 'API',
    kind: whole(1, 1_000_000, 'requests'),
    default: DEFAULT_API_LIMITS.requestsPerSecond,
    meaning: 'requests that one such address may make in a second; what comes faster waits, then is refused',
  }),
  apiStreams: setting({
    group: 'API',
    kind: whole(0, 10_000, 'streams'),
    default: DEFAULT_API_LIMITS.maxStreams,
    meaning: 'clients that may listen to the stream of final blocks at a time',
  }),

  passphraseFile: setting({
    group: 'Keys',
    kind: optional(text('<file>', 'the path of a file, mode 0600, with the passphrase on one line')),
    default: undefined,
    meaning: 'passphrase of the consensus key; without it $KRYDER_PASSPHRASE is taken, or the terminal asks',
  }),
  plainKeys: setting({
    group: 'Keys',
    kind: onOff(),
    default: false,
    meaning: 'take a consensus key that is not encrypted, as on a test network',
  }),

  mempoolTransactions: setting({
    group: 'Mempool',
    kind: whole(100, 10_000_000, 'transactions'),
    default: DEFAULT_MEMPOOL_LIMITS.maxTransactions,
    meaning: 'transactions that may wait for a block',
  }),
  mempoolBytes: setting({
    group: 'Mempool',
    kind: bytes(MIB, 16 * GIB),
    default: DEFAULT_MEMPOOL_LIMITS.maxBytes,
    meaning: 'bytes of the transactions that may wait for a block',
  }),
  mempoolTransactionsPerSender: setting({
    group: 'Mempool',
    kind: whole(1, 10_000_000, 'transactions'),
    default: DEFAULT_MEMPOOL_LIMITS.maxTransactionsPerSender,
    meaning: 'transactions of one address that may wait, whatever it pays',
  }),
  mempoolBytesPerSender: setting({
    group: 'Mempool',
    kind: bytes(64 * KIB, 16 * GIB),
    default: DEFAULT_MEMPOOL_LIMITS.maxBytesPerSender,
    meaning: 'bytes of the transactions of one address that may wait',
  }),
  peerTransactionsPerSecond: setting({
    group: 'Mempool',
    kind: whole(10, 1_000_000, 'transactions'),
    default: 5_000,
    meaning:
      'transactions that one peer may have this node verify in a second; validators have four times that',
  }),
  peerTransactionBytesPerSecond: setting({
    group: 'Mempool',
    kind: bytes(64 * KIB, GIB),
    default: 4 * MIB,
    meaning: 'bytes of them; validators have four times that',
  }),

  workers: setting({
    group: 'Work and storage',
    kind: whole(1, 64, 'threads'),
    default: 2,
    meaning: 'threads that check signatures',
  }),
  journalSegmentBytes: setting({
    group: 'Work and storage',
    kind: bytes(16 * KIB, GIB),
    default: 64 * MIB,
    meaning: 'size at which the consensus journal begins a new file',
  }),

  diskWarnBytes: setting({
    group: 'Resources',
    kind: bytes(0, 1024 * 1024 * GIB),
    default: 2 * GIB,
    meaning: 'with less free space for the data directory the node warns',
  }),
  diskStopBytes: setting({
    group: 'Resources',
    kind: bytes(0, 1024 * 1024 * GIB),
    default: 256 * MIB,
    meaning: 'with less free space the node stops cleanly; 0 for never, then it stops when a write fails',
  }),
  clockStop: setting({
    group: 'Resources',
    kind: onOff(),
    default: true,
    meaning: 'whether a validator stops whose clock is so far off that its blocks and votes do not count',
  }),
  lagWarnMs: setting({
    group: 'Resources',
    kind: whole(10, 60_000, 'ms'),
    default: 200,
    meaning: 'the node warns when its event loop is later than this for a hundredth of the time',
  }),
  metrics: setting({
    group: 'Resources',
    kind: onOff(),
    default: true,
    meaning: 'whether the API serves `/metrics` for Prometheus',
  }),

  logLevel: setting({
    group: 'Log',
    kind: logLevels,
    default: INFO,
    meaning: 'how much the log says, for all parts and for single ones',
  }),
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;
type ValueOf<S> = S extends Setting<infer T> ? T : never;
export type Settings = { readonly [Name in SettingName]: ValueOf<(typeof SETTINGS)[Name]> };

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** The entry of a setting, with the type of its value left open. */
export function settingOf(name: SettingName): Setting<unknown> {
  return SETTINGS[name];
}

/** `--max-strangers` */
export function flagOf(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The flag as it stands in help and documentation, with its value; of a switch that is on, the one to turn it off. */
export function shownFlagOf(name: SettingName): string {
  const { kind, default: value } = settingOf(name);
  if (kind.placeholder !== undefined) return `${flagOf(name)} ${kind.placeholder}`;
  return value === true ? flagOf(name).replace('--', '--no-') : flagOf(name);
}

/** `KRYDER_MAX_STRANGERS` */
export function variableOf(name: SettingName): string {
  return (
    settingOf(name).variable ?? `KRYDER_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
  );
}

/** Environment variables that are no settings of a node, with what they are for. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  KRYDER_DIR: 'the data directory of `kryder node` and `kryder config`, where `--dir` is not given',
  KRYDER_API: 'address of a node’s API, for all commands that talk to one (default: http://127.0.0.1:7070)',
  KRYDER_PASSPHRASE:
    'passphrase of key files, where no file with it is named; a process takes it out of its environment when it reads it',
  KRYDER_NEW_PASSPHRASE: 'the new one, for `kryder keys passphrase`',
  KRYDER_NEW_PASSPHRASE_FILE: 'the file that holds it',
  KRYDER_FAIL_POINT: 'for tests of crashes: the named place at which the process shall die',
};

/** Keys that node.json had once, with what has taken their place. */
export const FORMER_KEYS: Readonly<Record<string, string>> = {
  apiHost: '"apiHost" and "apiPort" are now one key, like "api": "127.0.0.1:7070"',
  apiPort: '"apiHost" and "apiPort" are now one key, like "api": "127.0.0.1:7070"',
};

/** What must hold between settings: two names and what is wrong when it does not. */
export const RELATIONS: readonly {
  readonly names: readonly [SettingName, SettingName];
  readonly holds: (settings: Settings) => boolean;
  readonly rule: string;
}[] = [
  {
    names: ['maxStrangers', 'maxConnections'],
    holds: ({ maxStrangers, maxConnections }) => maxStrangers <= maxConnections,
    rule: 'maxStrangers must not be more than maxConnections',
  },
  {
    names: ['targetPeers', 'maxConnections'],
    holds: ({ targetPeers, maxConnections }) => targetPeers <= maxConnections,
    rule: 'targetPeers must not be more than maxConnections',
  },
  {
    names: ['diskStopBytes', 'diskWarnBytes'],
    holds: ({ diskStopBytes, diskWarnBytes }) => diskStopBytes <= diskWarnBytes,
    rule: 'diskStopBytes must not be more than diskWarnBytes, or the node stops before it warns',
  },
];
