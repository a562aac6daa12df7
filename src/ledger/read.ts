/**
 * Questions to a state, for interfaces: accounts, bounties, supply, parameters. Nothing here is a rule.
 */
import type { Bytes } from '../codec/bytes.ts';
import { invariant } from '../codec/errors.ts';
import { bountyTagHash } from '../tx/encode.ts';
import {
  type BondedValidator,
  type Bounty,
  decodeAccount,
  decodeAmount,
  decodeBounty,
  decodeSupply,
  decodeValidators,
  type Supply,
} from './entries.ts';
import { addressKey, bountiesRange, bountyKey, placeOfBounty, SINGLETON } from './keys.ts';
import { type ChainParameters, decodeParameters } from './parameters.ts';
import type { StateView } from './state.ts';
import { successor } from './tree/proof.ts';

function singleton(state: StateView, key: Bytes): Bytes {
  const value = state.get(key);
  invariant(value !== undefined, 'every state holds all singletons');
  return value;
}

export function readParameters(state: StateView): ChainParameters {
  return decodeParameters(singleton(state, SINGLETON.parameters));
}

export function readSupply(state: StateView): Supply {
  return decodeSupply(singleton(state, SINGLETON.supply));
}

export function readFeePool(state: StateView): bigint {
  return decodeAmount(singleton(state, SINGLETON.feePool));
}

export function readValidators(state: StateView): BondedValidator[] {
  return decodeValidators(singleton(state, SINGLETON.validators));
}

/** Balance of an address, or `undefined` when it has no account. */
export function getAccount(state: StateView, address: Bytes): bigint | undefined {
  const value = state.get(addressKey(address));
  return value === undefined ? undefined : decodeAccount(value);
}

export function getBounty(state: StateView, tag: Bytes, id: Bytes): Bounty | undefined {
  const value = state.get(bountyKey({ tagHash: bountyTagHash(tag), id }));
  return value === undefined ? undefined : decodeBounty(value);
}

interface ListedBounty {
  readonly id: Bytes;
  readonly bounty: Bounty;
}

export interface BountyPage {
  readonly bounties: readonly ListedBounty[];
  /** Give it as `after` for the next page; absent at the end. */
  readonly next: Bytes | undefined;
}

/** Bounties of a tag, open and closed, by ascending id. `after` is the last id of the page before. */
export function bountiesOfTag(
  state: StateView,
  tag: Bytes,
  page: { readonly after?: Bytes | undefined; readonly limit: number },
): BountyPage {
  const range = bountiesRange(tag);
  const from =
    page.after === undefined
      ? range.from
      : successor(bountyKey({ tagHash: bountyTagHash(tag), id: page.after }));
  const entries = state.ascend(from, range.to, page.limit + 1);
  const bounties = entries.slice(0, page.limit).map(({ key, value }) => ({
    id: placeOfBounty(key).id,
    bounty: decodeBounty(value),
  }));
  const last = bounties[bounties.length - 1];
  return { bounties, next: entries.length > page.limit ? last?.id : undefined };
}
