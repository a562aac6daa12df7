/**
 * A leader schedule from outside, without touching the rule that draws leaders: the seed of a validator set is
 * searched for under which the production draw names the wanted leaders in views 1, 2, …
 */
import { u64 } from '../../../src/codec/bytes.ts';
import { leaderOf } from '../../../src/consensus/leader.ts';
import type { ValidatorSet } from '../../../src/consensus/types.ts';

/** How many seeds are tried before the wanted schedule is called impossible. */
const MAX_ATTEMPTS = 2_000_000;

const found = new Map<string, Uint8Array>();

/**
 * `set` with the first seed (a counter in its first eight bytes) for which `leaderOf(set, v) === leaders[v − 1]`
 * for every view v that `leaders` names. With n equal stakes and k views about n^k seeds are tried. Throws a
 * RangeError if it finds none.
 */
export function withLeaders(set: ValidatorSet, leaders: readonly number[]): ValidatorSet {
  const key = `${set.validators.map(({ stake }) => stake).join()}:${leaders.join()}`;
  const known = found.get(key);
  if (known !== undefined) return { ...set, seed: known };
  const impossible = leaders.find((leader) => set.validators[leader] === undefined);
  if (impossible !== undefined) throw new RangeError(`${impossible} is none of the validators`);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const seed = new Uint8Array(32);
    seed.set(u64(attempt));
    const candidate = { ...set, seed };
    if (!leaders.every((leader, at) => leaderOf(candidate, at + 1) === leader)) continue;
    found.set(key, seed);
    return candidate;
  }
  throw new RangeError(`no seed makes ${leaders.join(', ')} the leaders`);
}
