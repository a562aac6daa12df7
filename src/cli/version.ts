/** This package's own files, from the sources and from what the build makes of them. */
import { existsSync, readFileSync } from 'node:fs';

/** The package's folder, seen from src/cli and from dist/src/cli. */
const ROOTS = ['../../', '../../../'];

/** Location of a file at the top of this package. */
export function packageFile(name: string): URL {
  const roots = ROOTS.map((root) => new URL(root, import.meta.url));
  const root = roots.find((candidate) => existsSync(new URL('package.json', candidate))) ?? roots[0]!;
  return new URL(name, root);
}

/** The version that package.json says. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string };
  return version;
}
