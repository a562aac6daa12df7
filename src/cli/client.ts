/**
 * Client of a node's HTTP API. A node may be anybody's: every answer is bounded while it is read and checked
 * field by field, and a request ends after a time limit. What the node refuses becomes a `CommandError` with
 * the node's own code.
 */
import * as z from 'zod';
import { encodeAddress } from '../codec/address.ts';
import { type Bytes, toHex } from '../codec/bytes.ts';
import { Writer } from '../codec/writer.ts';
import { CommandError, EXIT, usageError } from './output.ts';

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 20_000;

const amount = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);
const whole = z.number().int().nonnegative();
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const address = z.string().max(90);

const statusSchema = z.looseObject({
  chainName: z.string().max(64),
  genesisHash: hex32,
  version: z.string().max(64),
  height: whole,
  blockHash: hex32,
  time: whole.max(8.64e15),
  view: whole,
  validators: whole,
  self: whole.nullable(),
  peers: z.array(z.looseObject({ id: z.string().max(200), validator: whole.nullable() })).max(10_000),
  syncing: z.boolean(),
  uptimeSeconds: z.number(),
  warnings: z
    .array(z.looseObject({ code: z.string().max(64), message: z.string().max(2_000), since: z.number() }))
    .max(64)
    .default([]),
  mempool: z.looseObject({ transactions: whole, bytes: whole }),
  parameters: z.looseObject({
    baseFee: amount,
    claimFee: amount,
    bountyDeposit: amount,
    leastBounty: amount,
    advertFee: amount,
    accountDeposit: amount,
    txLifetime: whole,
    leastClaimWindow: whole,
    longestClaimUntil: whole,
    blockInterval: whole,
  }),
});
export type ChainStatus = z.infer<typeof statusSchema>;

const accountSchema = z.looseObject({
  address,
  exists: z.boolean(),
  balance: amount,
  pending: amount,
  height: whole,
});
export type AccountAnswer = z.infer<typeof accountSchema>;

const outcomeSchema = z.looseObject({
  id: hex32.nullable(),
  status: z.enum(['pending', 'final', 'rejected']),
  code: z.string().max(64).optional(),
  reason: z.string().max(1_000).optional(),
});
export type SubmitAnswer = z.infer<typeof outcomeSchema>;
const submitSchema = z.looseObject({ results: z.array(outcomeSchema) });
const binarySchema = z.looseObject({
  accepted: whole,
  refused: z.array(z.looseObject({ ...outcomeSchema.shape, index: whole })),
});
export type BinarySubmitAnswer = z.infer<typeof binarySchema>;

const transactionSchema = z.looseObject({
  id: hex32,
  status: z.enum(['pending', 'final', 'expired', 'unknown', 'rejected']),
  height: whole.optional(),
  index: whole.optional(),
  code: z.string().max(64).optional(),
  reason: z.string().max(1_000).optional(),
});
export type TransactionAnswer = z.infer<typeof transactionSchema>;

const bountyTerms = { id: hex32, tag: hex32, nonce: hex32, amount, refundTo: address };
const openBountySchema = z.looseObject({
  ...bountyTerms,
  status: z.literal('open'),
  claimKey: hex32,
  payee: address.nullable(),
  claimFrom: whole,
  claimUntil: whole,
});
const bountySchema = z.discriminatedUnion('status', [
  openBountySchema,
  z.looseObject({
    ...bountyTerms,
    status: z.literal('claimed'),
    destination: address,
    transaction: hex32,
    height: whole,
  }),
  z.looseObject({ ...bountyTerms, status: z.literal('expired'), burned: amount, height: whole }),
]);
export type BountyAnswer = z.infer<typeof bountySchema>;
export type OpenBountyAnswer = z.infer<typeof openBountySchema>;
const PAGE = 100;
const bountiesSchema = z.looseObject({ height: whole, bounties: z.array(bountySchema).max(PAGE) });

