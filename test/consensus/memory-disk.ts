/** A journal's disk in memory, which can be copied, broken and made to fail. */
import type { Bytes } from '../../src/codec/bytes.ts';
import type { Disk } from '../../src/consensus/journal/disk.ts';

/** Files in memory; `failAfter` mutations it rejects everything. */
export class MemoryDisk implements Disk {
  readonly files = new Map<string, Bytes>();
  readonly operations: string[] = [];
  failAfter = Number.POSITIVE_INFINITY;

  #mutate(operation: string): void {
    if (this.operations.length >= this.failAfter) throw new Error('EIO');
    this.operations.push(operation);
  }
  async list() {
    return [...this.files.keys()];
  }
  async size(name: string) {
    return this.files.get(name)!.length;
  }
  async read(name: string, offset: number, length: number) {
    const file = this.files.get(name);
    if (file === undefined) throw new Error(`ENOENT ${name}`);
    return file.slice(offset, offset + length);
  }
  async append(name: string, bytes: Bytes) {
    this.#mutate(`append ${name}`);
    const held = this.files.get(name) ?? new Uint8Array(0);
    const grown = new Uint8Array(held.length + bytes.length);
    grown.set(held);
    grown.set(bytes, held.length);
    this.files.set(name, grown);
  }
  async overwrite(name: string, bytes: Bytes) {
    this.#mutate(`overwrite ${name}`);
    const held = this.files.get(name) ?? new Uint8Array(0);
    const grown = new Uint8Array(Math.max(held.length, bytes.length));
    grown.set(held);
    grown.set(bytes);
    this.files.set(name, grown);
  }
  async truncate(name: string, length: number) {
    this.#mutate(`truncate ${name}`);
    this.files.set(name, this.files.get(name)!.slice(0, length));
  }
  async sync(name: string) {
    this.#mutate(`sync ${name}`);
  }
  async rename(from: string, to: string) {
    this.#mutate(`rename ${from} ${to}`);
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }
  async remove(name: string) {
    this.#mutate(`remove ${name}`);
    this.files.delete(name);
  }
  async syncDirectory() {
    this.#mutate('sync directory');
  }
  /** The one segment that there is. */
  get segment(): string {
    return [...this.files.keys()].find((name) => name.startsWith('journal-'))!;
  }
  copy(): MemoryDisk {
    const other = new MemoryDisk();
    for (const [name, bytes] of this.files) other.files.set(name, bytes.slice());
    return other;
  }
}
