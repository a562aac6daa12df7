/**
 * Who may propose in a view: a stake-weighted draw from the epoch's seed and the view alone. It does not
 * depend on how the view was entered, so every node names the same leader without having seen anything.
 */
import { readU64, u64 } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { sha256 } from '../codec/hash.ts';
import type { ValidatorSet } from './types.ts';

const SPAN = 1n << 64n;

/**
 * Index of the leader of `view`. The first eight bytes of H(tag ‖ seed ‖ u64 view ‖ u64 attempt), big-endian,
 * are a number r; an r in the incomplete last multiple of the total stake W is thrown away and the next
 * attempt drawn, so r mod W has no bias. The leader is the first validator whose cumulated stake exceeds it.
 */
export function leaderOf(set: ValidatorSet, view: number): number {
  const limit = SPAN - (SPAN % set.totalStake);
  for (let attempt = 0; ; attempt++) {
    const draw = readU64(sha256(DOMAIN.leader, set.seed, u64(view), u64(attempt)), 0);
    if (draw >= limit) continue;
    let rest = draw % set.totalStake;
    let index = 0;
    for (const { stake } of set.validators) {
      if (rest < stake) return index;
      rest -= stake;
      index++;
    }
  }
}
