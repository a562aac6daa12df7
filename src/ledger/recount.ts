/**
 * Conservation, counted anew: adds up every coin that stands in an entry, and checks that each bounty is in the
 * queue that its status asks for. It goes through all entries and knows their types, but shares no arithmetic
 * with the rules and does not trust the ledger's counters; those are only compared at the end.
 */
import { toHex } from '../codec/bytes.ts';
import {
  decodeAccount,
  decodeAmount,
  decodeBounty,
  decodeSupply,
  decodeValidators,
  type Supply,
} from './entries.ts';
import {
  KEY_LENGTHS,
  placeInQueue,
  placeOfBounty,
  SINGLETON,
  TYPE_ACCOUNT,
  TYPE_BOUNTY,
  TYPE_CLOSED,
  TYPE_EXPIRY,
  typeOfKey,
} from './keys.ts';
import type { Entry } from './tree/trie.ts';

export interface Recount {
  readonly accounts: { readonly count: number; readonly sum: bigint };
  readonly openBounties: { readonly count: number; readonly sum: bigint };
  readonly closedBounties: number;
  readonly deposits: bigint;
  readonly feePool: bigint;
  readonly stakes: bigint;
  /** All of the above together. */
  readonly total: bigint;
  /** The ledger's own counters. */
  readonly supply: Supply;
  /** What is wrong, in words; empty when coins and queues are in order. */
  readonly findings: readonly string[];
}

/** Counts a whole state, e.g. `state.entries()`; the entries come in any order. */
export function recount(entries: Iterable<Entry>): Recount {
  const counter = new Recounter();
  for (const entry of entries) counter.add(entry);
  return counter.result();
}

/** The same a piece at a time, for a node that has other work in between. */
export class Recounter {
  readonly #count = new Array<number>(KEY_LENGTHS.length).fill(0);
  readonly #findings: string[] = [];
  /** Bounties that still miss their place in a queue (+1), and places without their bounty (−1). */
  readonly #unmatched = new Map<string, number>();
  #accounts = 0n;
  #openBounties = 0n;
  #open = 0;
  #deposits = 0n;
  #feePool = 0n;
  #stakes = 0n;
  #supply: Supply = { genesis: 0n, minted: 0n, burned: 0n };

  #match(label: string, by: 1 | -1): void {
    const sum = (this.#unmatched.get(label) ?? 0) + by;
    if (sum === 0) this.#unmatched.delete(label);
    else this.#unmatched.set(label, sum);
  }

  add({ key, value }: Entry): void {
    const type = typeOfKey(key);
    this.#count[type]!++;
    if (type === TYPE_ACCOUNT) {
      const balance = decodeAccount(value);
      if (balance === 0n) this.#findings.push(`account ${toHex(key)} holds nothing`);
      this.#accounts += balance;
    } else if (type === TYPE_BOUNTY) {
      const bounty = decodeBounty(value);
      const place = placeOfBounty(key);
      const label = `${toHex(place.tagHash)}/${toHex(place.id)}`;
      this.#deposits += bounty.deposit;
      if (bounty.status === 'open') {
        this.#open++;
        this.#openBounties += bounty.amount;
        this.#match(`open ${label} until ${bounty.claimUntil}`, 1);
      } else this.#match(`closed ${label}`, 1);
    } else if (type === TYPE_EXPIRY || type === TYPE_CLOSED) {
      const place = placeInQueue(key);
      const label = `${toHex(place.tagHash)}/${toHex(place.id)}`;
      const height = BigInt(`0x${toHex(key.subarray(1, 9))}`);
      this.#match(type === TYPE_EXPIRY ? `open ${label} until ${height}` : `closed ${label}`, -1);
    } else if (key[2] === SINGLETON.supply[2]) this.#supply = decodeSupply(value);
    else if (key[2] === SINGLETON.feePool[2]) this.#feePool = decodeAmount(value);
    else if (key[2] === SINGLETON.validators[2]) {
      for (const { stake } of decodeValidators(value)) this.#stakes += stake;
    }
  }

  /** The sums, once every entry was added. */
  result(): Recount {
    const findings = [...this.#findings];
    for (const [label, sum] of this.#unmatched) {
      findings.push(
        `${label}: ${sum > 0 ? 'a bounty without its place in a queue' : 'a queue without its bounty'}`,
      );
    }
    const total = this.#accounts + this.#openBounties + this.#deposits + this.#feePool + this.#stakes;
    const due = this.#supply.genesis + this.#supply.minted - this.#supply.burned;
    if (total !== due) findings.push(`entries hold ${total} µKRY, the counters say ${due}`);
    return {
      accounts: { count: this.#count[TYPE_ACCOUNT]!, sum: this.#accounts },
      openBounties: { count: this.#open, sum: this.#openBounties },
      closedBounties: this.#count[TYPE_BOUNTY]! - this.#open,
      deposits: this.#deposits,
      feePool: this.#feePool,
      stakes: this.#stakes,
      total,
      supply: this.#supply,
      findings,
    };
  }
}
