/**
 * A block in the making, as seen by the rules: entries changed so far over the parent state, accounts, and the
 * coins that moved. Rules for bounties and transfers write here; nothing else does.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { invariant } from '../codec/errors.ts';
import { AccountSet } from './accounts.ts';
import { decodeAmount, decodeSupply, encodeAmount, encodeSupply, type Supply } from './entries.ts';
import { Frontier } from './frontier.ts';
import { SINGLETON } from './keys.ts';
import { type StateView, sortByKey } from './state.ts';
import type { Change } from './tree/trie.ts';

function singleton(state: StateView, key: Bytes, what: string): Bytes {
  const value = state.get(key);
  invariant(value !== undefined, `the state has no ${what}`);
  return value;
}

export class WorkingSet {
  readonly parent: StateView;
  readonly accounts: AccountSet;
  readonly #entries = new Map<string, Change>();
  readonly #supply: Supply;
  readonly #feePool: bigint;
  readonly #epochHeaders: Frontier;
  /** All boundary headers, the genesis hash first. */
  readonly boundaries: Frontier;
  /** Headers of this epoch before the block. */
  epochHeaders: Frontier;
  /** µKRY burned in this block. */
  burned = 0n;
  /** µKRY that came to the fee pool in this block. */
  fees = 0n;

  constructor(parent: StateView, accountDeposit: bigint) {
    this.parent = parent;
    this.accounts = new AccountSet(parent, accountDeposit);
    this.#supply = decodeSupply(singleton(parent, SINGLETON.supply, 'supply'));
    this.#feePool = decodeAmount(singleton(parent, SINGLETON.feePool, 'fee pool'));
    this.#epochHeaders = Frontier.decode(singleton(parent, SINGLETON.epochHeaders, 'frontier of headers'));
    this.epochHeaders = this.#epochHeaders;
    this.boundaries = Frontier.decode(singleton(parent, SINGLETON.boundaries, 'frontier of boundaries'));
  }

  get(key: Bytes): Bytes | undefined {
    const change = this.#entries.get(keyOf(key));
    return change === undefined ? this.parent.get(key) : change.value;
  }

  put(key: Bytes, value: Bytes): void {
    this.#entries.set(keyOf(key), { key, value });
  }

  remove(key: Bytes): void {
    this.#entries.set(keyOf(key), { key, value: undefined });
  }

  /** Everything that differs from the parent state, sorted by key. */
  changes(): Change[] {
    const changes = this.accounts.changes();
    for (const change of this.#entries.values()) changes.push(change);
    if (this.burned > 0n) {
      const supply = { ...this.#supply, burned: this.#supply.burned + this.burned };
      changes.push({ key: SINGLETON.supply, value: encodeSupply(supply) });
    }
    if (this.fees > 0n) {
      changes.push({ key: SINGLETON.feePool, value: encodeAmount(this.#feePool + this.fees) });
    }
    if (this.epochHeaders !== this.#epochHeaders) {
      changes.push({ key: SINGLETON.epochHeaders, value: this.epochHeaders.encode() });
    }
    return sortByKey(changes);
  }
}
