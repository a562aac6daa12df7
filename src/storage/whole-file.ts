/** Files that are either not there or whole, whatever happens while they are written. */
import { access, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Writes text for everybody to read. What was at `path` is replaced at once, when the new text is on the disk. */
export async function writeWholeFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
