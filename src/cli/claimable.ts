/** Which bounties a steward goes for. */
import type { BountyAnswer, OpenBountyAnswer } from './client.ts';

/**
 * Of the bounties of one tag, those that `destination` can claim at `height`. Two with the same nonce both
 * count: anybody may repeat an owner's nonce, so passing over a repeat would let dust hide a real bounty.
 */
export function claimable(
  bounties: readonly BountyAnswer[],
  height: number,
  destination: string,
): OpenBountyAnswer[] {
  return bounties.filter(
    (bounty): bounty is OpenBountyAnswer =>
      bounty.status === 'open' &&
      bounty.claimFrom <= height &&
      height < bounty.claimUntil &&
      (bounty.payee === null || bounty.payee === destination),
  );
}
