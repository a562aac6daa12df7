/** `kryder tx`: pays, and builds, signs and submits in separate steps for keys that are kept offline. */
import type { Command } from 'commander';
import { decodeAddress, encodeAddress } from '../../codec/address.ts';
import { formatKry, parseKry } from '../../codec/amount.ts';
import { type Bytes, fromHex, toHex } from '../../codec/bytes.ts';
import type { SigningKey } from '../../crypto/interfaces.ts';
import { readKeyFile } from '../../node/keys/key-file.ts';
import { reasonOf } from '../../system/problems.ts';
import { readText } from '../../system/text-file.ts';
import { planTransfer, signersOf, signTransaction } from '../../tx/build.ts';
import { decodeBody, decodeTransaction } from '../../tx/decode.ts';
import { encodeBody, transactionId } from '../../tx/encode.ts';
import { KIND_TRANSFER, OUTPUT_PAY, type TransferBody } from '../../tx/types.ts';
import { ApiClient, type ChainStatus } from '../client.ts';
import {
  type ApiOption,
  hex32,
  memoBytes,
  randomSalt,
  type WaitOption,
  wholeNumber,
  withApi,
  withWait,
} from '../options.ts';
import { type Answer, addCommand, usageError } from '../output.ts';
import { type KeyAccessOptions, keyAccess, withKeyAccess } from '../passphrase.ts';
import { describe, submitAndWait } from '../submit.ts';

interface Payment {
  readonly to: string;
  readonly amount: string;
  readonly memo?: string;
  readonly validUntil?: string;
  readonly salt?: string;
}

function withPayment(command: Command): Command {
  return command
    .requiredOption('--to <address>', 'who is paid (kry1…)')
    .requiredOption('--amount <kry>', 'how much, in KRY, like 1.5')
    .option('--memo <text>', 'a comment of at most 1 KiB, paid for by the byte')
    .option('--valid-until <height>', 'last height at which it may be in a block')
    .option('--salt <hex>', '8 bytes; the same salt and height replace a pending payment');
}

function planPayment(from: Bytes, payment: Payment, status: ChainStatus): TransferBody {
  const memo = memoBytes(payment.memo);
  const { parameters, height } = status;
  const latest = height + parameters.txLifetime;
  return planTransfer(
    {
      from,
      outputs: [{ type: OUTPUT_PAY, to: decodeAddress(payment.to), amount: parseKry(payment.amount) }],
      validUntil:
        payment.validUntil === undefined
          ? latest
          : wholeNumber(payment.validUntil, '--valid-until', height + 1, latest),
      salt: payment.salt === undefined ? randomSalt() : fromHex(payment.salt, 8),
      comment: memo === undefined ? undefined : { tag: undefined, nonce: undefined, memo },
    },
    parameters,
    parameters.baseFee,
  );
}

function summary(body: TransferBody): string[] {
  const [input] = body.inputs;
  const lines = body.outputs.map((output) =>
    output.type === OUTPUT_PAY
      ? `pays ${formatKry(output.amount)} KRY to ${encodeAddress(output.to)}`
      : `has a ${output.type === 1 ? 'bounty' : 'advert'} output`,
  );
  return [`from ${encodeAddress(input!.address)}`, ...lines, `fee ${formatKry(body.fee)} KRY`];
}

/** Longer than any transaction in hex. */
const MAX_HEX_FILE = 4 * 1024 ** 2;

/** Hex given at the command line, or in a file with `@path`. */
async function hexArgument(text: string): Promise<Bytes> {
  if (!text.startsWith('@')) return fromHex(text);
  const content = await readText(text.slice(1), MAX_HEX_FILE).catch((error: Error) => {
    throw usageError(`"${text.slice(1)}" cannot be read: ${reasonOf(error)}`);
  });
  return fromHex(content.trim());
}

