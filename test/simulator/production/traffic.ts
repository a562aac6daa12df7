/**
 * The chain of a run and what its users do: a genesis with small parameters, so that bounties expire and transactions
 * run out within a run, and a stream of transactions from the seed, good ones and such as are refused: payments,
 * bounties, claims, adverts, the same twice, over the balance, too late.
 */
import { DEVNET_PARAMETERS, type Genesis, genesisHash } from '../../../src/chain/genesis.ts';
import { type Bytes, utf8 } from '../../../src/codec/bytes.ts';
import { sha256 } from '../../../src/codec/hash.ts';
import type { SigningKey } from '../../../src/crypto/interfaces.ts';
import { type AnsweredClaim, planTransfer, signClaims, signTransaction } from '../../../src/tx/build.ts';
import { bountyId } from '../../../src/tx/encode.ts';
import { OUTPUT_ADVERT, OUTPUT_BOUNTY, OUTPUT_PAY, type Output } from '../../../src/tx/types.ts';
import type { Prng } from '../prng.ts';

export const GENESIS_TIME = 1_700_000_000_000;
const FUNDS = 50_000_000n;
const PARAMETERS = {
  ...DEVNET_PARAMETERS,
  txLifetime: 12,
  leastClaimWindow: 12,
  longestClaimUntil: 60,
  closedLifetime: 6,
};

export function makeGenesis(
  seed: number,
  timing: { readonly blockInterval: number; readonly delta: number; readonly executionBudget: number },
  validators: Genesis['validators'],
  accounts: readonly SigningKey[],
): Genesis {
  return {
    name: 'simulated',
    time: GENESIS_TIME,
    parameters: { ...PARAMETERS, ...timing },
    accounts: accounts.map(({ publicKey }) => ({ address: publicKey, amount: FUNDS })),
    validators,
    seed: sha256(utf8(`leaders ${seed}`)),
  };
}

/** A bounty that was posted and may be claimed. */
interface Posted {
  readonly tag: Bytes;
  readonly bountyId: Bytes;
  readonly key: SigningKey;
  readonly destination: Bytes;
}

export class Traffic {
  readonly #random: Prng;
  readonly #genesis: Genesis;
  readonly #genesisHash: Bytes;
  readonly #accounts: readonly SigningKey[];
  readonly #posted: Posted[] = [];
  readonly #sent: Bytes[] = [];

  constructor(random: Prng, genesis: Genesis, accounts: readonly SigningKey[]) {
    this.#random = random;
    this.#genesis = genesis;
    this.#genesisHash = genesisHash(genesis);
    this.#accounts = accounts;
  }

  /** The next transaction of a user who believes the chain to be at `height`. */
  next(height: number): Bytes {
    const random = this.#random;
    if (this.#sent.length > 0 && random.chance(0.1)) return random.pick(this.#sent);
    const bytes =
      this.#posted.length > 0 && random.chance(0.2) ? this.#claim(height) : this.#transfer(height);
    this.#sent.push(bytes);
    if (this.#sent.length > 64) this.#sent.shift();
    return bytes;
  }

  #validUntil(height: number): number {
    const { txLifetime } = this.#genesis.parameters;
    if (this.#random.chance(0.05)) return height + 2 * txLifetime;
    return Math.max(1, height + this.#random.int(0, txLifetime));
  }

  #transfer(height: number): Bytes {
    const random = this.#random;
    const from = random.pick(this.#accounts);
    const validUntil = this.#validUntil(height);
    const kind = random.int(0, 9);
    const over = random.chance(0.04) ? 1_000n * FUNDS : 0n;
    const claimKey = random.pick(this.#accounts);
    const tag = sha256(utf8(`blob ${random.int(0, 3)}`));
    const destination = random.pick(this.#accounts).publicKey;
    const pay: Output = {
      type: OUTPUT_PAY,
      to: random.chance(0.3) ? random.bytes(32) : random.pick(this.#accounts).publicKey,
      amount: over + BigInt(random.int(1, 60_000)),
    };
    const bounty: Output = {
      ...{ type: OUTPUT_BOUNTY, tag, nonce: random.bytes(32), claimKey: claimKey.publicKey },
      ...{
        payee: random.chance(0.5) ? destination : undefined,
        amount: 50_000n + BigInt(random.int(0, 90_000)),
      },
      ...{ claimFrom: height, claimUntil: height + random.int(10, 40), refundTo: from.publicKey },
    };
    const advert: Output = { type: OUTPUT_ADVERT, tag, size: 1_000n, offer: random.bytes(5) };
    const outputs = kind < 6 ? [pay] : kind < 9 ? [bounty] : [advert, pay];
    const plan = { from: from.publicKey, outputs, validUntil, salt: random.bytes(8) };
    const { id, bytes } = signTransaction(
      planTransfer(plan, this.#genesis.parameters, this.#genesis.parameters.baseFee),
      this.#genesisHash,
      [from],
    );
    if (kind >= 6 && kind < 9) {
      this.#posted.push({ tag, bountyId: bountyId(id, 0), key: claimKey, destination });
      if (this.#posted.length > 32) this.#posted.shift();
    }
    return bytes;
  }

  #claim(height: number): Bytes {
    const random = this.#random;
    const claims: AnsweredClaim[] = [random.pick(this.#posted)];
    return signClaims(
      { validUntil: this.#validUntil(height), salt: random.bytes(8), claims },
      this.#genesisHash,
    ).bytes;
  }
}
