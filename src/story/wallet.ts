/** An account of the story: its key, the chain that it believes in, the node that it pays through. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Genesis, genesisHash } from '../chain/genesis.ts';
import type { ApiClient } from '../cli/client.ts';
import { randomSalt } from '../cli/options.ts';
import { submitAndWait } from '../cli/submit.ts';
import { type Bytes, toHex } from '../codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../codec/errors.ts';
import type { SigningKey } from '../crypto/interfaces.ts';
import { PLAIN_ACCESS, readKeyFile, writeKeyFile } from '../node/keys/key-file.ts';
import { isThere } from '../storage/whole-file.ts';
import { planTransfer, signTransaction } from '../tx/build.ts';
import type { Output } from '../tx/types.ts';

/** What `plan` may have been too late for: the next height gives the same thing another try. */
const TOO_LATE = ['TX_EXPIRED', 'TX_BOUNTY_WINDOW'];
const TRIES = 3;
const LEAST_WAIT_MS = 60_000;
const WAIT_BLOCKS = 30;

/** How long to wait for what should take a block or two. */
export function patience(genesis: Genesis): number {
  return Math.max(LEAST_WAIT_MS, WAIT_BLOCKS * genesis.parameters.blockInterval);
}

/** A new account key in `dir`, of nobody else's making. */
export function newAccountKey(dir: string): Promise<SigningKey> {
  const seed = new Uint8Array(randomBytes(32));
  return writeKeyFile(join(dir, 'account.key.json'), 'account', seed, 'plain');
}

/** The account key in `dir`; a new one where there is none. */
export async function accountKeyIn(dir: string): Promise<SigningKey> {
  const path = join(dir, 'account.key.json');
  return (await isThere(path)) ? (await readKeyFile(path, 'account', PLAIN_ACCESS)).key : newAccountKey(dir);
}

/** Throws `GENESIS_MISMATCH` unless the node serves the chain of this genesis. */
export async function checkChain(client: ApiClient, genesis: Genesis): Promise<void> {
  const status = await client.status();
  if (status.genesisHash !== toHex(genesisHash(genesis))) {
    throw new ProtocolError('GENESIS_MISMATCH', `${client.url} serves another chain: ${status.genesisHash}`);
  }
}

export interface Payment {
  readonly outputs: readonly Output[];
  /** Last height at which it may be in a block. */
  readonly validUntil: number;
}

export interface Paid extends Payment {
  readonly id: Bytes;
  readonly height: number;
}

/**
 * Pays what `plan` says for the chain's height, and waits until that is final. A plan that comes too late for
 * its own heights is made again: what has expired can never be in a block, so nothing is paid twice.
 */
export async function pay(
  wallet: { readonly genesis: Genesis; readonly key: SigningKey; readonly client: ApiClient },
  plan: (height: number) => Promise<Payment>,
): Promise<Paid> {
  const { genesis, key, client } = wallet;
  const hash = genesisHash(genesis);
  for (let attempt = 1; ; attempt++) {
    const { height } = await client.status();
    const payment = await plan(height);
    const body = planTransfer(
      { ...payment, from: key.publicKey, salt: randomSalt() },
      genesis.parameters,
      genesis.parameters.baseFee,
    );
    const built = signTransaction(body, hash, [key]);
    const timeout = String(Math.ceil(patience(genesis) / 1_000));
    try {
      const { height: at } = await submitAndWait(client, built, { wait: true, timeout });
      return { ...payment, id: built.id, height: at! };
    } catch (error) {
      if (attempt === TRIES || !TOO_LATE.some((code) => isProtocolError(error, code))) throw error;
      await delay(genesis.parameters.blockInterval);
    }
  }
}
