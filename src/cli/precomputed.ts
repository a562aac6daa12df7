/**
 * The file of precomputed challenges: a secret, from which the nonces follow, and 32 bytes of claim key for
 * each challenge. With it an owner posts bounties on a blob that it no longer has.
 */
import { open } from 'node:fs/promises';
import * as z from 'zod';
import { type Bytes, equal, fromHex, toHex } from '../codec/bytes.ts';
import { MAX_PRECOMPUTED, precomputeChallenges } from '../node/challenge-file.ts';
import { selectSigningKeys } from '../node/crypto/select.ts';
import { reasonOf } from '../system/problems.ts';
import { readText } from '../system/text-file.ts';
import { usageError } from './output.ts';

const hex32 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((text) => fromHex(text));

/** A line of JSON with a key of 64 hex digits each, and the rest. */
const MAX_FILE_BYTES = MAX_PRECOMPUTED * 80 + 4_096;

const schema = z.strictObject({
  version: z.literal(1),
  genesisHash: hex32,
  tag: hex32,
  length: z.number().int().positive(),
  secret: hex32,
  first: z.number().int().nonnegative(),
  claimKeys: z.array(hex32).min(1).max(MAX_PRECOMPUTED),
});

export interface Precomputed {
  readonly tag: Bytes;
  readonly secret: Bytes;
  /** By index. */
  readonly claimKeys: ReadonlyMap<number, Bytes>;
}

export interface PrecomputePlan {
  readonly file: string;
  readonly blob: string;
  readonly length: number;
  readonly genesisHash: Bytes;
  readonly tag: Bytes;
  readonly secret: Bytes;
  readonly first: number;
  readonly count: number;
}

/** Computes challenges in one pass over the blob and writes them to a new file, mode 0600. */
export async function precomputeToFile(plan: PrecomputePlan): Promise<Precomputed> {
  const { file, blob, length, genesisHash, tag, secret, first, count } = plan;
  const out = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw usageError(
      error.code === 'EEXIST'
        ? `"${file}" exists already and is not overwritten`
        : `"${file}" cannot be written: ${reasonOf(error)}`,
    );
  });
  try {
    const challenges = await precomputeChallenges(
      blob,
      genesisHash,
      tag,
      secret,
      first,
      count,
      selectSigningKeys(),
    );
    const content = {
      version: 1,
      genesisHash: toHex(genesisHash),
      tag: toHex(tag),
      length,
      secret: toHex(secret),
      first,
      claimKeys: challenges.map(({ claimKey }) => toHex(claimKey)),
    };
    await out.writeFile(`${JSON.stringify(content, null, 1)}\n`);
    await out.sync();
    return { tag, secret, claimKeys: new Map(challenges.map((c) => [c.index, c.claimKey])) };
  } finally {
    await out.close();
  }
}

/** Reads such a file, which must be for the chain with `genesisHash`. */
export async function readPrecomputed(file: string, genesisHash: Bytes): Promise<Precomputed> {
  const text = await readText(file, MAX_FILE_BYTES).catch((error: Error) => {
    throw usageError(`"${file}" cannot be read: ${reasonOf(error)}`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw usageError(`"${file}" is not JSON`, '`kryder bounty precompute` makes such files');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw usageError(`"${file}" is not a file of challenges: ${issue?.path.join('.')} ${issue?.message}`);
  }
  const { tag, secret, first, claimKeys } = parsed.data;
  if (!equal(parsed.data.genesisHash, genesisHash)) {
    throw usageError(`"${file}" is for the chain with genesis ${toHex(parsed.data.genesisHash)}`);
  }
  return { tag, secret, claimKeys: new Map(claimKeys.map((key, i) => [first + i, key])) };
}
