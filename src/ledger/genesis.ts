/**
 * The entries of the account tree before the first block. What a genesis file says becomes state here and
 * nowhere else; the genesis hash is the first leaf of the boundary headers, so the root commits to it.
 */
import type { Bytes } from '../codec/bytes.ts';
import { invariant } from '../codec/errors.ts';
import {
  type BondedValidator,
  encodeAccount,
  encodeAmount,
  encodeSupply,
  encodeValidators,
} from './entries.ts';
import { Frontier } from './frontier.ts';
import { addressKey, SINGLETON } from './keys.ts';
import { headerLeaf } from './merkle.ts';
import { type ChainParameters, encodeParameters } from './parameters.ts';
import { sortByKey } from './state.ts';
import type { Entry } from './tree/trie.ts';

/** Supply stays below this, so that no sum of amounts comes near 2^64. */
const SUPPLY_LIMIT = 1n << 63n;

export interface GenesisState {
  readonly parameters: ChainParameters;
  readonly accounts: readonly { readonly address: Bytes; readonly amount: bigint }[];
  readonly validators: readonly BondedValidator[];
  readonly genesisHash: Bytes;
}

/** All entries, sorted by key, of a genesis that src/chain/genesis.ts found good. */
export function genesisEntries(genesis: GenesisState): Entry[] {
  const { parameters, accounts, validators, genesisHash } = genesis;
  let supply = 0n;
  for (const { amount } of accounts) supply += amount;
  for (const { stake } of validators) supply += stake;
  invariant(supply < SUPPLY_LIMIT, `a supply of ${supply} µKRY passes 2^63`);
  invariant(parameters.bountyDeposit >= parameters.accountDeposit, 'a bounty deposit opens an account');

  const entries: Entry[] = [
    { key: SINGLETON.parameters, value: encodeParameters(parameters) },
    { key: SINGLETON.supply, value: encodeSupply({ genesis: supply, minted: 0n, burned: 0n }) },
    { key: SINGLETON.feePool, value: encodeAmount(0n) },
    { key: SINGLETON.epochHeaders, value: Frontier.EMPTY.encode() },
    { key: SINGLETON.boundaries, value: Frontier.EMPTY.append(headerLeaf(genesisHash)).encode() },
    { key: SINGLETON.validators, value: encodeValidators(validators) },
    ...accounts.map(({ address, amount }) => ({ key: addressKey(address), value: encodeAccount(amount) })),
  ];
  return sortByKey(entries);
}
