import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/codec/bytes.ts';
import { decodeAccount, decodeBounty } from '../../src/ledger/entries.ts';
import { BlockExecutor } from '../../src/ledger/executor.ts';
import { addressKey, placeOfBounty, TYPE_ACCOUNT, TYPE_BOUNTY, typeRange } from '../../src/ledger/keys.ts';
import { queueQuota } from '../../src/ledger/parameters.ts';
import { readFeePool, readSupply } from '../../src/ledger/read.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { type Claim, KIND_TRANSFER, OUTPUT_BOUNTY, type Output } from '../../src/tx/types.ts';
import { Model } from './model.ts';
import {
  advert,
  answer,
  bounty,
  claims,
  codeOf,
  generator,
  named,
  PARAMETERS,
  pay,
  TestChain,
  transfer,
} from './support.ts';

const NAMES = Array.from({ length: 9 }, (_, i) => `person ${i}`);
const parameters = { ...PARAMETERS, maxBlockBytes: 1_200, leastBounty: 10_000n };

/** Everything that both ledgers hold, in words. */
function portrait(chain: TestChain): unknown {
  const accounts: string[] = [];
  for (const { key, value } of chain.state.entries(...Object.values(typeRange(TYPE_ACCOUNT)))) {
    accounts.push(`${toHex(key)} ${decodeAccount(value)}`);
  }
  const bounties: string[] = [];
  for (const { key, value } of chain.state.entries(...Object.values(typeRange(TYPE_BOUNTY)))) {
    const b = decodeBounty(value);
    const { tagHash, id } = placeOfBounty(key);
    const closedAt = b.status === 'open' ? 0 : b.closedAt;
    bounties.push(`${toHex(tagHash)} ${toHex(id)} ${b.status} ${b.amount} ${b.claimUntil} ${closedAt}`);
  }
  return { accounts, bounties, feePool: readFeePool(chain.state), burned: readSupply(chain.state).burned };
}

function modelPortrait(model: Model, addresses: ReadonlyMap<string, string>): unknown {
  const accounts = [...model.balances]
    .map(([address, balance]) => `${addresses.get(address)} ${balance}`)
    .sort();
  const bounties = model.bounties
    .map((b) => `${b.tagHash} ${b.id} ${b.status} ${b.amount} ${b.claimUntil} ${b.closedAt}`)
    .sort();
  return { accounts, bounties, feePool: model.feePool, burned: model.burned };
}

class History {
  readonly #next: (below: number) => number;
  readonly #old: CheckedTransaction[] = [];
  readonly #posted: { readonly tx: CheckedTransaction; readonly index: number }[] = [];

  constructor(seed: number) {
    this.#next = generator(seed);
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#next(list.length)]!;
  }

