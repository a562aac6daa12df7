/**
 * Of transactions with the same first address, salt and `validUntil` one waits at most. A second one replaces
 * the first if it pays a tenth more, in all and by the byte, so that passing it on is paid for; else it is
 * refused: `TX_CONFLICT`. When one of them is final, the other leaves: `TX_REPLAY`.
 */
import { keyOf } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import type { Candidate, Entry, FinalBlock, Rule } from '../types.ts';

const STEP_PERCENT = 10n;
const REPLACED = { code: 'MEMPOOL_REPLACED', message: 'its sender replaced it by one with a higher fee' };
const REPLAYED = { code: 'TX_REPLAY', message: 'a transaction with the same salt is final' };

export class ReplacementRule implements Rule {
  readonly #byReplayKey = new Map<string, Entry>();

  admit({ entry, leaving }: Candidate): void {
    const old = this.#byReplayKey.get(entry.replayKey);
    if (old === undefined) return;
    const least = (old.tx.fee * (100n + STEP_PERCENT)) / 100n;
    if (entry.tx.fee <= least || entry.rate <= old.rate) {
      throw new ProtocolError(
        'TX_CONFLICT',
        `a transaction with the same salt waits; replacing it takes a fee over ${least} µKRY`,
      );
    }
    leaving.set(old, REPLACED);
  }

  entered(entry: Entry): void {
    this.#byReplayKey.set(entry.replayKey, entry);
  }

  left(entry: Entry): void {
    if (this.#byReplayKey.get(entry.replayKey) === entry) this.#byReplayKey.delete(entry.replayKey);
  }

  finalised({ foreign, drop }: FinalBlock): void {
    for (const tx of foreign) {
      const conflicting = this.#byReplayKey.get(keyOf(tx.replayKey));
      if (conflicting !== undefined) drop(conflicting, REPLAYED);
    }
  }
}
