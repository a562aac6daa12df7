/**
 * The disk of the journal and of the outbox on real files: one directory, append-only segments, `fdatasync` for
 * contents and `fsync` of the directory for names. The files that are written to stay open.
 */
import { constants, type FileHandle, open, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Bytes } from '../codec/bytes.ts';
import type { Disk } from '../consensus/journal/disk.ts';
import { makeDirectory } from '../system/directory.ts';
import { type FailPoint, failPoint } from './fail-points.ts';

export class FileDisk implements Disk {
  readonly #directory: string;
  readonly #handles = new Map<string, FileHandle>();
  readonly #overwritten = new Map<string, FileHandle>();
  readonly #failPoints: boolean;

  private constructor(directory: string, failPoints: boolean) {
    this.#directory = directory;
    this.#failPoints = failPoints;
  }

  /**
   * Opens the directory, which is made (readable by its owner only) if need be. The journal's has the journal's
   * fail points; others have their own.
   */
  static async open(directory: string, { failPoints = true } = {}): Promise<FileDisk> {
    await makeDirectory(directory);
    return new FileDisk(directory, failPoints);
  }

  #pass(point: FailPoint): void {
    if (this.#failPoints) failPoint(point);
  }

  #path(name: string): string {
    if (basename(name) !== name) throw new Error(`not a plain file name: ${name}`);
    return join(this.#directory, name);
  }

  async #handle(name: string): Promise<FileHandle> {
    const known = this.#handles.get(name);
    if (known !== undefined) return known;
    const handle = await open(this.#path(name), 'a', 0o600);
    this.#handles.set(name, handle);
    return handle;
  }

  async #release(name: string): Promise<void> {
    const handle = this.#handles.get(name);
    this.#handles.delete(name);
    await handle?.close();
  }

  async list(): Promise<readonly string[]> {
    return (await readdir(this.#directory)).sort();
  }

  async size(name: string): Promise<number> {
    return (await stat(this.#path(name))).size;
  }

  async read(name: string, offset: number, length: number): Promise<Bytes> {
    const handle = await open(this.#path(name), 'r');
    try {
      const { size } = await handle.stat();
      const out = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let at = 0;
      while (at < out.length) {
        const { bytesRead } = await handle.read(out, at, out.length - at, offset + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return out.subarray(0, at);
    } finally {
      await handle.close();
    }
  }

  async append(name: string, bytes: Bytes): Promise<void> {
    this.#pass('journal.before-append');
    const handle = await this.#handle(name);
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
      at += bytesWritten;
    }
    this.#pass('journal.after-append');
  }

  async overwrite(name: string, bytes: Bytes): Promise<void> {
    let handle = this.#overwritten.get(name);
    if (handle === undefined) {
      handle = await open(this.#path(name), constants.O_RDWR | constants.O_CREAT, 0o600);
      this.#overwritten.set(name, handle);
    }
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, at);
      at += bytesWritten;
    }
    this.#pass('journal.after-overwrite');
  }

  async truncate(name: string, length: number): Promise<void> {
    await truncate(this.#path(name), length);
  }

  async sync(name: string): Promise<void> {
    await (await this.#handle(name)).datasync();
    this.#pass('journal.after-sync');
  }

  async rename(from: string, to: string): Promise<void> {
    this.#pass('journal.before-rename');
    await this.#release(from);
    await this.#release(to);
    await rename(this.#path(from), this.#path(to));
    this.#pass('journal.after-rename');
  }

  async remove(name: string): Promise<void> {
    this.#pass('journal.before-remove');
    await this.#release(name);
    await rm(this.#path(name), { force: true });
  }

  async syncDirectory(): Promise<void> {
    const handle = await open(this.#directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async close(): Promise<void> {
    for (const name of [...this.#handles.keys()]) await this.#release(name);
    for (const handle of this.#overwritten.values()) await handle.close();
    this.#overwritten.clear();
  }
}
