/**
 * Memory: the JavaScript heap against its own limit, and the process against the limit of its container. Both end
 * a process without a word when they are reached, so the node says early how close they are. Garbage that is not
 * collected yet counts as used: only what stays over several looks is a warning.
 */
import type { Finding, Watcher } from './finding.ts';

const LOOKS = 3;
const MIB = 1024 * 1024;

export interface MemoryUse {
  readonly heapUsed: number;
  readonly heapLimit: number;
  readonly resident: number;
  /** Of the container; undefined where there is none. */
  readonly residentLimit: number | undefined;
}

export interface MemoryOptions {
  /** Share of a limit that is too much, 0 to 1. */
  readonly warnShare: number;
  readonly look: () => MemoryUse;
}

export class MemoryWatcher implements Watcher {
  readonly name = 'memory';
  readonly #o: MemoryOptions;
  #heap = 0;
  #resident = 0;

  constructor(options: MemoryOptions) {
    this.#o = options;
  }

  check(): readonly Finding[] {
    const { warnShare } = this.#o;
    const { heapUsed, heapLimit, resident, residentLimit } = this.#o.look();
    this.#heap = heapUsed > warnShare * heapLimit ? this.#heap + 1 : 0;
    const limit = residentLimit ?? Number.POSITIVE_INFINITY;
    this.#resident = resident > warnShare * limit ? this.#resident + 1 : 0;
    const parts: string[] = [];
    const mib = (bytes: number): number => Math.round(bytes / MIB);
    if (this.#heap >= LOOKS) {
      parts.push(
        `the heap holds ${mib(heapUsed)} of at most ${mib(heapLimit)} MiB: raise it with NODE_OPTIONS=--max-old-space-size=<MiB>`,
      );
    }
    if (this.#resident >= LOOKS) {
      parts.push(
        `the process holds ${mib(resident)} of the ${mib(limit)} MiB that its container may use: give it more`,
      );
    }
    if (parts.length === 0) return [];
    return [{ code: 'MEMORY_LOW', level: 'warn', message: parts.join('; ') }];
  }
}
