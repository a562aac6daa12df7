/**
 * Key files: one Ed25519 seed each, as JSON, readable by its owner alone. Version 2 holds the seed encrypted
 * with a passphrase; kind, public key and version are authenticated with it, so a file that was changed opens
 * to nothing. Version 1 holds the seed in plain text: for test networks, and only where the reader agrees; a
 * host key alone, which spends nothing and can be made anew, is plain as a rule. docs/keys.md has the formats.
 */
import * as z from 'zod';
import { encodeAddress } from '../../codec/address.ts';
import { type Bytes, concat, equal, fromHex, toHex } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import type { SigningKey } from '../../crypto/interfaces.ts';
import { SEED_BYTES } from '../../crypto/keys.ts';
import { selectSigningKeys } from '../crypto/select.ts';
import {
  createPrivateFile,
  type Refuse,
  readPrivateFile,
  refuser,
  replacePrivateFile,
} from './private-file.ts';
import {
  costIsBearable,
  DEFAULT_COST,
  NONCE_BYTES,
  SALT_BYTES,
  type ScryptCost,
  type Sealed,
  seal,
  sealedBytes,
  unseal,
} from './sealing.ts';

/** An account's key spends, a consensus key votes, a host key is a node's network identity: never one as another. */
export const KEY_KINDS = ['account', 'consensus', 'host'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

const MAX_KEY_FILE_BYTES = 4_096;
const PLAIN = 1;
const ENCRYPTED = 2;

const hex = (bytes: number) =>
  z
    .string()
    .regex(/^[0-9a-f]*$/)
    .length(2 * bytes)
    .transform((text) => fromHex(text));

const common = { kind: z.enum(KEY_KINDS), address: z.string().max(100).optional(), publicKey: hex(32) };
const plainSchema = z.strictObject({ version: z.literal(PLAIN), ...common, seed: hex(SEED_BYTES) });
const encryptedSchema = z.strictObject({
  version: z.literal(ENCRYPTED),
  ...common,
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    n: z.number(),
    r: z.number(),
    p: z.number(),
    salt: hex(SALT_BYTES),
  }),
  cipher: z.strictObject({
    name: z.literal('chacha20-poly1305'),
    nonce: hex(NONCE_BYTES),
    sealed: hex(sealedBytes(SEED_BYTES)),
  }),
});
type Content = z.infer<typeof plainSchema> | z.infer<typeof encryptedSchema>;

/** How the secret stands in a file: in plain text, or encrypted. */
export type Protection = 'plain' | { readonly passphrase: string; readonly cost?: ScryptCost };

/** What whoever reads a key file agrees to, and knows. */
export interface KeyAccess {
  /** Take a key whose secret stands in the file in plain text. */
  readonly plain: boolean;
  /** Asked for an encrypted file only; `path` is for the question. */
  passphrase(path: string): Promise<string>;
}

/** For test networks: plain files, and no passphrase. */
export const PLAIN_ACCESS: KeyAccess = {
  plain: true,
  passphrase: async (path) => {
    throw new ProtocolError('PASSPHRASE_MISSING', `"${path}" is encrypted and no passphrase is at hand`);
  },
};

function refusal(path: string): Refuse {
  return refuser('KEY_FILE', 'key file', path);
}

/** What is authenticated besides the cost and the salt. The version is in the context of the seal. */
function bound(kind: KeyKind, publicKey: Bytes): Bytes {
  return concat(Uint8Array.of(KEY_KINDS.indexOf(kind)), publicKey);
}

async function contentOf(kind: KeyKind, seed: Bytes, key: SigningKey, protection: Protection) {
  const { publicKey } = key;
  const head = {
    kind,
    ...(kind === 'account' ? { address: encodeAddress(publicKey) } : {}),
    publicKey: toHex(publicKey),
  };
  if (protection === 'plain') return { version: PLAIN, ...head, seed: toHex(seed) };
  const { passphrase, cost = DEFAULT_COST } = protection;
  const { salt, nonce, box } = await seal(seed, passphrase, bound(kind, publicKey), cost);
  return {
    version: ENCRYPTED,
    ...head,
    kdf: { name: 'scrypt', ...cost, salt: toHex(salt) },
    cipher: { name: 'chacha20-poly1305', nonce: toHex(nonce), sealed: toHex(box) },
  };
}

