/** Exported readers that no target stands for, and why. */
export const NOT_FUZZED: Readonly<Record<string, string>> = {
  'ChainDatabase.open':
    'its rows are targets (unpackTip, unpackPlace, the decoders of entries and blocks); the files are classic-level’s',
  'FileDisk.open': 'reads nothing by itself: the journal and the outbox over it are targets',
  'OwnTransactions.open': 'reads through Outbox.open',
  fetchBlob: 'a blob of anybody, which is compared with its tag',
  loadLedger: 'reads entries of the node’s own database through their decoders',
  openDataDirectory: 'puts together readGenesisFile and readKeyFile',
  openFileHandles: 'counts what the system says of this process',
  readDevnet: 'takes two numbers that it wrote itself, or refuses with one code',
};
