/**
 * The accounts that a block has touched: balances as they stand, over what the parent state says. An account
 * that exists holds at least `accountDeposit`; one without an entry has the balance 0.
 *
 * A transfer is judged in two steps, so that a refusal changes nothing: `weigh` works out the net result of its
 * movements on the side, `settle` makes it the truth.
 */
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { Movement } from '../tx/check.ts';
import { decodeAccount, encodeAccount } from './entries.ts';
import { HashIndex } from './hash-index.ts';
import { accountKey } from './keys.ts';
import type { StateView } from './state.ts';
import type { Change } from './tree/trie.ts';

interface Account {
  readonly hash: Bytes;
  /** Balance in the parent state. */
  readonly before: bigint;
  balance: bigint;
  /** Balance after the movements being weighed; meaningful while `round` is the current one. */
  next: bigint;
  round: number;
}

export class AccountSet {
  readonly #state: StateView;
  readonly #deposit: bigint;
  readonly #index = new HashIndex();
  readonly #accounts: Account[] = [];
  readonly #touched: Account[] = [];
  #round = 0;

  constructor(state: StateView, accountDeposit: bigint) {
    this.#state = state;
    this.#deposit = accountDeposit;
  }

  #account(hash: Bytes): Account {
    const index = this.#index.insert(hash);
    const known = this.#accounts[index];
    if (known !== undefined) return known;
    const value = this.#state.get(accountKey(hash));
    const balance = value === undefined ? 0n : decodeAccount(value);
    const account = { hash, before: balance, balance, next: balance, round: 0 };
    this.#accounts.push(account);
    return account;
  }

  /** Balance of the account with this `accountHash`, 0n when it does not exist. */
  balance(hash: Bytes): bigint {
    return this.#account(hash).balance;
  }

  /**
   * Weighs movements: every debit must be covered by what its account holds before, an account left under the
   * deposit is closed, a new one under the deposit is refused. Returns the rests of closed accounts. Throws
   * `TX_OVERSPENT` or `TX_DUST`.
   */
  weigh(debits: readonly Movement[], credits: readonly Movement[]): bigint {
    const round = ++this.#round;
    const touched = this.#touched;
    touched.length = 0;
    for (const { account: hash, amount } of debits) {
      const account = this.#account(hash);
      const balance = account.round === round ? account.next : account.balance;
      if (amount > balance) {
        throw new ProtocolError(
          'TX_OVERSPENT',
          `an input takes ${amount} µKRY, its account holds ${balance}`,
        );
      }
      if (account.round !== round) {
        account.round = round;
        touched.push(account);
      }
      account.next = balance - amount;
    }
    for (const { account: hash, amount } of credits) {
      const account = this.#account(hash);
      if (account.round !== round) {
        account.round = round;
        account.next = account.balance;
        touched.push(account);
      }
      account.next += amount;
    }
    let rests = 0n;
    for (const account of touched) {
      if (account.next >= this.#deposit) continue;
      if (account.balance === 0n) {
        throw new ProtocolError(
          'TX_DUST',
          `a new account would hold ${account.next} µKRY, at least ${this.#deposit} are needed`,
        );
      }
      rests += account.next;
      account.next = 0n;
    }
    return rests;
  }

  /** Makes the result of the last `weigh` the balances. */
  settle(): void {
    for (const account of this.#touched) account.balance = account.next;
    this.#touched.length = 0;
  }

  /** Adds to an account, which comes into being if need be; the rules see to it that this suffices. */
  credit(hash: Bytes, amount: bigint): void {
    this.#account(hash).balance += amount;
  }

  /** Entries that differ from the parent state, in no order. */
  changes(): Change[] {
    const changes: Change[] = [];
    for (const { hash, before, balance } of this.#accounts) {
      if (balance === before) continue;
      changes.push({ key: accountKey(hash), value: balance === 0n ? undefined : encodeAccount(balance) });
    }
    return changes;
  }
}
