/** A transaction waits no longer than its `validUntil` lets it be in the next block: `TX_EXPIRED`. */
import { ProtocolError } from '../../codec/errors.ts';
import type { Candidate, Entry, FinalBlock, Rule } from '../types.ts';

const EXPIRED = { code: 'TX_EXPIRED', message: 'its validUntil has passed without it being in a block' };

export class ExpiryRule implements Rule {
  readonly #byHeight = new Map<number, Set<Entry>>();

  admit({ entry, view }: Candidate): void {
    const { validUntil } = entry.tx;
    if (validUntil < view.nextHeight)
      throw new ProtocolError('TX_EXPIRED', `valid until height ${validUntil}, next is ${view.nextHeight}`);
  }

  entered(entry: Entry): void {
    const { validUntil } = entry.tx;
    const expiring = this.#byHeight.get(validUntil);
    if (expiring === undefined) this.#byHeight.set(validUntil, new Set([entry]));
    else expiring.add(entry);
  }

  left(entry: Entry): void {
    const expiring = this.#byHeight.get(entry.tx.validUntil);
    expiring?.delete(entry);
    if (expiring?.size === 0) this.#byHeight.delete(entry.tx.validUntil);
  }

  finalised({ view, drop }: FinalBlock): void {
    for (const [validUntil, entries] of this.#byHeight) {
      if (validUntil < view.nextHeight) for (const entry of [...entries]) drop(entry, EXPIRED);
    }
  }
}
