/**
 * The same exploration without any of its reductions but the table of local states: every step of every validator is
 * a step of the whole, nobody is interchangeable, nothing is put off. Only for instances small enough to compare both.
 */
import { HONEST, type Instance } from './instance.ts';
import { LocalSpace } from './locals.ts';

const key = (ids: readonly number[]): number => (ids[0]! * 2 ** 17 + ids[1]!) * 2 ** 17 + ids[2]!;

/** What the three can have sent, in every state that can be reached. */
export function plainSentVectors(instance: Instance): Set<string> {
  const spaces = HONEST.map((self) => new LocalSpace(instance, self));
  const vectors = new Set<string>();
  const seen = new Set([key([0, 0, 0])]);
  const stack = [[0, 0, 0]];
  for (let ids = stack.pop(); ids !== undefined; ids = stack.pop()) {
    const a = spaces.map((space, i) => space.sentA[ids![i]!]!);
    const f = spaces.map((space, i) => space.sentF[ids![i]!]!);
    vectors.add(spaces.map((_, i) => `${a[i]}/${f[i]}`).join());
    instance.events.forEach((event, at) => {
      const when = 'when' in event ? event.when : undefined;
      if (when !== undefined && !canCome(instance, when, a, f)) return;
      for (const i of HONEST) {
        const next = [...ids!];
        next[i] = spaces[i]!.step(ids![i]!, at);
        if (seen.has(key(next))) continue;
        seen.add(key(next));
        stack.push(next);
      }
    });
  }
  return vectors;
}

/** Counts heads where the search takes majorities of words. */
function canCome(
  instance: Instance,
  when: { readonly word: number; readonly bit: number },
  a: readonly number[],
  f: readonly number[],
): boolean {
  const has = (word: number): boolean => Math.floor(word / 2 ** when.bit) % 2 === 1;
  if (when.word === 0) return a.filter(has).length + 1 >= 3;
  if (when.word === 1) return f.filter(has).length + 1 >= 3;
  if (when.word > 2) return has((when.word % 2 === 1 ? a : f)[Math.floor((when.word - 3) / 2)]!);
  const view = when.bit > 28 ? when.bit - 28 : instance.blocks[when.bit]!.view;
  return has(a[instance.leader(view)] ?? 0);
}
