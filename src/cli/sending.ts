/** What the commands share that send outputs from one account, or work on one blob. */
import type { Command } from 'commander';
import { type Bytes, fromHex } from '../codec/bytes.ts';
import { tagOfFile } from '../node/challenge-file.ts';
import { readKeyFile } from '../node/key-file.ts';
import { type BuiltTransaction, planTransfer, signTransaction } from '../tx/build.ts';
import type { Output, TransferBody } from '../tx/types.ts';
import { ApiClient, type ChainStatus } from './client.ts';
import { type ApiOption, hex32, randomSalt, type WaitOption, withApi, withWait } from './options.ts';
import { usageError } from './output.ts';
import { type Submitted, submitAndWait } from './submit.ts';

export type Sending = ApiOption & WaitOption & { readonly key: string };

export function withSending(command: Command, whose: string): Command {
  return withWait(withApi(command.requiredOption('--key <file>', `key file of ${whose}`)));
}

interface OutputPlan {
  readonly outputs: readonly Output[];
  /** Last height at which they can be posted, where that is earlier than the chain's own limit. */
  readonly latest?: number;
}

export async function sendOutputs(
  options: Sending,
  plan: (status: ChainStatus, self: Bytes, client: ApiClient) => Promise<OutputPlan>,
) {
  const { key } = await readKeyFile(options.key, 'account');
  const client = new ApiClient(options.api);
  const status = await client.status();
  const { parameters, height } = status;
  const { outputs, latest } = await plan(status, key.publicKey, client);
  const validUntil = Math.min(height + parameters.txLifetime, latest ?? Number.MAX_SAFE_INTEGER);
  const body = planTransfer(
    { from: key.publicKey, outputs, validUntil, salt: randomSalt() },
    parameters,
    parameters.baseFee,
  );
  const built = signTransaction(body, fromHex(status.genesisHash), [key]);
  return { built, body, outcome: await submitAndWait(client, built, options) };
}

/** The tag that was given, or that of the file. */
export async function tagOf(options: { tag?: string; blob?: string }): Promise<Bytes> {
  if (options.tag !== undefined) return hex32(options.tag, '--tag');
  if (options.blob === undefined) throw usageError('which blob?', 'give --tag or --blob');
  return (await tagOfFile(options.blob)).tag;
}
