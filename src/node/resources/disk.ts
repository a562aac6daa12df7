/**
 * Free space where the data directory is, and where parts of it are that were put on disks of their own: the scarcest
 * counts. Below one figure it warns; below another it asks for a clean stop while
 * there is still room for what a stop and the next start write: the database may flush 64 MiB of memory and compact
 * some files, the journal may begin a new segment of 64 MiB or more.
 */
import type { Finding, Watcher } from './finding.ts';

const MIB = 1024 * 1024;

export interface DiskOptions {
  /** Where the node writes. The first is there; others may be made later. */
  readonly paths: readonly [string, ...string[]];
  /** Free bytes below which it warns. */
  readonly warnBytes: number;
  /** Free bytes below which the node stops; 0: never. */
  readonly stopBytes: number;
  /** Free bytes that this process may use at a path. */
  readonly free: (path: string) => Promise<number>;
}

export class DiskWatcher implements Watcher {
  readonly name = 'disk';
  readonly #o: DiskOptions;
  #free = Number.NaN;

  constructor(options: DiskOptions) {
    this.#o = options;
  }

  /** Free bytes at the last look; NaN before the first. */
  get free(): number {
    return this.#free;
  }

  async check(): Promise<readonly Finding[]> {
    const { warnBytes, stopBytes } = this.#o;
    const { path, free } = await this.#scarcest();
    this.#free = free;
    const mib = (bytes: number): number => Math.floor(bytes / MIB);
    const where = `${mib(free)} MiB are free on the disk of ${path}`;
    if (free < stopBytes) {
      return [
        {
          code: 'DISK_LOW',
          level: 'stop',
          message: `${where}, the node needs ${mib(stopBytes)} to be safe: make room, then start it again; nothing that is final is lost`,
        },
      ];
    }
    if (free >= warnBytes) return [];
    const stops = stopBytes === 0 ? '' : `; at ${mib(stopBytes)} the node stops`;
    return [{ code: 'DISK_LOW', level: 'warn', message: `${where}: make room${stops}` }];
  }

  async #scarcest(): Promise<{ readonly path: string; readonly free: number }> {
    const [first, ...others] = this.#o.paths;
    let scarcest = { path: first, free: await this.#o.free(first) };
    for (const path of others) {
      const free = await this.#o.free(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return Number.POSITIVE_INFINITY;
        throw error;
      });
      if (free < scarcest.free) scarcest = { path, free };
    }
    return scarcest;
  }
}
