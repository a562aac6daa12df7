/** From a signed transaction to its outcome: submit, wait, answer. */
import { type Bytes, toHex } from '../codec/bytes.ts';
import type { BuiltTransaction } from '../tx/build.ts';
import type { ApiClient, TransactionAnswer } from './client.ts';
import { type WaitOption, wholeNumber } from './options.ts';
import { CommandError, EXIT } from './output.ts';

export interface Submitted {
  readonly id: string;
  readonly status: 'pending' | 'final';
  readonly validUntil: number;
  readonly height?: number;
}

/** Throws the node's reason when it refuses the bytes. */
async function submitOne(client: ApiClient, bytes: Bytes): Promise<void> {
  const [outcome] = await client.submit([bytes]);
  if (outcome!.status === 'rejected') {
    throw new CommandError(
      EXIT.refused,
      outcome!.code ?? 'REJECTED',
      outcome!.reason ?? 'the node refuses it',
    );
  }
}

/** Submits and, unless told not to, waits until the transaction is final. */
export async function submitAndWait(
  client: ApiClient,
  tx: BuiltTransaction,
  options: WaitOption,
): Promise<Submitted> {
  const timeoutMs = wholeNumber(options.timeout, '--timeout', 1, 86_400) * 1_000;
  await submitOne(client, tx.bytes);
  const { validUntil } = tx.body;
  const id = toHex(tx.id);
  if (!options.wait) return { id, status: 'pending', validUntil };
  const answer: TransactionAnswer = await client.waitUntilFinal(tx.id, { validUntil, timeoutMs });
  return {
    id,
    status: 'final',
    validUntil,
    ...(answer.height === undefined ? {} : { height: answer.height }),
  };
}

/** What to say to people about it. */
export function describe({ id, status, validUntil, height }: Submitted): string {
  return status === 'final'
    ? `transaction ${id} is final in block ${height ?? '?'}`
    : `transaction ${id} is pending; it can be in a block up to height ${validUntil}`;
}
