/**
 * A disk that keeps only what it promised. What was not synced may vanish in a crash, wholly or from some
 * byte on; a file's creation, renaming or removal may too, as long as the directory was not synced. A crash
 * can be set on any operation to come, to strike just before or just after its effect.
 */
import type { Disk } from '../../src/consensus/journal/disk.ts';
import type { Prng } from './prng.ts';
import type { Scheduler } from './scheduler.ts';

interface File {
  bytes: Uint8Array;
  synced: number;
  /** What a file that is overwritten held when the machine last started. */
  before?: Uint8Array;
}

/** A crash in the middle of an operation: `onCrash` is called instead of the operation going on. */
export interface FailPoint {
  /** Operations from now on until it strikes; 0 is the next one. */
  countdown: number;
  readonly when: 'before' | 'after' | 'error';
}

export class SimDisk {
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  #files = new Map<string, File>();
  #durable = new Map<string, File>();
  #generation = 0;
  failPoint: FailPoint | undefined;
  onCrash: () => void = () => undefined;

  constructor(scheduler: Scheduler, random: Prng) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get totalBytes(): number {
    return [...this.#files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Loses what was not synced. Handles given out before are dead: their operations never end. */
  crash(): void {
    this.#generation++;
    this.failPoint = undefined;
    // Each change of the directory that was not synced may or may not have got through.
    const names = new Map(this.#durable);
    for (const [name, file] of this.#files) if (this.#random.chance(0.5)) names.set(name, file);
    for (const name of this.#durable.keys()) {
      if (!this.#files.has(name) && this.#random.chance(0.5)) names.delete(name);
    }
    for (const file of new Set(names.values())) {
      if (file.before !== undefined) {
        this.#settle(file, file.before);
        continue;
      }
      const unsynced = file.bytes.length - file.synced;
      const kept = this.#random.chance(0.3) ? unsynced : this.#random.int(0, unsynced);
      const bytes = file.bytes.slice(0, file.synced + kept);
      // The last bytes of a torn write may be garbage.
      if (kept > 0 && this.#random.chance(0.3)) bytes[bytes.length - 1]! ^= 0xff;
      file.bytes = bytes;
      file.synced = bytes.length;
    }
    this.#files = names;
    this.#durable = new Map(names);
  }

  /** Of a file that was overwritten: all of the new, some of it over the old, or none. */
  #settle(file: File, before: Uint8Array): void {
    const kept = this.#random.chance(0.5) ? file.bytes.length : this.#random.int(0, file.bytes.length);
    const bytes = new Uint8Array(Math.max(kept, before.length));
    bytes.set(before);
    bytes.set(file.bytes.subarray(0, kept));
    file.bytes = bytes;
    file.before = bytes;
  }

  /** The disk as a process sees it, until the next crash. */
  open(): Disk {
    const generation = this.#generation;
    const file = (name: string): File => {
      const found = this.#files.get(name);
      if (found === undefined) throw new Error(`no such file: ${name}`);
      return found;
    };
    const operate = async <T>(maxDelay: number, effect: () => T, mutates: boolean): Promise<T> => {
      await this.#scheduler.sleep(this.#random.float() * maxDelay);
      if (generation !== this.#generation) return new Promise(() => undefined);
      const point = mutates ? this.failPoint : undefined;
      const strikes = point !== undefined && point.countdown-- <= 0;
      if (strikes && point.when === 'error') {
        this.failPoint = undefined;
        throw new Error('EIO: input/output error');
      }
      const result = strikes && point.when === 'before' ? undefined : effect();
      if (strikes) {
        this.failPoint = undefined;
        this.onCrash();
        return new Promise(() => undefined);
      }
      return result as T;
    };
    return {
      list: () => operate(0.5, () => [...this.#files.keys()].sort(), false),
      size: (name) => operate(0.5, () => file(name).bytes.length, false),
      read: (name, offset, length) =>
        operate(0.5, () => file(name).bytes.slice(offset, offset + length), false),
      append: (name, bytes) =>
        operate(
          0.5,
          () => {
            const held = this.#files.get(name) ?? { bytes: new Uint8Array(0), synced: 0 };
            const grown = new Uint8Array(held.bytes.length + bytes.length);
            grown.set(held.bytes);
            grown.set(bytes, held.bytes.length);
            held.bytes = grown;
            this.#files.set(name, held);
          },
          true,
        ),
      overwrite: (name, bytes) =>
        operate(
          0.1,
          () => {
            const held = this.#files.get(name) ?? { bytes: new Uint8Array(0), synced: 0 };
            held.before ??= held.bytes;
            const grown = new Uint8Array(Math.max(held.bytes.length, bytes.length));
            grown.set(held.bytes);
            grown.set(bytes);
            held.bytes = grown;
            this.#files.set(name, held);
          },
          true,
        ),
      truncate: (name, length) =>
        operate(
          0.5,
          () => {
            const held = file(name);
            held.bytes = held.bytes.slice(0, length);
            held.synced = Math.min(held.synced, length);
          },
          true,
        ),
      sync: (name) =>
        operate(
          4,
          () => {
            const held = file(name);
            held.synced = held.bytes.length;
          },
          true,
        ),
      rename: (from, to) =>
        operate(
          0.5,
          () => {
            this.#files.set(to, file(from));
            this.#files.delete(from);
          },
          true,
        ),
      remove: (name) => operate(0.5, () => void this.#files.delete(name), true),
      syncDirectory: () =>
        operate(
          4,
          () => {
            this.#durable = new Map(this.#files);
          },
          true,
        ),
    };
  }
}
