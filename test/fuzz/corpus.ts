/**
 * The corpus: `test/fuzz/corpus/<target>/<name>.hex`, one input a file. What once broke a property stays here for
 * good and is played again by every `npm test`.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bytes, fromHex, toHex } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';

/** From the root of the project. */
const ROOT = 'test/fuzz/corpus';

interface Kept {
  readonly target: string;
  readonly file: string;
  readonly input: Bytes;
}

export async function readCorpus(): Promise<Kept[]> {
  const kept: Kept[] = [];
  const targets = await readdir(ROOT).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const target of targets.sort()) {
    for (const name of (await readdir(join(ROOT, target))).sort()) {
      const file = join(ROOT, target, name);
      kept.push({ target, file, input: fromHex((await readFile(file, 'utf8')).replace(/\s/g, '')) });
    }
  }
  return kept;
}

/** Keeps an input; returns its file. */
export async function keep(target: string, input: Bytes): Promise<string> {
  const directory = join(ROOT, target);
  await mkdir(directory, { recursive: true });
  const file = join(directory, `${toHex(sha256(input)).slice(0, 12)}.hex`);
  await writeFile(file, `${toHex(input)}\n`);
  return file;
}