function registerSend(tx: Command): void {
  addCommand<Payment & ApiOption & WaitOption & KeyAccessOptions & { key: string }>(tx, {
    usage: 'send',
    description: 'pay KRY from an account to an address',
    configure: (c) =>
      withWait(
        withApi(
          withPayment(withKeyAccess(c.requiredOption('--key <file>', 'key file of the account that pays'))),
        ),
      ),
    run: async (_, options) => {
      const { key } = await readKeyFile(options.key, 'account', keyAccess(options));
      const client = new ApiClient(options.api);
      const status = await client.status();
      const body = planPayment(key.publicKey, options, status);
      const built = signTransaction(body, fromHex(status.genesisHash), [key]);
      const outcome = await submitAndWait(client, built, options);
      return {
        json: { ...outcome, fee: body.fee, salt: body.salt },
        text: [...summary(body), describe(outcome)],
      };
    },
  });
}

function registerOffline(tx: Command): void {
  addCommand<Payment & ApiOption & { from: string }>(tx, {
    usage: 'build',
    description: 'build a payment without signing it',
    configure: (c) => withApi(withPayment(c.requiredOption('--from <address>', 'account that pays'))),
    run: async (_, options) => {
      const status = await new ApiClient(options.api).status();
      const body = planPayment(decodeAddress(options.from), options, status);
      const bytes = encodeBody(body);
      return {
        json: {
          id: transactionId(bytes),
          body: bytes,
          fee: body.fee,
          validUntil: body.validUntil,
          genesisHash: status.genesisHash,
        },
        text: [...summary(body), `sign it for genesis ${status.genesisHash}:`, toHex(bytes)],
      };
    },
  });

  addCommand<KeyAccessOptions & { key: string[]; genesis: string }>(tx, {
    usage: 'sign <body>',
    description: 'sign a body (hex, or @file) without a network; show what it does first',
    configure: (c) =>
      withKeyAccess(c)
        .requiredOption('--key <file...>', 'key files of all that must sign')
        .requiredOption('--genesis <hash>', 'genesis hash of the chain that it is for'),
    run: async ([text], options) => {
      const body = decodeBody(await hexArgument(text!));
      const access = keyAccess(options);
      const keys: SigningKey[] = [];
      // One by one: each may have to be asked for, and each takes a good deal of memory to open.
      for (const file of options.key) keys.push((await readKeyFile(file, undefined, access)).key);
      const built = signTransaction(body, hex32(options.genesis, '--genesis'), keys);
      const lines =
        body.kind === KIND_TRANSFER ? summary(body) : [`claims ${signersOf(body).length} bounties`];
      return {
        json: { id: built.id, transaction: built.bytes, validUntil: body.validUntil },
        text: [...lines, `transaction ${toHex(built.id)}:`, toHex(built.bytes)],
      };
    },
  });

  addCommand<ApiOption & WaitOption>(tx, {
    usage: 'submit <transaction>',
    description: 'submit a signed transaction (hex, or @file); doing it twice is harmless',
    configure: (c) => withWait(withApi(c)),
    run: async ([text], options): Promise<Answer> => {
      const bytes = await hexArgument(text!);
      const { body, bodyBytes } = decodeTransaction(bytes);
      const built = { body, bytes, id: transactionId(bodyBytes) };
      const outcome = await submitAndWait(new ApiClient(options.api), built, options);
      return { json: { ...outcome }, text: [describe(outcome)] };
    },
  });
}

export function register(program: Command): void {
  const tx = program.command('tx').description('transactions');
  registerSend(tx);
  registerOffline(tx);
  addCommand<ApiOption & { validUntil?: string }>(tx, {
    usage: 'status <id>',
    description: 'ask what became of a transaction: pending, final, expired, rejected or unknown',
    configure: (c) => withApi(c).option('--valid-until <height>', 'its last height, to be told "expired"'),
    run: async ([id], { api, validUntil }) => {
      const until =
        validUntil === undefined
          ? undefined
          : wholeNumber(validUntil, '--valid-until', 0, Number.MAX_SAFE_INTEGER);
      const answer = await new ApiClient(api).transaction(hex32(id!, 'the id'), until);
      const detail =
        answer.status === 'final'
          ? ` in block ${answer.height ?? '?'}`
          : answer.status === 'rejected'
            ? `: ${answer.reason ?? ''} (${answer.code ?? ''})`
            : '';
      return { json: answer, text: [`${answer.status}${detail}`] };
    },
  });
}
