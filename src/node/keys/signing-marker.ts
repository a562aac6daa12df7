/**
 * `signing.json` in a data directory says which consensus key signs there, and whether it may have begun to: so
 * that a journal that was deleted is missed, and not taken for one that has yet to begin. It is written and
 * synced before the first vote. It never says less than the journal; the journal alone says how far.
 */
import { join } from 'node:path';
import * as z from 'zod';
import { type Bytes, fromHex, toHex } from '../../codec/bytes.ts';
import { MAX_SERIAL } from '../../consensus/journal/records.ts';
import { findPrivateFile, refuser, replacePrivateFile } from './private-file.ts';

const FILE = 'signing.json';
const MOST_BYTES = 1_024;

const hex32 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((text) => fromHex(text));
const schema = z.strictObject({
  version: z.literal(1),
  genesisHash: hex32,
  publicKey: hex32,
  journal: z.enum(['none', 'begun', 'retired']),
  serial: z.number().int().min(0).max(MAX_SERIAL),
});

export interface SigningMarker {
  readonly genesisHash: Bytes;
  readonly publicKey: Bytes;
  /** Not begun: the key has never voted. Begun: the journal holds what it signed. Retired: it votes elsewhere. */
  readonly journal: 'none' | 'begun' | 'retired';
  /** Of the newest history that was exported or imported here; 0 before that. */
  readonly serial: number;
}

function asText({ genesisHash, publicKey, journal, serial }: SigningMarker): string {
  const keys = { genesisHash: toHex(genesisHash), publicKey: toHex(publicKey) };
  const content = { version: 1, ...keys, journal, serial };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function place(directory: string) {
  const path = join(directory, FILE);
  return { path, refuse: refuser('DATA_DIRECTORY', 'file', path) };
}

/** Durable when it resolves. */
export async function writeMarker(directory: string, marker: SigningMarker): Promise<void> {
  const { path, refuse } = place(directory);
  await replacePrivateFile(path, asText(marker), refuse);
}

/** Undefined where there is none. Throws `DATA_DIRECTORY` for one that is damaged. */
export async function readMarker(directory: string): Promise<SigningMarker | undefined> {
  const { path, refuse } = place(directory);
  const text = await findPrivateFile(path, MOST_BYTES, refuse);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('is not JSON');
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : refuse('is damaged');
}