  #chance(oneIn: number): boolean {
    return this.#next(oneIn) === 0;
  }

  #amount(): bigint {
    const scale = this.#one([1, 100, 9_000, 12_000, 60_000, 300_000]);
    return BigInt(1 + this.#next(scale));
  }

  #output(height: number): Output {
    const kind = this.#next(8);
    if (kind === 0) return advert();
    if (kind < 4) return pay(this.#one(NAMES), this.#amount());
    const claimFrom = this.#chance(3) ? height + this.#next(15) - 5 : 0;
    const until = Math.max(claimFrom, height) + this.#one([9, 10, 10, 10, 11, 12, 15, 20, 41, 60, 61]);
    return bounty({
      tag: named(`tag ${this.#next(3)}`),
      claimKey: named(`key ${this.#next(4)}`),
      nonce: named(`nonce ${this.#next(2)}`),
      payee: this.#chance(3) ? named(this.#one(NAMES)) : undefined,
      amount: (this.#chance(12) ? 10_000n : 25_000n) + this.#amount(),
      claimFrom: Math.max(0, claimFrom),
      claimUntil: this.#chance(3) ? until : Math.ceil(until / 20) * 20,
      refundTo: named(this.#one(NAMES)),
    });
  }

  #claims(height: number): CheckedTransaction {
    const list = new Map<string, Claim>();
    for (let n = 1 + this.#next(4); n > 0; n--) {
      const { tx, index } = this.#one(this.#posted.slice(-25));
      const right = answer(tx, index);
      const wrong: Partial<Claim> = this.#one([
        {},
        {},
        {},
        {},
        { claimKey: named('flipped') },
        { destination: named(this.#one(NAMES)) },
        { tag: named('no tag') },
        { bountyId: named(`none ${n}`) },
      ]);
      const claim = { ...right, ...wrong };
      list.set(toHex(claim.bountyId), claim);
    }
    return claims(height + this.#next(10), [...list.values()]);
  }

  transaction(height: number): CheckedTransaction {
    if (this.#old.length > 0 && this.#chance(12)) return this.#one(this.#old);
    if (this.#posted.length > 0 && this.#chance(6)) return this.#claims(height);
    const outputs = Array.from({ length: 1 + this.#next(3) }, () => this.#output(height));
    const from = this.#one(NAMES);
    const second = this.#one(NAMES);
    const inputs =
      this.#chance(4) && second !== from ? [{ address: named(second), amount: 1n + this.#amount() }] : [];
    const validUntil = Math.max(0, height + this.#one([-1, 0, 1, 5, 5, 5, 8, 8, 10, 11]));
    const fee = this.#chance(10) ? BigInt(300 + this.#next(300)) : undefined;
    const plan = { from, inputs, outputs, validUntil, ...(fee === undefined ? {} : { fee }) };
    try {
      return transfer(plan, parameters);
    } catch {
      // The second input alone would cover it, or a window is impossible: plain payments are always possible.
      return transfer({ from, outputs: [pay(second, 20_000n)], validUntil }, parameters);
    }
  }

  remember(tx: CheckedTransaction): void {
    this.#old.push(tx);
    const { body } = tx.decode();
    if (body.kind !== KIND_TRANSFER) return;
    body.outputs.forEach((output, index) => {
      if (output.type === OUTPUT_BOUNTY) this.#posted.push({ tx, index });
    });
  }
}

describe('random histories', () => {
  it('agree with the second model to the unit, refusals included', () => {
    const codes = new Map<string, number>();
    let fullQuotas = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const accounts = NAMES.slice(0, 6).map((name, i) => ({ name, amount: 20_000n + BigInt(i) * 900_000n }));
      const chain = new TestChain({ parameters, accounts });
      const model = new Model(
        parameters,
        accounts.map(({ name, amount }) => [named(name), amount] as const),
      );
      const addresses = new Map(
        [...NAMES, 'steward'].map((name) => [toHex(named(name)), toHex(addressKey(named(name)))]),
      );
      const history = new History(seed);
      for (let height = 1; height <= 70; height++) {
        const builder = new BlockExecutor(chain.state, chain.next);
        builder.begin();
        model.beginBlock();
        const taken: CheckedTransaction[] = [];
        for (let n = 0; n < 7; n++) {
          const tx = history.transaction(height);
          const code = codeOf(() => builder.tryTransaction(tx));
          expect(code, `seed ${seed}, height ${height}`).toBe(model.transaction(tx));
          codes.set(code, (codes.get(code) ?? 0) + 1);
          if (code !== 'ok') continue;
          taken.push(tx);
          history.remember(tx);
        }
        const built = builder.finish();
        const applied = chain.block(...taken);
        expect(applied.changes).toEqual(built.changes);
        if (applied.expired.length === queueQuota(parameters)) fullQuotas++;
        expect(portrait(chain), `seed ${seed}, height ${height}`).toEqual(modelPortrait(model, addresses));
      }
    }
    expect(fullQuotas, 'expiries were carried over').toBeGreaterThan(2);
    const every = [
      ['ok', 'BLOCK_FULL', 'TX_EXPIRED', 'TX_TOO_FAR', 'TX_REPLAY', 'TX_FEE_LOW', 'TX_OVERSPENT', 'TX_DUST'],
      ['TX_BOUNTY_AMOUNT', 'TX_BOUNTY_WINDOW', 'TX_BOUNTY_TOO_FAR', 'BOUNTY_UNKNOWN', 'BOUNTY_CLOSED'],
      ['BOUNTY_NOT_YET', 'CLAIM_KEY_MISMATCH', 'CLAIM_PAYEE_MISMATCH'],
    ].flat();
    for (const code of every) expect(codes.get(code) ?? 0, `${code} occurs`).toBeGreaterThan(2);
  });
});
