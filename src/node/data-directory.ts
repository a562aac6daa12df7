/**
 * A node's data directory and what is in it:
 *
 *     genesis.json         the chain
 *     node.json            listen and announce addresses, bootstrap, API address
 *     host.key.json        network identity
 *     consensus.key.json   only for a validator
 *     db/                  classic-level; its lock keeps a second process out
 *     journal/             the consensus journal
 */
import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Genesis, genesisFromJson, genesisToJson, MAX_GENESIS_BYTES } from '../chain/genesis.ts';
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { type KeyFile, readKeyFile, writeKeyFile } from './key-file.ts';

const nodeFile = z.strictObject({
  /** Multiaddrs to listen on. */
  listen: z.array(z.string().max(200)).max(16).default(['/ip4/127.0.0.1/tcp/0']),
  /** Multiaddrs to tell others instead of those. */
  announce: z.array(z.string().max(200)).max(16).default([]),
  /** Multiaddrs of nodes to join through. */
  bootstrap: z.array(z.string().max(300)).max(64).default([]),
  apiHost: z.string().max(200).default('127.0.0.1'),
  apiPort: z.number().int().min(0).max(65_535).default(0),
  /** Size at which the consensus journal begins a new file. */
  journalSegmentBytes: z
    .number()
    .int()
    .min(16_384)
    .max(1024 ** 3)
    .default(64 * 1024 ** 2),
});

export type NodeFile = z.infer<typeof nodeFile>;

export interface DataDirectory {
  readonly path: string;
  readonly database: string;
  readonly journal: string;
  readonly genesis: Genesis;
  readonly settings: NodeFile;
  readonly hostKey: KeyFile;
  /** Absent on a node that only follows. */
  readonly consensusKey: KeyFile | undefined;
}

const FILE = {
  genesis: 'genesis.json',
  node: 'node.json',
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
 * `settings` holds only what differs from the defaults; `seeds` are 32 bytes, the host's is made if need be.
 */
export async function initDataDirectory(
  path: string,
  genesis: Genesis,
  settings: Partial<NodeFile>,
  seeds: { readonly host?: Bytes; readonly consensus?: Bytes },
): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  try {
    await writeFile(join(path, FILE.genesis), genesisToJson(genesis), { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new ProtocolError(
      'DATA_DIRECTORY_EXISTS',
      `${path} is a data directory already; choose another one`,
    );
  }
  await writeFile(join(path, FILE.node), `${JSON.stringify(nodeFile.parse(settings), null, 2)}\n`);
  await writeKeyFile(join(path, FILE.host), 'host', seeds.host ?? new Uint8Array(randomBytes(32)));
  if (seeds.consensus !== undefined)
    await writeKeyFile(join(path, FILE.consensus), 'consensus', seeds.consensus);
}

/** Reads a data directory. Throws `DATA_DIRECTORY`, `GENESIS_INVALID` or `KEY_FILE`, saying what to do. */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const genesis = await readGenesisFile(join(path, FILE.genesis));
  let json: unknown;
  try {
    json = JSON.parse(await readText(join(path, FILE.node), 100_000));
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError('DATA_DIRECTORY', `${join(path, FILE.node)} is not JSON`);
  }
  const settings = nodeFile.safeParse(json);
  if (!settings.success) {
    const issue = settings.error.issues[0];
    throw new ProtocolError(
      'DATA_DIRECTORY',
      `${join(path, FILE.node)}: ${issue?.path.join('.')}: ${issue?.message}`,
    );
  }
  const consensusPath = join(path, FILE.consensus);
  const validates = await access(consensusPath).then(
    () => true,
    () => false,
  );
  return {
    path,
    database: join(path, 'db'),
    journal: join(path, 'journal'),
    genesis,
    settings: settings.data,
    hostKey: await readKeyFile(join(path, FILE.host), 'host'),
    consensusKey: validates ? await readKeyFile(consensusPath, 'consensus') : undefined,
  };
}
