/**
 * Checks around patched production source: each patch is one exact replacement, and one that no longer fits is an
 * error. A check that does not catch broken rules proves nothing by finding nothing.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export interface SourcePatch {
  /** Under src/consensus. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/**
 * The module with these `contents`, whose imports are resolved from `directory`, with the patches applied to all
 * that it draws in. Throws if one of them finds nothing to replace.
 */
export async function patchedModule<T>(
  contents: string,
  directory: URL,
  patches: readonly SourcePatch[],
): Promise<T> {
  const pending = new Set(patches);
  const bundle = await build({
    stdin: { contents, resolveDir: fileURLToPath(directory) },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'patch',
        setup: ({ onLoad }) => {
          onLoad({ filter: /[\\/]src[\\/]consensus[\\/].*\.ts$/ }, async ({ path }) => {
            let source = await readFile(path, 'utf8');
            for (const patch of patches) {
              if (!path.replaceAll('\\', '/').endsWith(`/src/consensus/${patch.file}`)) continue;
              if (!source.includes(patch.find)) throw new Error(`nothing to patch in ${patch.file}`);
              source = source.replace(patch.find, () => patch.replace);
              pending.delete(patch);
            }
            return { contents: source, loader: 'ts' };
          });
        },
      },
    ],
  });
  if (pending.size > 0) throw new Error(`patches were not applied: ${[...pending].map(({ file }) => file)}`);
  const folder = await mkdtemp(join(tmpdir(), 'kryder-patched-'));
  try {
    const file = join(folder, 'patched.mjs');
    await writeFile(file, bundle.outputFiles[0]!.contents);
    return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as T;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
