/** Making directories. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a directory and those above it, as far as they are missing, for their owner alone. Throws the system's error,
 * `ENOTDIR` where a file is in the way. (The recursive mode of `mkdir` never returns under `/proc`.)
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const above = dirname(resolve(path));
    if (code === 'ENOENT' && above !== resolve(path)) {
      await makeDirectory(above);
      await mkdir(path, { mode: 0o700 });
    } else if (code !== 'EEXIST') {
      throw error;
    } else if (!(await stat(path)).isDirectory()) {
      throw Object.assign(new Error(`"${path}" is no directory`), { code: 'ENOTDIR', path });
    }
  }
}
