/**
 * What owner, steward and narrator ask of a node besides what the command line asks: final blocks as they come,
 * their transactions, supply, and proofs. A node's answers are checked field by field and bounded; what they
 * *prove* is for src/light to judge.
 */
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { ApiClient } from '../cli/client.ts';
import { encodeAddress } from '../codec/address.ts';
import { type Bytes, fromHex, toHex } from '../codec/bytes.ts';
import { MAX_TRANSACTION_BYTES } from '../tx/types.ts';
import { request } from './http.ts';

const whole = z.number().int().nonnegative();
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const digits = z.string().regex(/^\d{1,20}$/);
const bytesUpTo = (most: number) =>
  z
    .string()
    .max(2 * most)
    .regex(/^([0-9a-f]{2})*$/)
    .transform((hex) => fromHex(hex));

const finality = z.looseObject({
  headers: z.array(bytesUpTo(1_024)).min(1).max(512),
  certificate: bytesUpTo(1 << 18),
});

const stateProof = z.looseObject({ height: whole, proof: bytesUpTo(4 << 20), finality });
const transactionProofSchema = z.looseObject({
  proof: z.looseObject({ bytes: bytesUpTo(MAX_TRANSACTION_BYTES), path: bytesUpTo(2_048), finality }),
});
const withProofSchema = z.looseObject({ proof: stateProof });

/** A transaction of a final block with its bytes and its path, and what makes the block final. */
export function transactionProof(client: ApiClient, id: Bytes) {
  return client
    .get(transactionProofSchema, `/v1/transactions/${toHex(id)}?proof=1`)
    .then(({ proof }) => proof);
}

/** Proof of all bounties of a tag. */
export function bountiesProof(client: ApiClient, tag: Bytes) {
  return client.get(withProofSchema, `/v1/tags/${toHex(tag)}/bounties?proof=1`).then(({ proof }) => proof);
}

/** Proof of an account's balance, or that there is none. */
export function accountProof(client: ApiClient, address: Bytes) {
  return client
    .get(withProofSchema, `/v1/accounts/${encodeAddress(address)}?proof=1`)
    .then(({ proof }) => proof);
}

const supplySchema = z.looseObject({
  height: whole,
  genesis: digits.transform(BigInt),
  minted: digits.transform(BigInt),
  burned: digits.transform(BigInt),
  balanced: z.boolean(),
});

export function supply(client: ApiClient) {
  return client.get(supplySchema, '/v1/supply');
}

const outputSchema = z.union([
  z.looseObject({ type: z.literal('advert'), tag: hex32, size: digits, offer: bytesUpTo(256) }),
  z.looseObject({ type: z.enum(['pay', 'bounty']) }),
]);
const blockSchema = z.looseObject({
  hash: hex32,
  height: whole,
  transactions: z.array(
    z.looseObject({
      id: hex32,
      kind: z.string().max(32),
      outputs: z.array(outputSchema).max(256).optional(),
    }),
  ),
});

export function finalBlock(client: ApiClient, height: number) {
  return client.get(blockSchema, `/v1/blocks/${height}`);
}

export interface Advert {
  readonly tag: Bytes;
  readonly size: bigint;
  readonly offer: Bytes;
}

/** The adverts in a final block. */
export async function advertsIn(client: ApiClient, height: number): Promise<Advert[]> {
  const { transactions } = await finalBlock(client, height);
  return transactions.flatMap(({ outputs = [] }) =>
    outputs.flatMap((output) =>
      output.type === 'advert'
        ? [{ tag: fromHex(output.tag), size: BigInt(output.size), offer: output.offer }]
        : [],
    ),
  );
}

const finalEventSchema = z.looseObject({
  height: whole,
  hash: hex32,
  view: whole,
  time: whole,
  transactions: whole,
  bytes: whole,
  finalityMs: z.number(),
});
export type FinalEvent = z.infer<typeof finalEventSchema>;

const MAX_EVENT_CHARACTERS = 65_536;
const RECONNECT_MS = 250;
/** A stream that says nothing for so long is opened again, whatever the pace of blocks is. */
const STREAM_SILENCE_MS = 120_000;

async function* eventsOf(url: string, signal: AbortSignal): AsyncGenerator<FinalEvent> {
  const answer = await request(new URL('/v1/blocks/stream', url), { signal, silenceMs: STREAM_SILENCE_MS });
  answer.setEncoding('utf8');
  let text = '';
  for await (const chunk of answer as AsyncIterable<string>) {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    if (text.length > MAX_EVENT_CHARACTERS) return;
    for (const line of lines) {
      if (line.startsWith('data: ')) yield finalEventSchema.parse(JSON.parse(line.slice(6)));
    }
  }
}

/**
 * Final blocks from now on, as the node at `url` tells them, until `signal` is aborted. When the stream breaks
 * it is opened again; blocks in between are not told, so who needs every block looks at the heights.
 */
export async function* finalBlocks(url: string, signal: AbortSignal): AsyncGenerator<FinalEvent> {
  while (!signal.aborted) {
    try {
      yield* eventsOf(url, signal);
    } catch {
      // Asked again below: the node may be starting, stopping, or not there for a moment.
    }
    if (!signal.aborted) await delay(RECONNECT_MS, undefined, { signal }).catch(() => {});
  }
}
