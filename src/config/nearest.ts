/** The name that somebody probably meant. */

/** Letters to change, add or leave out to get from one word to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The known name closest to `name`, case aside, if it is close enough to be a slip. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 80) return undefined;
  const ranked = known
    .map((candidate) => ({ candidate, letters: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.letters - b.letters);
  const best = ranked[0];
  return best !== undefined && best.letters <= Math.max(2, name.length / 4) ? best.candidate : undefined;
}
