/**
 * Load with known totals: payments between accounts that nobody else touches, at a slow pace, each through a random node
 * that answers, now and then one of the past once more through another node. The book holds what every payment takes and
 * gives, so that what every account must have follows from the list of those that are final, without asking the ledger.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Genesis, type GenesisAccount, genesisHash } from '../../src/chain/genesis.ts';
import type { ApiClient } from '../../src/cli/client.ts';
import { type Bytes, toHex, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { SigningKey } from '../../src/crypto/interfaces.ts';
import type { SigningKeyFactory } from '../../src/crypto/keys.ts';
import { planTransfer, signTransaction } from '../../src/tx/build.ts';
import { OUTPUT_PAY } from '../../src/tx/types.ts';
import type { Prng } from '../simulator/prng.ts';

const PAYERS = 8;
const RECEIVERS = 24;
const FUNDS = 1_000_000_000_000n;
const PAUSE_MS = 200;
const MOST_IN_FLIGHT = 16;
/** Blocks before a payment expires. */
const VALIDITY = 40;
const REMEMBERED = 200;

interface Payment {
  readonly from: string;
  /** What the sender's account loses: amounts and fee. */
  readonly cost: bigint;
  readonly outputs: readonly { readonly to: string; readonly amount: bigint }[];
}

/** What every payment takes and gives, by id, and what that makes of the accounts. Keys and ids are hex. */
export class TotalsBook {
  readonly #start: ReadonlyMap<string, bigint>;
  readonly #payments = new Map<string, Payment>();

  /** `start`: what the accounts have at the genesis; one that is not named has nothing. */
  constructor(start: readonly GenesisAccount[]) {
    this.#start = new Map(start.map(({ address, amount }) => [toHex(address), amount]));
  }

  add(id: string, payment: Payment): void {
    this.#payments.set(id, payment);
  }

  has(id: string): boolean {
    return this.#payments.has(id);
  }

  /** What each account must have if exactly these payments are final. */
  balances(final: Iterable<string>): Map<string, bigint> {
    const out = new Map(this.#start);
    const change = (account: string, by: bigint): void => {
      out.set(account, (out.get(account) ?? 0n) + by);
    };
    for (const id of final) {
      const payment = this.#payments.get(id);
      if (payment === undefined) continue;
      change(payment.from, -payment.cost);
      for (const { to, amount } of payment.outputs) change(to, amount);
    }
    return out;
  }
}

/** The accounts that pay; every network has a genesis of its own, so they may be the same in all. */
function payerKeys(factory: SigningKeyFactory): SigningKey[] {
  return Array.from({ length: PAYERS }, (_, i) => factory(sha256(utf8(`chaos payer ${i}`))));
}

export function payerAccounts(factory: SigningKeyFactory): GenesisAccount[] {
  return payerKeys(factory).map(({ publicKey }) => ({ address: publicKey, amount: FUNDS }));
}

export interface TransfersOptions {
  readonly genesis: Genesis;
  readonly factory: SigningKeyFactory;
  readonly prng: Prng;
  /** Nodes that answer now. */
  readonly doors: () => readonly ApiClient[];
  readonly height: () => number;
}

export interface Built {
  readonly id: string;
  readonly bytes: Bytes;
  readonly validUntil: number;
}

export class Transfers {
  readonly book: TotalsBook;
  readonly counts = { sent: 0, repeats: 0, unanswered: 0 };
  readonly refusals: Record<string, number> = {};
  /** Ids that a node took on. Most become final; in a long fault one may lose the race with its `validUntil`. */
  readonly accepted = new Set<string>();
  /** After this height no payment made so far can be in a block. */
  lastHeight = 0;
  readonly #options: TransfersOptions;
  readonly #genesisHash: Bytes;
  readonly #payers: readonly SigningKey[];
  readonly #receivers: readonly Bytes[];
  readonly #inFlight = new Set<Promise<unknown>>();
  #past: Built[] = [];

  constructor(options: TransfersOptions) {
    this.#options = options;
    this.#genesisHash = genesisHash(options.genesis);
    this.#payers = payerKeys(options.factory);
    this.#receivers = Array.from({ length: RECEIVERS }, (_, i) => sha256(utf8(`chaos receiver ${i}`)));
    this.book = new TotalsBook(payerAccounts(options.factory));
  }

  /** Every account that the load pays from or to. */
  accounts(): Bytes[] {
    return [...this.#payers.map(({ publicKey }) => publicKey), ...this.#receivers];
  }

  /** Until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { prng, doors } = this.#options;
    while (!signal.aborted) {
      await delay(PAUSE_MS, undefined, { signal }).catch(() => undefined);
      const open = doors();
      if (signal.aborted || open.length === 0 || this.#inFlight.size >= MOST_IN_FLIGHT) continue;
      const again = this.#past.length > 0 && prng.chance(0.1);
      if (again) this.counts.repeats += 1;
      const sending = this.submit(prng.pick(open), again ? prng.pick(this.#past) : this.payment());
      this.#inFlight.add(sending);
      void sending.finally(() => this.#inFlight.delete(sending));
    }
    await Promise.all(this.#inFlight);
  }

  /** A new payment, entered in the book. */
  payment(): Built {
    const { prng, genesis, height } = this.#options;
    const key = prng.pick(this.#payers);
    const outputs = Array.from({ length: prng.int(1, 3) }, () => ({
      type: OUTPUT_PAY as typeof OUTPUT_PAY,
      to: prng.chance(0.2) ? prng.pick(this.#payers).publicKey : prng.pick(this.#receivers),
      amount: genesis.parameters.accountDeposit + BigInt(prng.int(1, 1_000_000)),
    }));
    const plan = {
      from: key.publicKey,
      outputs,
      validUntil: height() + VALIDITY,
      salt: prng.bytes(8),
    };
    const body = planTransfer(plan, genesis.parameters, genesis.parameters.baseFee);
    const { id, bytes } = signTransaction(body, this.#genesisHash, [key]);
    const built = { id: toHex(id), bytes, validUntil: plan.validUntil };
    this.book.add(built.id, {
      from: toHex(key.publicKey),
      cost: outputs.reduce((sum, { amount }) => sum + amount, body.fee),
      outputs: outputs.map(({ to, amount }) => ({ to: toHex(to), amount })),
    });
    this.counts.sent += 1;
    this.lastHeight = Math.max(this.lastHeight, plan.validUntil);
    this.#past.push(built);
    if (this.#past.length > REMEMBERED) this.#past = this.#past.slice(REMEMBERED / 2);
    return built;
  }

  /** Hands it to a node; true when the node has it, or has it in a block. */
  async submit(client: ApiClient, { id, bytes }: Built): Promise<boolean> {
    try {
      const [outcome] = await client.submit([bytes]);
      if (outcome?.status === 'pending') this.accepted.add(id);
      if (outcome?.status !== 'rejected') return outcome !== undefined;
      const code = outcome.code ?? 'without a code';
      this.refusals[code] = (this.refusals[code] ?? 0) + 1;
    } catch {
      this.counts.unanswered += 1;
    }
    return false;
  }

  /** What is wrong with the balances that a node tells, if exactly the payments `final` are. */
  async check(client: ApiClient, final: Iterable<string>): Promise<string[]> {
    const expected = this.book.balances(final);
    const wrong: string[] = [];
    for (const account of this.accounts()) {
      const { balance } = await client.account(account);
      const right = expected.get(toHex(account)) ?? 0n;
      if (balance !== right) wrong.push(`${toHex(account)} has ${balance}, its payments make ${right}`);
    }
    return wrong;
  }
}
