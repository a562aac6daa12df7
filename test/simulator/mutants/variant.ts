/**
 * Deliberately broken variants of the code under test: the production source with a few exact replacements,
 * bundled together with whatever is to judge it. A patch has to fit in exactly one place: one that no longer
 * applies, or that would change more than it says, is an error and never a variant that does nothing.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export interface Patch {
  /** Under src/. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** The checkout, whether this file runs from it or from what was built of it. */
const root = ((): string => {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory)
      throw new Error('the variants are made from a checkout, and there is none here');
    directory = parent;
  }
  return directory;
})();

/** Throws unless the patch fits in exactly one place. */
function apply(source: string, { file, find, replace }: Patch): string {
  const places = source.split(find).length - 1;
  if (places !== 1)
    throw new Error(`a patch of src/${file} fits in ${places} places instead of one: ${find}`);
  return source.replace(find, () => replace);
}

/**
 * What `module` (a path under test/) exports when it is built on the patched source. Nothing is shared with the
 * code that runs here but npm's packages. Throws where a patch does not fit, or its file is not part of the module.
 */
export async function loadVariant<T>(module: string, patches: readonly Patch[]): Promise<T> {
  const pending = new Set(patches);
  const bundle = await build({
    entryPoints: [join(root, 'test', module)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    write: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'patch',
        setup: ({ onLoad }) => {
          onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
            let contents = await readFile(path, 'utf8');
            for (const patch of patches) {
              if (path !== join(root, 'src', patch.file)) continue;
              contents = apply(contents, patch);
              pending.delete(patch);
            }
            return { contents, loader: 'ts' };
          });
        },
      },
    ],
  });
  if (pending.size > 0) {
    throw new Error(`${module} does not contain ${[...pending].map(({ file }) => `src/${file}`).join(', ')}`);
  }
  // Beside the packages that it imports.
  await mkdir(join(root, 'dist'), { recursive: true });
  const directory = await mkdtemp(join(root, 'dist', 'variant-'));
  try {
    const file = join(directory, 'variant.mjs');
    await writeFile(file, bundle.outputFiles[0]!.contents);
    return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as T;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
