/** Reading text files that somebody else may have made: never more of them than was said, whatever they are. */
import { open } from 'node:fs/promises';
import { ProtocolError } from '../codec/errors.ts';

/**
 * The text of a file (or pipe) of at most `most` bytes. Throws the system's error with the path in it, and
 * `FILE_TOO_LONG` or `FILE_NOT_TEXT`.
 */
export async function readText(path: string, most: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const parts: Buffer[] = [];
    let length = 0;
    for (;;) {
      const room = Buffer.allocUnsafe(Math.min(64 * 1024, most + 1 - length));
      const { bytesRead } = await file.read(room, 0, room.length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
      if (length > most) throw new ProtocolError('FILE_TOO_LONG', `"${path}" has more than ${most} bytes`);
      parts.push(room.subarray(0, bytesRead));
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
  } catch (error) {
    if (error instanceof TypeError) throw new ProtocolError('FILE_NOT_TEXT', `"${path}" is no text in UTF-8`);
    // Reading, unlike opening, does not say of what.
    throw error instanceof ProtocolError ? error : Object.assign(error as Error, { path });
  } finally {
    await file.close();
  }
}