function asText(content: object): string {
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Writes a new key file, mode 0600. Throws `KEY_FILE` where something is there already. */
export async function writeKeyFile(
  path: string,
  kind: KeyKind,
  seed: Bytes,
  protection: Protection,
): Promise<SigningKey> {
  const key = selectSigningKeys()(seed);
  await createPrivateFile(path, asText(await contentOf(kind, seed, key, protection)), refusal(path));
  return key;
}

/** Puts the same key under another passphrase, in one step. */
export async function protectKeyFile(path: string, file: KeyFile, protection: Protection): Promise<void> {
  const content = await contentOf(file.kind, file.seed, file.key, protection);
  await replacePrivateFile(path, asText(content), refusal(path));
}

function parse(text: string, refuse: Refuse): Content {
  let value: { readonly version?: unknown; readonly kind?: unknown };
  try {
    value = Object(JSON.parse(text)) as typeof value;
  } catch {
    return refuse('is not JSON');
  }
  if (value.version !== PLAIN && value.version !== ENCRYPTED)
    return refuse('has a version that this program does not know');
  if (!KEY_KINDS.some((name) => name === value.kind))
    return refuse(`has no kind: expected ${KEY_KINDS.join(', ')}`);
  const parsed = (value.version === PLAIN ? plainSchema : encryptedSchema).safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const at = issue?.path.join('.') ?? '';
    return refuse(
      at === 'seed' || at === 'publicKey'
        ? 'seed and publicKey must be 32 bytes of hex'
        : `is damaged: ${at === '' ? '' : `${at}: `}${issue?.message}`,
    );
  }
  const content = parsed.data;
  if (content.address !== undefined) {
    const right = content.kind === 'account' && content.address === encodeAddress(content.publicKey);
    if (!right) refuse('its address does not belong to its public key');
  }
  if (content.version === ENCRYPTED && !costIsBearable(content.kdf)) {
    refuse('asks for more memory or work than a key file of this program ever needs');
  }
  return content;
}

function readText(path: string): Promise<string> {
  const missing = 'is not there; `kryder keys new` makes one';
  return readPrivateFile(path, MAX_KEY_FILE_BYTES, refusal(path), missing);
}

function checked(path: string, text: string, kind: KeyKind | undefined): Content {
  const refuse = refusal(path);
  const content = parse(text, refuse);
  if (kind !== undefined && content.kind !== kind)
    refuse(`holds a ${content.kind} key, a ${kind} key is needed`);
  return content;
}

/** What a key file says without its secret. Only opening it shows that this is true. */
export interface KeyFileHead {
  readonly kind: KeyKind;
  readonly publicKey: Bytes;
  readonly encrypted: boolean;
}

/** Reads what needs no passphrase. Throws `KEY_FILE`. */
export async function inspectKeyFile(path: string, kind?: KeyKind): Promise<KeyFileHead> {
  const content = checked(path, await readText(path), kind);
  return { kind: content.kind, publicKey: content.publicKey, encrypted: content.version === ENCRYPTED };
}

/** Copies a key file as it is, encrypted or not, to a new place. Throws `KEY_FILE`. */
export async function copyKeyFile(from: string, to: string, kind: KeyKind): Promise<void> {
  const text = await readText(from);
  checked(from, text, kind);
  await createPrivateFile(to, text, refusal(to));
}

export interface KeyFile {
  readonly kind: KeyKind;
  readonly key: SigningKey;
  /** 32 bytes. */
  readonly seed: Bytes;
}

/**
 * Reads a key file; with `kind` given it must be of that kind. Throws `KEY_FILE` (damaged, of another kind,
 * open to others), `KEY_PLAIN` (its secret is not encrypted and `access` does not agree to that) or
 * `KEY_PASSPHRASE` (it does not open), and what asking for the passphrase throws.
 */
export async function readKeyFile(
  path: string,
  kind: KeyKind | undefined,
  access: KeyAccess,
): Promise<KeyFile> {
  const content = checked(path, await readText(path), kind);
  const seed =
    content.version === PLAIN ? plainSeed(path, content, access) : await openSeed(path, content, access);
  const key = selectSigningKeys()(seed);
  if (!equal(key.publicKey, content.publicKey)) refusal(path)('its public key does not belong to its seed');
  return { kind: content.kind, key, seed };
}

function plainSeed(path: string, content: z.infer<typeof plainSchema>, access: KeyAccess): Bytes {
  if (!access.plain && content.kind !== 'host') {
    throw new ProtocolError(
      'KEY_PLAIN',
      `key file "${path}": its secret is not encrypted; run \`kryder keys passphrase "${path}"\`, ` +
        'or, on a test network, agree to that with --plain-keys or KRYDER_PLAIN_KEYS=1',
    );
  }
  return content.seed;
}

async function openSeed(
  path: string,
  { kind, publicKey, kdf, cipher }: z.infer<typeof encryptedSchema>,
  access: KeyAccess,
): Promise<Bytes> {
  const sealed: Sealed = { cost: kdf, salt: kdf.salt, nonce: cipher.nonce, box: cipher.sealed };
  const seed = await unseal(sealed, await access.passphrase(path), bound(kind, publicKey));
  if (seed === undefined) {
    throw new ProtocolError(
      'KEY_PASSPHRASE',
      `key file "${path}" does not open: the passphrase is wrong, or the file was changed`,
    );
  }
  return seed;
}
