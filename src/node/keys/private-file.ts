/**
 * Files that hold a secret, or what must not be lost: mode 0600, never half written, never overwritten by
 * accident. A new file is written beside its place, synced, and put there in one step that fails where
 * something is there already; the directory is synced too, so that a crash leaves the whole file or none.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ProtocolError } from '../../codec/errors.ts';
import { reasonOf } from '../../system/problems.ts';

const MODE = 0o600;
const OTHERS = 0o077;

/** Throws the code of this kind of file, with its path in front of what is wrong. */
export type Refuse = (why: string) => never;

export function refuser(code: string, what: string, path: string): Refuse {
  return (why) => {
    throw new ProtocolError(code, `${what} "${path}": ${why}`);
  };
}

async function readBounded(file: FileHandle, most: number, refuse: Refuse): Promise<string> {
  // Sizes are not believed: what is read may be a pipe, or grow.
  const bytes = new Uint8Array(most + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
    if (length > most) refuse(`is too long: more than ${most} bytes`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
  } catch {
    // Putting signs in the place of what is none would make one passphrase of many.
    return refuse('is no text in UTF-8');
  }
}

/** The text of a file of at most `most` bytes that nobody but its owner can read, or undefined without one. */
export async function findPrivateFile(
  path: string,
  most: number,
  refuse: Refuse,
): Promise<string | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? undefined : refuse(reasonOf(error)),
  );
  if (file === undefined) return undefined;
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) refuse('is a directory');
    if (process.platform !== 'win32' && (stat.mode & OTHERS) !== 0) {
      refuse(`others can read it: run \`chmod 600 "${path}"\``);
    }
    return await readBounded(file, most, refuse);
  } finally {
    await file.close();
  }
}

/** The same where there must be one. */
export async function readPrivateFile(
  path: string,
  most: number,
  refuse: Refuse,
  missing = 'is not there',
): Promise<string> {
  return (await findPrivateFile(path, most, refuse)) ?? refuse(missing);
}

/** Names in the directory survive a crash when this resolves. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return; // a directory cannot be opened there
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeTemporary(path: string, text: string, refuse: Refuse): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  const file = await open(temporary, 'wx', MODE).catch((error: Error) => refuse(reasonOf(error)));
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return temporary;
}

/** Writes a new file; refuses where something is there already. */
export async function createPrivateFile(path: string, text: string, refuse: Refuse): Promise<void> {
  const temporary = await writeTemporary(path, text, refuse);
  try {
    // Unlike a rename, a link never replaces what is there.
    await link(temporary, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    refuse(code === 'EEXIST' ? 'exists already and is not overwritten' : reasonOf(error));
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(path));
}

/** Puts another content in the place of a file, in one step: at every moment one of the two is there, whole. */
export async function replacePrivateFile(path: string, text: string, refuse: Refuse): Promise<void> {
  const temporary = await writeTemporary(path, text, refuse);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    refuse(reasonOf(error));
  }
  await syncDirectory(dirname(path));
}
