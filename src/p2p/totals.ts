/** Adds the counters in `more` to those in `totals`, name by name. */
export function addTo(totals: Map<string, number>, more: Record<string, number>): void {
  for (const [name, value] of Object.entries(more)) totals.set(name, (totals.get(name) ?? 0) + value);
}
