/**
 * Who can be proved guilty: signers of two statements that no honest key signs both, taken from votes and
 * certificates that honest machines hold. Two conflicting finalizations must leave more than a third of the stake
 * in it.
 */
import type { Statement } from './reading.ts';

interface Signed {
  readonly notarized: Set<string>;
  readonly finalized: Set<string>;
  nullified: boolean;
}

export class Evidence {
  readonly #signed = new Map<string, Signed>();
  readonly #guilty = new Set<number>();

  /** Everybody who signed what excludes each other. */
  get guilty(): ReadonlySet<number> {
    return this.#guilty;
  }

  /** Takes a verified signature; tells why if it convicts its signer, for the first time or again. */
  add(signer: number, { kind, epoch, view, id }: Statement): string | undefined {
    const key = `${signer}/${epoch}/${view}`;
    let held = this.#signed.get(key);
    if (held === undefined) {
      held = { notarized: new Set(), finalized: new Set(), nullified: false };
      this.#signed.set(key, held);
    }
    let crime: string | undefined;
    if (kind === 'X') {
      if (held.nullified) return undefined;
      held.nullified = true;
    } else {
      const same = kind === 'N' ? held.notarized : held.finalized;
      if (same.has(id)) return undefined;
      same.add(id);
      if (same.size > 1) crime = `signed two ${kind} in view ${view}`;
    }
    if (kind !== 'N' && held.nullified && held.finalized.size > 0) crime ??= `signed X and F in view ${view}`;
    if (crime !== undefined) this.#guilty.add(signer);
    return crime;
  }
}
