/** The version of this package, as its package.json says. */
import { readFileSync } from 'node:fs';

/** From src/cli and from dist/src/cli. */
const PLACES = ['../../package.json', '../../../package.json'];

export function packageVersion(): string {
  for (const place of PLACES) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as { name?: string; version?: string };
      if (name === 'kryder' && version !== undefined) return version;
    } catch {
      // Not there: the other one is.
    }
  }
  return 'unknown';
}
