/**
 * The import rules of the house. Pure rooms import no Node built-in, no native package and nothing that
 * touches clock, disk or network; imports run one way: codec → crypto → tx → ledger, consensus beside them,
 * chain on top, and everything else on top of the pure rooms.
 */
const PURE = '^src/(codec|crypto|tx|ledger|consensus|chain|light)/';

/** room → rooms that it may import besides itself */
const MAY_IMPORT = {
  codec: [],
  crypto: ['codec'],
  tx: ['codec', 'crypto'],
  ledger: ['codec', 'crypto', 'tx'],
  consensus: ['codec', 'crypto'],
  chain: ['codec', 'crypto', 'tx', 'ledger', 'consensus'],
  light: ['codec', 'crypto', 'tx', 'ledger', 'consensus', 'chain'],
  mempool: ['codec', 'crypto', 'tx', 'ledger', 'chain'],
  p2p: ['codec', 'crypto', 'consensus', 'chain', 'system'],
  storage: ['codec', 'system', 'crypto', 'tx', 'ledger', 'consensus', 'chain'],
  system: ['codec'],
  config: ['codec', 'system', 'mempool', 'p2p', 'api'],
  node: [
    'codec',
    'system',
    'config',
    'crypto',
    'tx',
    'ledger',
    'consensus',
    'chain',
    'light',
    'mempool',
    'p2p',
    'storage',
    'api',
  ],
  api: ['codec', 'crypto', 'tx', 'ledger', 'consensus', 'chain', 'light', 'mempool', 'system'],
  story: [
    'codec',
    'system',
    'crypto',
    'tx',
    'ledger',
    'consensus',
    'chain',
    'light',
    'storage',
    'config',
    'node',
    'cli',
  ],
  testnet: ['codec', 'system', 'crypto', 'tx', 'ledger', 'chain', 'storage', 'node', 'cli', 'story'],
};

const oneWay = Object.entries(MAY_IMPORT).map(([room, allowed]) => ({
  name: `${room}-imports-one-way`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'pure-rooms-no-node',
      severity: 'error',
      from: { path: PURE },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-rooms-few-packages',
      comment: 'pure JavaScript only',
      severity: 'error',
      from: { path: PURE },
      to: { path: 'node_modules', pathNot: 'node_modules/(@noble/(hashes|ed25519)|@scure/base)/' },
    },
    {
      name: 'src-does-not-import-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench)/' },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...oneWay,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
