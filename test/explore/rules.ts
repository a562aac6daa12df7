/**
 * What must hold of the certificates that can be made, judged from the votes that have left and with nothing of the
 * code under test. Words as in instance.ts; the Byzantine vote is there for everything, so two honest votes are enough.
 */
import type { Block, Instance } from './instance.ts';

/** True if the block is `ancestor` or descends from it. */
function descends(block: Block, ancestor: Block): boolean {
  let cursor: Block | undefined = block;
  while (cursor !== undefined && cursor.view > ancestor.view) cursor = cursor.parent;
  return cursor === ancestor;
}

/** Everything that is wrong with these certificates: `a` holds N and X, `f` holds F. */
export function broken({ blocks, views }: Instance, a: number, f: number): string[] {
  const found: string[] = [];
  const has = (word: number, bit: number): boolean => ((word >>> bit) & 1) === 1;
  const notarized = blocks.filter(({ id }) => has(a, id));
  const finalized = blocks.filter(({ id }) => has(f, id));
  for (let view = 1; view <= views; view++) {
    if (notarized.filter((block) => block.view === view).length > 1)
      found.push(`two notarizations in view ${view}`);
    const final = finalized.filter((block) => block.view === view);
    if (final.length > 1) found.push(`two finalizations in view ${view}`);
    if (final.length > 0 && has(a, 28 + view)) found.push(`X and F certificates in view ${view}`);
  }
  for (const final of finalized) {
    if (final.poisoned) found.push(`invalid block ${final.id} is final`);
    if (!has(a, final.id)) found.push(`block ${final.id} is final and not notarized`);
    for (const other of finalized) {
      if (other.id < final.id && !descends(final, other) && !descends(other, final)) {
        found.push(`blocks ${other.id} and ${final.id} are both final`);
      }
    }
    for (const other of notarized) {
      if (other.view > final.view && !descends(other, final)) {
        found.push(`block ${other.id} is notarized beside final block ${final.id}`);
      }
    }
    for (let block: Block | undefined = final; block !== undefined; block = block.parent) {
      for (let view = (block.parent?.view ?? 0) + 1; view < block.view; view++) {
        if (!has(a, 28 + view))
          found.push(`final block ${block.id} skips view ${view}, which nobody nullified`);
      }
    }
  }
  return [...new Set(found)];
}