const errorSchema = z.looseObject({
  error: z.looseObject({ code: z.string().max(64), message: z.string().max(2_000) }),
});

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let seen = 0;
  for await (const chunk of response.body ?? []) {
    seen += (chunk as Bytes).length;
    if (seen > MAX_ANSWER_BYTES) throw new Error(`its answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    text += decoder.decode(chunk as Bytes, { stream: true });
  }
  return text + decoder.decode();
}

export interface ClientOptions {
  readonly timeoutMs?: number;
  /** Ends whatever is asked or waited for, at once, with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
}

export interface WaitOptions {
  /** Last height at which the transaction can be in a block; lets the node say "expired". */
  readonly validUntil?: number | undefined;
  readonly timeoutMs: number;
  readonly pollMs?: number;
}

export class ApiClient {
  readonly url: string;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;
  readonly #signal: AbortSignal | undefined;

  /** `url` is the node's base address, `http://127.0.0.1:7070`. Throws a usage error for anything else. */
  constructor(url: string, options: ClientOptions = {}) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw usageError(
        `"${url.slice(0, 100)}" is not the address of a node`,
        'give one like http://127.0.0.1:7070',
      );
    }
    this.url = url.replace(/\/+$/, '');
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#fetch = options.fetch ?? fetch;
    this.#signal = options.signal;
  }

  async #request<T>(schema: z.ZodType<T>, path: string, init: RequestInit = {}): Promise<T> {
    let status: number;
    let text: string;
    // by hand: a signal that lives as long as the process would remember every request made under it
    const ended = new AbortController();
    const end = (): void => ended.abort(this.#signal?.reason);
    this.#signal?.throwIfAborted();
    const timer = setTimeout(
      () => ended.abort(new DOMException('no answer in time', 'TimeoutError')),
      this.#timeoutMs,
    );
    this.#signal?.addEventListener('abort', end, { once: true });
    try {
      const response = await this.#fetch(this.url + path, {
        ...init,
        redirect: 'error',
        signal: ended.signal,
      });
      status = response.status;
      text = await readBounded(response);
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw this.#unreachable(error);
    } finally {
      clearTimeout(timer);
      this.#signal?.removeEventListener('abort', end);
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.#notANode(`answered ${status} with something that is not JSON`);
    }
    const refusal = errorSchema.safeParse(value);
    if (refusal.success) {
      const { code, message } = refusal.data.error;
      throw new CommandError(status >= 500 ? EXIT.failed : EXIT.refused, code, message);
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      const where = parsed.error.issues[0]?.path.join('.') ?? '';
      throw this.#notANode(`answered ${path} without a proper "${where}"`);
    }
    return parsed.data;
  }

  #unreachable(error: unknown): CommandError {
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = timedOut
      ? `no answer within ${this.#timeoutMs / 1_000} s`
      : cause instanceof Error
        ? cause.message || cause.name
        : String(cause);
    return new CommandError(
      EXIT.unreachable,
      'API_UNREACHABLE',
      `no node answers at ${this.url}: ${why}`,
      'is it running? `kryder node` prints the address of its API; name another one with --api',
    );
  }

  #notANode(what: string): CommandError {
    return new CommandError(EXIT.unreachable, 'API_ANSWER', `${this.url} ${what}`, 'is this a kryder node?');
  }

  /** Any route that answers with JSON, checked against `schema`. */
  get<T>(schema: z.ZodType<T>, path: string): Promise<T> {
    return this.#request(schema, path);
  }

  status(): Promise<ChainStatus> {
    return this.#request(statusSchema, '/v1/status');
  }

  account(publicKey: Bytes): Promise<AccountAnswer> {
    return this.#request(accountSchema, `/v1/accounts/${encodeAddress(publicKey)}`);
  }

  /** Submits full transaction bytes; one outcome each, in their order. */
  async submit(transactions: readonly Bytes[]): Promise<SubmitAnswer[]> {
    const { results } = await this.#request(submitSchema, '/v1/transactions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ transactions: transactions.map(toHex) }),
    });
    if (results.length !== transactions.length)
      throw this.#notANode('answered for another number of transactions');
    return results;
  }

  /** The binary door, for many transactions at once: only refusals are listed. */
  submitBinary(transactions: readonly Bytes[]): Promise<BinarySubmitAnswer> {
    const w = new Writer(1 << 16).array(transactions.length);
    for (const bytes of transactions) w.bin(bytes);
    return this.#request(binarySchema, '/v1/transactions', {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: w.finish() as Uint8Array<ArrayBuffer>,
    });
  }

  transaction(id: Bytes, validUntil?: number): Promise<TransactionAnswer> {
    const query = validUntil === undefined ? '' : `?validUntil=${validUntil}`;
    return this.#request(transactionSchema, `/v1/transactions/${toHex(id)}${query}`);
  }

  /** All bounties of a tag, open and closed, page by page, at most `limit`. */
  async bounties(tag: Bytes, limit = 10_000): Promise<{ height: number; bounties: BountyAnswer[] }> {
    const bounties: BountyAnswer[] = [];
    for (;;) {
      const after = bounties.length === 0 ? '' : `&after=${bounties[bounties.length - 1]!.id}`;
      const page = await this.#request(
        bountiesSchema,
        `/v1/tags/${toHex(tag)}/bounties?limit=${PAGE}${after}`,
      );
      bounties.push(...page.bounties);
      if (page.bounties.length < PAGE || bounties.length >= limit) {
        return { height: page.height, bounties: bounties.slice(0, limit) };
      }
    }
  }

  /** Polls until a transaction is final. Throws `expired`, `rejected` or `WAIT_TIMEOUT` as a `CommandError`. */
  async waitUntilFinal(id: Bytes, options: WaitOptions): Promise<TransactionAnswer> {
    const { validUntil, timeoutMs, pollMs = 200 } = options;
    const end = Date.now() + timeoutMs;
    for (;;) {
      const answer = await this.transaction(id, validUntil);
      if (answer.status === 'final') return answer;
      if (answer.status === 'rejected') {
        throw new CommandError(
          EXIT.refused,
          answer.code ?? 'REJECTED',
          answer.reason ?? 'the transaction was refused',
        );
      }
      if (answer.status === 'expired') {
        throw new CommandError(
          EXIT.refused,
          'TX_EXPIRED',
          `transaction ${toHex(id)} expired at height ${validUntil ?? '?'} without having been in a block`,
          'it can never be in one now: send it again',
        );
      }
      if (Date.now() >= end) {
        throw new CommandError(
          EXIT.timeout,
          'WAIT_TIMEOUT',
          `transaction ${toHex(id)} is ${answer.status} after ${Math.round(timeoutMs / 1_000)} s`,
          `it may still become final: ask with \`kryder tx status ${toHex(id)}\``,
        );
      }
      this.#signal?.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}
