/**
 * Key files: one Ed25519 seed as JSON, readable by its owner alone. The seed stands there in plain text, which
 * is for test networks; who writes one has to say so. A file is never overwritten, and one that others can
 * read is refused.
 */
import { open } from 'node:fs/promises';
import { encodeAddress } from '../codec/address.ts';
import { type Bytes, equal, fromHex, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { SigningKey } from '../crypto/interfaces.ts';
import { SEED_BYTES } from '../crypto/keys.ts';
import { selectSigningKeys } from './crypto/select.ts';

/** An account's key spends, a consensus key votes, a host key is a node's network identity: never one as another. */
export const KEY_KINDS = ['account', 'consensus', 'host'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

const MAX_KEY_FILE_BYTES = 4_096;

function refuse(path: string, why: string): never {
  throw new ProtocolError('KEY_FILE', `key file "${path}": ${why}`);
}

/** Writes a new key file, mode 0600. Throws `KEY_FILE` where something is there already. */
export async function writeKeyFile(path: string, kind: KeyKind, seed: Bytes): Promise<SigningKey> {
  const key = selectSigningKeys()(seed);
  const content = {
    version: 1,
    kind,
    ...(kind === 'account' ? { address: encodeAddress(key.publicKey) } : {}),
    publicKey: toHex(key.publicKey),
    seed: toHex(seed),
  };
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) =>
    refuse(path, error.code === 'EEXIST' ? 'exists already and is not overwritten' : error.message),
  );
  try {
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return key;
}

async function readPrivate(path: string): Promise<string> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) =>
    refuse(path, error.code === 'ENOENT' ? 'is not there; `kryder keys new` makes one' : error.message),
  );
  try {
    const { mode, size } = await file.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      refuse(path, `others can read it: run \`chmod 600 "${path}"\``);
    }
    if (size > MAX_KEY_FILE_BYTES) refuse(path, 'is too long to be a key file');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

export interface KeyFile {
  readonly kind: KeyKind;
  readonly key: SigningKey;
  /** 32 bytes. */
  readonly seed: Bytes;
}

/** Reads a key file; with `kind` given it must be of that kind. Throws `KEY_FILE`, saying what is wrong. */
export async function readKeyFile(path: string, kind?: KeyKind): Promise<KeyFile> {
  const text = await readPrivate(path);
  let content: Record<string, unknown>;
  try {
    content = Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return refuse(path, 'is not JSON');
  }
  if (content.version !== 1) refuse(path, 'has a version that this program does not know');
  const found = KEY_KINDS.find((name) => name === content.kind);
  if (found === undefined) return refuse(path, `has no kind: expected ${KEY_KINDS.join(', ')}`);
  if (kind !== undefined && found !== kind) refuse(path, `holds a ${found} key, a ${kind} key is needed`);
  let seed: Bytes;
  let publicKey: Bytes;
  try {
    seed = fromHex(String(content.seed), SEED_BYTES);
    publicKey = fromHex(String(content.publicKey), 32);
  } catch {
    return refuse(path, 'seed and publicKey must be 32 bytes of hex');
  }
  const key = selectSigningKeys()(seed);
  if (!equal(key.publicKey, publicKey)) refuse(path, 'its public key does not belong to its seed');
  return { kind: found, key, seed };
}
