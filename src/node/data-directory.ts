/**
 * A node's data directory and what is in it:
 *
 *     genesis.json         the chain; written last, so a directory that has it is complete
 *     node.json            its settings, see src/config
 *     host.key.json        network identity
 *     consensus.key.json   only for a validator
 *     db/                  classic-level; its lock keeps a second process out
 *     journal/             the consensus journal
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Genesis, genesisFromJson, genesisToJson, MAX_GENESIS_BYTES } from '../chain/genesis.ts';
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { writeSettings } from '../config/file.ts';
import type { Settings } from '../config/settings.ts';
import { isThere, writeWholeFile } from '../storage/whole-file.ts';
import { type KeyFile, readKeyFile, writeKeyFile } from './key-file.ts';

export interface DataDirectory {
  readonly path: string;
  readonly database: string;
  readonly journal: string;
  readonly genesis: Genesis;
  readonly hostKey: KeyFile;
  /** Absent on a node that only follows. */
  readonly consensusKey: KeyFile | undefined;
}

const FILE = {
  genesis: 'genesis.json',
  host: 'host.key.json',
  consensus: 'consensus.key.json',
} as const;

async function readText(path: string, most: number): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ProtocolError(
      'DATA_DIRECTORY',
      missing ? `${path} is missing; make a data directory with "kryder init"` : (error as Error).message,
    );
  }
  if (text.length > most)
    throw new ProtocolError('DATA_DIRECTORY', `${path} is longer than ${most} characters`);
  return text;
}

export async function readGenesisFile(path: string): Promise<Genesis> {
  return genesisFromJson(await readText(path, MAX_GENESIS_BYTES));
}

/**
 * Makes a data directory. Refuses (`DATA_DIRECTORY_EXISTS`) to touch one that has a genesis already.
 * What an interrupted call has left is completed. `settings` holds only what was chosen; `seeds` are 32 bytes, the host's is made if need be.
 */
export async function initDataDirectory(
  path: string,
  genesis: Genesis,
  settings: Partial<Settings>,
  seeds: { readonly host?: Bytes; readonly consensus?: Bytes },
): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const genesisPath = join(path, FILE.genesis);
  if (await isThere(genesisPath)) {
    throw new ProtocolError(
      'DATA_DIRECTORY_EXISTS',
      `${path} is a data directory already; choose another one`,
    );
  }
  await writeSettings(path, settings);
  const hostPath = join(path, FILE.host);
  if (!(await isThere(hostPath)))
    await writeKeyFile(hostPath, 'host', seeds.host ?? new Uint8Array(randomBytes(32)));
  if (seeds.consensus !== undefined)
    await writeKeyFile(join(path, FILE.consensus), 'consensus', seeds.consensus);
  await writeWholeFile(genesisPath, genesisToJson(genesis));
}

/** Reads a data directory. Throws `DATA_DIRECTORY`, `GENESIS_INVALID` or `KEY_FILE`, saying what to do. */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const genesis = await readGenesisFile(join(path, FILE.genesis));
  const consensusPath = join(path, FILE.consensus);
  return {
    path,
    database: join(path, 'db'),
    journal: join(path, 'journal'),
    genesis,
    hostKey: await readKeyFile(join(path, FILE.host), 'host'),
    consensusKey: (await isThere(consensusPath)) ? await readKeyFile(consensusPath, 'consensus') : undefined,
  };
}
