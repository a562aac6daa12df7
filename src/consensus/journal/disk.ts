/**
 * The byte-level disk under the journal: one directory of append-only files and one small file that is
 * overwritten. The node implements it on real
 * files, the simulator on a disk that loses what was not synced; framing and recovery are shared and stand
 * above it. Every method may reject; a rejection of a write, sync, rename or truncate ends the process, since
 * after a failed fsync nobody knows what is on the disk.
 */
import type { Bytes } from '../../codec/bytes.ts';

export interface Disk {
  /** Names of all files in the directory. */
  list(): Promise<readonly string[]>;
  size(name: string): Promise<number>;
  /** At most `length` bytes from `offset`; fewer only where the file ends. */
  read(name: string, offset: number, length: number): Promise<Bytes>;
  /** Appends, and creates the file if it is not there. */
  append(name: string, bytes: Bytes): Promise<void>;
  /**
   * Puts `bytes` in the place of as many at the file's beginning, and creates the file if it is not there. Survives the
   * end of the process; a crash of the machine may leave the old bytes, the new ones, or some of each.
   */
  overwrite(name: string, bytes: Bytes): Promise<void>;
  truncate(name: string, length: number): Promise<void>;
  /** Everything appended to the file so far survives a crash when this resolves. */
  sync(name: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Creations, renames and removals so far survive a crash when this resolves. */
  syncDirectory(): Promise<void>;
}
