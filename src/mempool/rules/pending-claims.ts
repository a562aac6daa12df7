/**
 * One claims transaction waits for each bounty and destination (`CLAIM_PENDING`), and few destinations for each
 * bounty (`CLAIM_DESTINATIONS`): a claim pays nothing of its own, and in open mode whoever holds the data could
 * else make any number of them. So there are never more claims transactions than a few an open bounty. Only
 * claims that are open count, so nobody without the data can keep a place.
 */
import { keyOf } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import { KIND_CLAIMS, KIND_TRANSFER } from '../../tx/types.ts';
import type { Candidate, Entry, FinalBlock, MempoolLimits, Rule } from '../types.ts';

export class PendingClaimsRule implements Rule {
  readonly #maxDestinations: number;
  readonly #byPair = new Map<string, Entry>();
  readonly #byBounty = new Map<string, Set<Entry>>();

  constructor(limits: MempoolLimits) {
    this.#maxDestinations = limits.maxDestinationsPerBounty;
  }

  admit({ entry }: Candidate): void {
    for (const { pair, bounty } of entry.sweeps) {
      if (this.#byPair.has(pair)) {
        throw new ProtocolError(
          'CLAIM_PENDING',
          'a claim of this destination on one of these bounties waits already; leave it out, or wait for the next block',
        );
      }
      if ((this.#byBounty.get(bounty)?.size ?? 0) >= this.#maxDestinations) {
        throw new ProtocolError(
          'CLAIM_DESTINATIONS',
          `claims of ${this.#maxDestinations} other destinations on one of these bounties wait already`,
        );
      }
    }
  }

  entered(entry: Entry): void {
    for (const { pair, bounty } of entry.sweeps) {
      this.#byPair.set(pair, entry);
      const waiting = this.#byBounty.get(bounty);
      if (waiting === undefined) this.#byBounty.set(bounty, new Set([entry]));
      else waiting.add(entry);
    }
  }

  left(entry: Entry): void {
    for (const { pair, bounty } of entry.sweeps) {
      this.#byPair.delete(pair);
      const waiting = this.#byBounty.get(bounty);
      waiting?.delete(entry);
      if (waiting?.size === 0) this.#byBounty.delete(bounty);
    }
  }

  /** Claims on bounties that others have swept are judged anew. */
  finalised({ transactions, rejudge }: FinalBlock): void {
    const rivals = new Set<Entry>();
    for (const tx of transactions) {
      if (tx.kind !== KIND_CLAIMS) continue;
      const { body } = tx.decode();
      if (body.kind === KIND_TRANSFER) continue;
      for (const { bountyId } of body.claims)
        for (const entry of this.#byBounty.get(keyOf(bountyId)) ?? []) rivals.add(entry);
    }
    for (const entry of rivals) rejudge(entry);
  }
}
