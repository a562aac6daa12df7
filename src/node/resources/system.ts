/** What the watchers ask of the system, in one place: everything here reads, nothing here decides. */
import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import type { MemoryUse } from './memory.ts';

/** More than any container has: what a system without a limit reports. */
const NO_LIMIT = 2 ** 52;

/** Free bytes that an unprivileged process may use on the file system of `path`. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** How many files and sockets this process may open; undefined for no limit, or where the system does not tell. */
export async function fileHandleLimit(): Promise<number | undefined> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const [, soft] = /^Max open files\s+(\d+)/m.exec(text) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

export async function openFileHandles(): Promise<number | undefined> {
  const names = await readdir('/proc/self/fd').catch(() => undefined);
  return names?.length;
}

export function memoryUse(): MemoryUse {
  const { used_heap_size: heapUsed, heap_size_limit: heapLimit } = getHeapStatistics();
  const limit = process.constrainedMemory();
  return {
    heapUsed,
    heapLimit,
    resident: process.memoryUsage.rss(),
    residentLimit: limit !== undefined && limit > 0 && limit < NO_LIMIT ? limit : undefined,
  };
}

/** Bytes of the files in a directory, which has no directories in it; what goes away meanwhile counts nothing. */
export async function directoryBytes(path: string): Promise<number> {
  let total = 0;
  for (const name of await readdir(path).catch((): string[] => [])) {
    total += await stat(join(path, name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return total;
}
