/**
 * Which certificates have just gone to or come from which peers. Every node passes on each certificate that is news
 * to it, so without this a view costs as many copies as there are pairs of nodes. A note is good for a second only:
 * whoever lost a certificate gets it again from the next repetition, which is never held back.
 */
import type { Certificate } from '../consensus/types.ts';
import { subjectView } from '../consensus/vote.ts';

const FRESH_MS = 1_000;
const MAX_CERTIFICATES = 64;

export class Exchanged {
  readonly #now: () => number;
  readonly #at = new Map<string, Map<string, number>>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** `peer` has the certificate, or one of the same kind and view, which serves as well. */
  note(peer: string, certificate: Certificate): void {
    const key = keyOf(certificate);
    const peers = this.#at.get(key) ?? new Map<string, number>();
    peers.set(peer, this.#now());
    this.#at.set(key, peers);
    for (const oldest of this.#at.keys()) {
      if (this.#at.size <= MAX_CERTIFICATES) break;
      this.#at.delete(oldest);
    }
  }

  has(peer: string, certificate: Certificate): boolean {
    const at = this.#at.get(keyOf(certificate))?.get(peer);
    return at !== undefined && this.#now() - at < FRESH_MS;
  }
}

function keyOf({ subject }: Certificate): string {
  return `${subject.kind} ${subjectView(subject)}`;
}
