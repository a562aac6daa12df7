/**
 * A node's data directory and what is in it:
 *
 *     genesis.json         the chain; written last, so a directory that has it is complete
 *     node.json            its settings, see src/config
 *     host.key.json        network identity
 *     consensus.key.json   only for a validator
 *     signing.json         only for a validator: whether that key may have begun to vote here
 *     db/                  classic-level
 *     journal/             the consensus journal
 *     outbox/              transactions of this node's own users that wait for a block
 *
 * One process works on it at a time: `lockDataDirectory` comes before everything else.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  type Genesis,
  genesisFromJson,
  genesisHash,
  genesisToJson,
  MAX_GENESIS_BYTES,
} from '../chain/genesis.ts';
import { type Bytes, equal } from '../codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../codec/errors.ts';
import { writeSettings } from '../config/file.ts';
import type { Settings } from '../config/settings.ts';
import { publicKeyOf } from '../crypto/keys.ts';
import { isThere, writeWholeFile } from '../storage/whole-file.ts';
import { makeDirectory } from '../system/directory.ts';
import { readText } from '../system/text-file.ts';
import {
  copyKeyFile,
  inspectKeyFile,
  type KeyAccess,
  type KeyFile,
  readKeyFile,
  writeKeyFile,
} from './keys/key-file.ts';
import { readMarker, writeMarker } from './keys/signing-marker.ts';

export interface DataDirectory {
  readonly path: string;
  readonly database: string;
  readonly journal: string;
  readonly outbox: string;
  readonly genesis: Genesis;
  readonly hostKey: KeyFile;
  /** Absent on a node that only follows. */
  readonly consensusKey: KeyFile | undefined;
}

/** Where the parts of the data directory at `path` are. */
export function dataDirectoryFiles(path: string) {
  return {
    genesis: join(path, 'genesis.json'),
    hostKey: join(path, 'host.key.json'),
    consensusKey: join(path, 'consensus.key.json'),
    database: join(path, 'db'),
    journal: join(path, 'journal'),
    outbox: join(path, 'outbox'),
  };
}

/** Throws `GENESIS_INVALID`, and the errors of `readText`. */
export async function readGenesisFile(path: string): Promise<Genesis> {
  const text = await readText(path, MAX_GENESIS_BYTES);
  try {
    return genesisFromJson(text);
  } catch (error) {
    if (!isProtocolError(error)) throw error;
    throw new ProtocolError(error.code, `"${path}": ${error.message}`);
  }
}

/** A validator's key: a seed, written in plain text, or a key file, copied as it is. */
export type ConsensusKeySource = { readonly seed: Bytes } | { readonly file: string };

/**
 * Makes a data directory. Refuses (`DATA_DIRECTORY_EXISTS`) to touch one that has a genesis already.
 * What an interrupted call has left is completed. `settings` holds only what was chosen; the host's seed (32
 * bytes) is made if need be. A consensus key is taken for one that has never voted: a history, if it has one, must
 * be imported.
 */
export async function initDataDirectory(
  path: string,
  genesis: Genesis,
  settings: Partial<Settings>,
  keys: { readonly host?: Bytes; readonly consensus?: ConsensusKeySource },
): Promise<void> {
  const files = dataDirectoryFiles(path);
  await makeDirectory(path);
  if (await isThere(files.genesis)) {
    throw new ProtocolError(
      'DATA_DIRECTORY_EXISTS',
      `${path} is a data directory already; choose another one`,
    );
  }
  await writeSettings(path, settings);
  if (!(await isThere(files.hostKey))) {
    await writeKeyFile(files.hostKey, 'host', keys.host ?? new Uint8Array(randomBytes(32)), 'plain');
  }
  if (keys.consensus !== undefined) {
    const publicKey = await placeConsensusKey(files.consensusKey, keys.consensus);
    const marker = { genesisHash: genesisHash(genesis), publicKey, journal: 'none', serial: 0 } as const;
    // One that is there may say that the key has voted.
    if ((await readMarker(path)) === undefined) await writeMarker(path, marker);
  }
  // Last: a directory with a genesis is whole.
  await writeWholeFile(files.genesis, genesisToJson(genesis));
}

/** Puts the key into the directory, or finds it there; returns its public key. */
async function placeConsensusKey(path: string, source: ConsensusKeySource): Promise<Bytes> {
  const wanted =
    'seed' in source ? publicKeyOf(source.seed) : (await inspectKeyFile(source.file, 'consensus')).publicKey;
  if (await isThere(path)) {
    const { publicKey } = await inspectKeyFile(path, 'consensus');
    if (equal(publicKey, wanted)) return publicKey;
    throw new ProtocolError('DATA_DIRECTORY_EXISTS', `${path} holds another key; choose another directory`);
  }
  if ('seed' in source) await writeKeyFile(path, 'consensus', source.seed, 'plain');
  else await copyKeyFile(source.file, path, 'consensus');
  return wanted;
}

/**
 * Reads a data directory. Throws `DATA_DIRECTORY`, `GENESIS_INVALID`, or what `readKeyFile` throws, saying what
 * to do. `keys` opens the key files.
 */
export async function openDataDirectory(path: string, keys: KeyAccess): Promise<DataDirectory> {
  const files = dataDirectoryFiles(path);
  const genesis = await readGenesisFile(files.genesis).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new ProtocolError(
      'DATA_DIRECTORY',
      `${files.genesis} is missing; make a data directory with "kryder init"`,
    );
  });
  const validates = await isThere(files.consensusKey);
  return {
    path,
    database: files.database,
    journal: files.journal,
    outbox: files.outbox,
    genesis,
    hostKey: await readKeyFile(files.hostKey, 'host', keys),
    consensusKey: validates ? await readKeyFile(files.consensusKey, 'consensus', keys) : undefined,
  };
}
