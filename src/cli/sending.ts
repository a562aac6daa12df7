/** What the commands share that send outputs from one account, or work on one blob. */
import type { Command } from 'commander';
import { type Bytes, fromHex } from '../codec/bytes.ts';
import { tagOfFile } from '../node/challenge-file.ts';
import { readKeyFile } from '../node/keys/key-file.ts';
import { planTransfer, signTransaction } from '../tx/build.ts';
import type { Output } from '../tx/types.ts';
import type { ApiClient, ChainStatus } from './client.ts';
import { type ApiOption, hex32, randomSalt, type WaitOption, withApi, withWait } from './options.ts';
import { usageError } from './output.ts';
import { type KeyAccessOptions, keyAccess, withKeyAccess } from './passphrase.ts';
import { type Submitted, submitAndWait } from './submit.ts';

export type Sending = ApiOption & WaitOption & KeyAccessOptions & { readonly key: string };

export function withSending(command: Command, whose: string): Command {
  const keyed = command.requiredOption('--key <file>', `key file of ${whose}`);
  return withWait(withApi(withKeyAccess(keyed)));
}

export interface OutputPlan<T extends readonly Output[]> {
  readonly outputs: T;
  /** Last height at which they can be posted, where that is earlier than the chain's own limit. */
  readonly latest?: number;
}

export interface SentOutputs<T extends readonly Output[]> {
  readonly id: Bytes;
  readonly outputs: T;
  readonly fee: bigint;
  readonly outcome: Submitted;
}

/** Sends what `plan` makes of the chain's state, from the account of `--key`. Slow work comes before it. */
export async function sendOutputs<T extends readonly Output[]>(
  options: Sending,
  client: ApiClient,
  plan: (status: ChainStatus, self: Bytes) => OutputPlan<T>,
): Promise<SentOutputs<T>> {
  const { key } = await readKeyFile(options.key, 'account', keyAccess(options));
  const status = await client.status();
  const { parameters, height } = status;
  const { outputs, latest } = plan(status, key.publicKey);
  const validUntil = Math.min(height + parameters.txLifetime, latest ?? Number.MAX_SAFE_INTEGER);
  const body = planTransfer(
    { from: key.publicKey, outputs, validUntil, salt: randomSalt() },
    parameters,
    parameters.baseFee,
  );
  const built = signTransaction(body, fromHex(status.genesisHash), [key]);
  return { id: built.id, outputs, fee: body.fee, outcome: await submitAndWait(client, built, options) };
}

/** The tag that was given, or that of the file. */
export async function tagOf(options: { tag?: string; blob?: string }): Promise<Bytes> {
  if (options.tag !== undefined) return hex32(options.tag, '--tag');
  if (options.blob === undefined) throw usageError('which blob?', 'give --tag or --blob');
  return (await tagOfFile(options.blob)).tag;
}
