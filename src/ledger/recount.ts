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
  const count = new Array<number>(KEY_LENGTHS.length).fill(0);
  const findings: string[] = [];
  let accounts = 0n;
  let openBounties = 0n;
  let open = 0;
  let deposits = 0n;
  let feePool = 0n;
  let stakes = 0n;
  let supply: Supply = { genesis: 0n, minted: 0n, burned: 0n };
  // Bounties that still miss their place in a queue (+1), and places without their bounty (−1).
  const unmatched = new Map<string, number>();
  const match = (label: string, by: 1 | -1): void => {
    const sum = (unmatched.get(label) ?? 0) + by;
    if (sum === 0) unmatched.delete(label);
    else unmatched.set(label, sum);
  };

  for (const { key, value } of entries) {
    const type = typeOfKey(key);
    count[type]!++;
    if (type === TYPE_ACCOUNT) {
      const balance = decodeAccount(value);
      if (balance === 0n) findings.push(`account ${toHex(key)} holds nothing`);
      accounts += balance;
    } else if (type === TYPE_BOUNTY) {
      const bounty = decodeBounty(value);
      const place = placeOfBounty(key);
      const label = `${toHex(place.tagHash)}/${toHex(place.id)}`;
      deposits += bounty.deposit;
      if (bounty.status === 'open') {
        open++;
        openBounties += bounty.amount;
        match(`open ${label} until ${bounty.claimUntil}`, 1);
      } else match(`closed ${label}`, 1);
    } else if (type === TYPE_EXPIRY || type === TYPE_CLOSED) {
      const place = placeInQueue(key);
      const label = `${toHex(place.tagHash)}/${toHex(place.id)}`;
      const height = BigInt(`0x${toHex(key.subarray(1, 9))}`);
      match(type === TYPE_EXPIRY ? `open ${label} until ${height}` : `closed ${label}`, -1);
    } else if (key[2] === SINGLETON.supply[2]) supply = decodeSupply(value);
    else if (key[2] === SINGLETON.feePool[2]) feePool = decodeAmount(value);
    else if (key[2] === SINGLETON.validators[2]) {
      for (const { stake } of decodeValidators(value)) stakes += stake;
    }
  }

  for (const [label, sum] of unmatched) {
    findings.push(
      `${label}: ${sum > 0 ? 'a bounty without its place in a queue' : 'a queue without its bounty'}`,
    );
  }
  const total = accounts + openBounties + deposits + feePool + stakes;
  const due = supply.genesis + supply.minted - supply.burned;
  if (total !== due) findings.push(`entries hold ${total} µKRY, the counters say ${due}`);
  return {
    accounts: { count: count[TYPE_ACCOUNT]!, sum: accounts },
    openBounties: { count: open, sum: openBounties },
    closedBounties: count[TYPE_BOUNTY]! - open,
    deposits,
    feePool,
    stakes,
    total,
    supply,
    findings,
  };
}
