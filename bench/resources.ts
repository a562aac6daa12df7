/** What a process holds, as the kernel counts it, and what lies in a folder. Linux only: it reads /proc. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

const CLOCK_TICKS = 100;

export interface ProcessResources {
  /** Resident memory, bytes. */
  readonly rss: number;
  /** Open file descriptors: files, sockets and the runtime's own. */
  readonly handles: number;
  readonly threads: number;
  /** Processor time used since its start. */
  readonly cpuSeconds: number;
}

/** Throws when the process is gone, or the system has no /proc. */
export async function resourcesOf(pid: number): Promise<ProcessResources> {
  const [status, line, handles] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
  ]);
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
  // The second field is the command's name in brackets and may hold spaces; utime and stime are 14th and 15th.
  const numbers = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return {
    rss: field('VmRSS') * 1_024,
    handles: handles.length,
    threads: field('Threads'),
    cpuSeconds: (Number(numbers[11]) + Number(numbers[12])) / CLOCK_TICKS,
  };
}

/** Bytes of all files under a folder; what vanishes meanwhile counts nothing. */
export async function folderBytes(path: string): Promise<number> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries.map((entry) => {
      const full = join(path, entry.name);
      if (entry.isDirectory()) return folderBytes(full);
      return stat(full).then(
        ({ size }) => size,
        () => 0,
      );
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
