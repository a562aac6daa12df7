/**
 * Load that never stops: payments, adverts, bounties, claims of some of the bounties and none of others, at a pace
 * that leaves two cores room, each through a random node that answers; and now and then a transaction of the past once
 * more through another node, which must not be applied twice by a node that has just come back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Genesis } from '../../src/chain/genesis.ts';
import { genesisHash } from '../../src/chain/genesis.ts';
import type { ApiClient } from '../../src/cli/client.ts';
import { type Bytes, toHex, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { SigningKey } from '../../src/crypto/interfaces.ts';
import type { SigningKeyFactory } from '../../src/crypto/keys.ts';
import { type BuiltTransaction, planTransfer, signClaims, signTransaction } from '../../src/tx/build.ts';
import { challengeSeed } from '../../src/tx/challenge.ts';
import { bountyId } from '../../src/tx/encode.ts';
import { OUTPUT_ADVERT, OUTPUT_BOUNTY, OUTPUT_PAY, type Output } from '../../src/tx/types.ts';
import type { Prng } from '../simulator/prng.ts';

const PAYERS = 6;
const RECEIVERS = 40;
const PAUSE_MS = 45;
const MOST_IN_FLIGHT = 16;
/** Blocks before a transaction of the load expires. */
const VALIDITY = 20;
const REMEMBERED = 400;

/** The accounts that pay; the same for every run, since every network has a genesis of its own. */
export function payerKeys(factory: SigningKeyFactory): SigningKey[] {
  return Array.from({ length: PAYERS }, (_, i) => factory(sha256(utf8(`crash loop payer ${i}`))));
}

export interface LoadOptions {
  readonly genesis: Genesis;
  readonly factory: SigningKeyFactory;
  readonly prng: Prng;
  /** Nodes that answer now. */
  readonly doors: () => readonly ApiClient[];
  readonly height: () => number;
  /** True once the transaction is in a final block. */
  readonly isFinal: (id: string) => boolean;
}

interface OpenBounty {
  readonly txId: string;
  readonly id: Bytes;
  readonly tag: Bytes;
  readonly key: SigningKey;
  readonly claimUntil: number;
}

export class Load {
  readonly counts = { payments: 0, adverts: 0, bounties: 0, claims: 0, repeats: 0, unanswered: 0 };
  readonly refusals: Record<string, number> = {};
  /** Ids that a node took on. Most become final; a node that is down for long may lose the race with `validUntil`. */
  readonly accepted = new Set<string>();
  readonly #options: LoadOptions;
  readonly #genesisHash: Bytes;
  readonly #payers: readonly SigningKey[];
  readonly #steward: SigningKey;
  #toClaim: OpenBounty[] = [];
  #past: Bytes[] = [];
  #inFlight = new Set<Promise<void>>();

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#genesisHash = genesisHash(options.genesis);
    this.#payers = payerKeys(options.factory);
    this.#steward = options.factory(sha256(utf8('crash loop steward')));
  }

  /** Until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { prng, doors } = this.#options;
    while (!signal.aborted) {
      await delay(PAUSE_MS, undefined, { signal }).catch(() => undefined);
      const open = doors();
      if (open.length === 0 || this.#inFlight.size >= MOST_IN_FLIGHT) continue;
      const bytes = this.#next();
      this.#past.push(bytes);
      if (this.#past.length > REMEMBERED) this.#past = this.#past.slice(REMEMBERED / 2);
      const sending = this.#send(prng.pick(open), bytes);
      this.#inFlight.add(sending);
      void sending.finally(() => this.#inFlight.delete(sending));
    }
    await Promise.all(this.#inFlight);
  }

  async #send(client: ApiClient, bytes: Bytes): Promise<void> {
    try {
      const [outcome] = await client.submit([bytes]);
      if (outcome?.status === 'pending' && outcome.id !== null) this.accepted.add(outcome.id);
      if (outcome?.status !== 'rejected') return;
      const code = outcome.code ?? 'without a code';
      this.refusals[code] = (this.refusals[code] ?? 0) + 1;
    } catch {
      this.counts.unanswered += 1;
    }
  }

  #next(): Bytes {
    const { prng } = this.#options;
    const due = this.#dueClaim();
    if (due !== undefined) return due;
    const dice = prng.float();
    if (dice < 0.08 && this.#past.length > 0) {
      this.counts.repeats += 1;
      return prng.pick(this.#past);
    }
    if (dice < 0.2) return this.#bounty();
    if (dice < 0.25) return this.#advert();
    return this.#payment();
  }

  #transfer(outputs: readonly Output[]): BuiltTransaction {
    const { prng, genesis, height } = this.#options;
    const key = prng.pick(this.#payers);
    const plan = {
      from: key.publicKey,
      outputs,
      validUntil: height() + VALIDITY,
      salt: prng.bytes(8),
    };
    const body = planTransfer(plan, genesis.parameters, genesis.parameters.baseFee);
    return signTransaction(body, this.#genesisHash, [key]);
  }

  #payment(): Bytes {
    const { prng, genesis } = this.#options;
    this.counts.payments += 1;
    const amount = genesis.parameters.accountDeposit + BigInt(prng.int(1, 50_000));
    const to = sha256(utf8(`crash loop receiver ${prng.int(0, RECEIVERS - 1)}`));
    return this.#transfer([{ type: OUTPUT_PAY, to, amount }]).bytes;
  }

  #advert(): Bytes {
    const { prng } = this.#options;
    this.counts.adverts += 1;
    const size = BigInt(prng.int(1, 1_000_000));
    return this.#transfer([{ type: OUTPUT_ADVERT, tag: prng.bytes(32), size, offer: prng.bytes(20) }]).bytes;
  }

  /** Half of them are claimed later, the other half expires. */
  #bounty(): Bytes {
    const { prng, genesis, factory, height } = this.#options;
    const { leastBounty, leastClaimWindow } = genesis.parameters;
    this.counts.bounties += 1;
    const data = prng.bytes(100);
    const tag = sha256(data);
    const nonce = prng.bytes(32);
    const key = factory(challengeSeed(this.#genesisHash, nonce, tag, data));
    const claimUntil = height() + VALIDITY + leastClaimWindow + 1;
    const built = this.#transfer([
      {
        type: OUTPUT_BOUNTY,
        tag,
        nonce,
        claimKey: key.publicKey,
        payee: prng.chance(0.5) ? this.#steward.publicKey : undefined,
        amount: leastBounty + BigInt(prng.int(0, 100_000)),
        claimFrom: 0,
        claimUntil,
        refundTo: prng.pick(this.#payers).publicKey,
      },
    ]);
    if (prng.chance(0.5)) {
      this.#toClaim.push({ txId: toHex(built.id), id: bountyId(built.id, 0), tag, key, claimUntil });
    }
    return built.bytes;
  }

  #dueClaim(): Bytes | undefined {
    const { prng, isFinal, height } = this.#options;
    const now = height();
    this.#toClaim = this.#toClaim.filter(({ claimUntil }) => claimUntil > now + 2);
    const due = this.#toClaim.find(({ txId }) => isFinal(txId));
    if (due === undefined) return undefined;
    this.#toClaim = this.#toClaim.filter((bounty) => bounty !== due);
    this.counts.claims += 1;
    const { tag, id, key } = due;
    const claim = { tag, bountyId: id, key, destination: this.#steward.publicKey };
    return signClaims({ validUntil: now + VALIDITY, salt: prng.bytes(8), claims: [claim] }, this.#genesisHash)
      .bytes;
  }
}
