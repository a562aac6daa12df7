/**
 * What could not be in the next block, alone in it, does not wait: the block executor judges every transaction
 * on the finalised state and gives its own code. For claims it also says which of them are open.
 */
import { concat, keyOf } from '../../codec/bytes.ts';
import { KIND_TRANSFER } from '../../tx/types.ts';
import type { Candidate, Entry, MempoolView, Rule, Sweep } from '../types.ts';

/** Judges a transaction; the open claims of it, for claims. */
export function judge(entry: Entry, view: MempoolView): readonly Sweep[] {
  const open = view.judge(entry.tx);
  if (!entry.isClaims) return [];
  const { body } = entry.tx.decode();
  const sweeps: Sweep[] = [];
  if (body.kind === KIND_TRANSFER) return sweeps;
  body.claims.forEach(({ bountyId, destination }, i) => {
    const claimUntil = open[i];
    if (claimUntil === undefined) return;
    sweeps.push({ bounty: keyOf(bountyId), pair: keyOf(concat(bountyId, destination)), claimUntil });
  });
  return sweeps;
}

export class ExecutorRule implements Rule {
  admit({ entry, view }: Candidate): void {
    const sweeps = judge(entry, view);
    if (entry.isClaims) entry.sweeps = sweeps;
  }
}
