/**
 * A disk that keeps only what it promised. What was not synced may vanish when the power goes, wholly, from some
 * byte on or here and there; a file's creation, renaming or removal may too, as long as the directory was not
 * synced. Death or failure can be set on any operation to come, before, in the middle of or after its effect; the
 * disk can be full; and what was synced can rot.
 */
import type { Disk } from '../../src/consensus/journal/disk.ts';
import { Counters } from './counters.ts';
import type { Prng } from './prng.ts';
import type { Scheduler } from './scheduler.ts';

/** Room that a file is given with its first bytes. */
const FIRST_BYTES = 1_024;

/** Grows in place: a copy of the whole file an append would be most of what a run costs. */
class File {
  #buffer = new Uint8Array(0);
  #length = 0;
  synced = 0;
  /** What a file that is overwritten held when the machine last started. */
  before: Uint8Array | undefined;

  get length(): number {
    return this.#length;
  }

  /** A view that later writes change. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  replace(bytes: Uint8Array): void {
    this.#buffer = bytes.slice();
    this.#length = bytes.length;
  }

  write(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(2 * end, FIRST_BYTES));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, at);
    this.#length = Math.max(this.#length, end);
  }
}

export const OPERATIONS = [
  'append',
  'overwrite',
  'truncate',
  'sync',
  'rename',
  'remove',
  'sync-directory',
] as const;
type Operation = (typeof OPERATIONS)[number];

/** A death or a failure at one operation; after a death the operation never ends. */
export interface FailPoint {
  /** Operations from now on until it strikes; 0 is the next one. */
  countdown: number;
  readonly when: 'before' | 'during' | 'after' | 'error';
  /** Only operations of this kind count; undefined for any. */
  readonly operation?: Operation | undefined;
  /** The process alone dies: what it wrote stays. */
  readonly kill?: boolean | undefined;
}

export type Rot = 'flip' | 'cut' | 'gone';

/** The outcome of an operation that its process did not live to see. */
const DEAD = Symbol('dead');

const MARK = 'synced';
const SEGMENT = /^journal-\d+$/;

export class SimDisk {
  readonly counters: Counters;
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  #files = new Map<string, File>();
  #durable = new Map<string, File>();
  #generation = 0;
  failPoint: FailPoint | undefined;
  /** Appending and creating fail. */
  full = false;
  /** How many times slower than usual it is. */
  slowness = 1;
  onCrash: (kill: boolean) => void = () => undefined;

  constructor(scheduler: Scheduler, random: Prng, counters = new Counters()) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.counters = counters;
  }

  get totalBytes(): number {
    let sum = 0;
    for (const { length } of this.#files.values()) sum += length;
    return sum;
  }

  /** The process is gone, the machine is not. Handles given out before are dead: their operations never end. */
  kill(): void {
    this.#generation++;
    this.failPoint = undefined;
  }

  /** Loses what was not synced. Handles given out before are dead: their operations never end. */
  crash(): void {
    this.kill();
    // Each change of the directory that was not synced may or may not have got through.
    const names = new Map(this.#durable);
    for (const [name, file] of this.#files) if (this.#random.chance(0.5)) names.set(name, file);
    for (const name of this.#durable.keys()) {
      if (!this.#files.has(name) && this.#random.chance(0.5)) names.delete(name);
    }
    for (const file of new Set(names.values())) {
      if (file.before !== undefined) this.#settle(file, file.before);
      else this.#loseTail(file);
    }
    this.#files = names;
    this.#durable = new Map(names);
  }

  /** The unsynced tail: all there, torn, lost, with bytes that nobody wrote, or as long as it was and empty. */
  #loseTail(file: File): void {
    const unsynced = file.length - file.synced;
    const fate = this.#random.pick(['whole', 'torn', 'torn', 'lost', 'garbled', 'garbled', 'empty'] as const);
    const kept =
      fate === 'lost' ? 0 : fate === 'torn' || fate === 'garbled' ? this.#random.int(0, unsynced) : unsynced;
    const bytes = file.bytes.slice(0, file.synced + kept);
    if (fate === 'empty') bytes.fill(0, file.synced);
    if (fate === 'garbled' && kept > 0) {
      const at = this.#random.chance(0.5)
        ? bytes.length - 1
        : this.#random.int(file.synced, bytes.length - 1);
      bytes[at]! ^= this.#random.int(1, 255);
    }
    if (unsynced > 0) this.counters.count(`unsynced tail ${fate}`);
    file.replace(bytes);
    file.synced = bytes.length;
  }

  /** Of a file that was overwritten: all of the new, some of it over the old, or none. */
  #settle(file: File, before: Uint8Array): void {
    const kept = this.#random.chance(0.5) ? file.length : this.#random.int(0, file.length);
    const bytes = new Uint8Array(Math.max(kept, before.length));
    bytes.set(before);
    bytes.set(file.bytes.subarray(0, kept));
    file.replace(bytes);
    file.before = bytes;
  }

  /**
   * Damages what was synced, in the newest segment and below what the mark vouches for: a flipped bit, a segment cut
   * short, or one that is gone. False if the mark vouches for nothing there, as in the middle of a rotation.
   */
  rot(kind: Rot): boolean {
    const newest = [...this.#files.keys()]
      .filter((name) => SEGMENT.test(name))
      .sort()
      .pop();
    const mark = this.#files.get(MARK)?.bytes;
    if (newest === undefined || mark === undefined || mark.length !== 32) return false;
    const view = new DataView(mark.buffer, mark.byteOffset, mark.length);
    const end = Number(view.getBigUint64(20));
    const file = this.#files.get(newest)!;
    if (view.getUint32(8) !== Number(newest.slice(8)) || end > file.length) return false;
    if (kind === 'gone') {
      this.#files.delete(newest);
      this.#durable.delete(newest);
    } else {
      const bytes = file.bytes.slice(0, kind === 'cut' ? this.#random.int(0, end - 1) : file.length);
      if (kind === 'flip') bytes[this.#random.int(0, end - 1)]! ^= 1 << this.#random.int(0, 7);
      file.replace(bytes);
      file.synced = Math.min(file.synced, bytes.length);
    }
    this.counters.count(`synced segment ${kind === 'flip' ? 'rotten' : kind}`);
    return true;
  }

  /** The process dies at the operation, or the operation fails, which throws. */
  #strike(point: FailPoint, operation: Operation, effect: () => void, half: () => void): void {
    const { when, kill = false } = point;
    this.failPoint = undefined;
    this.counters.count(when === 'error' ? `${operation} failed` : `died ${when} ${operation}`);
    if (when === 'error') {
      // After a failed fsync nobody knows what is on the disk; nor after a failed write.
      if (this.#random.chance(0.5)) half();
      throw new Error('EIO: input/output error');
    }
    if (when === 'during') half();
    if (when === 'after') effect();
    this.onCrash(kill);
  }

  #fileFor(name: string): File {
    let file = this.#files.get(name);
    if (file === undefined) {
      file = new File();
      this.#files.set(name, file);
    }
    return file;
  }

  #append(name: string, bytes: Uint8Array): void {
    const file = this.#fileFor(name);
    file.write(file.length, bytes);
  }

  #overwrite(name: string, bytes: Uint8Array): void {
    const file = this.#fileFor(name);
    file.before ??= file.bytes.slice();
    file.write(0, bytes);
  }

  /** The disk as a process sees it, until the next crash. */
  open(): Disk {
    const generation = this.#generation;
    const file = (name: string): File => {
      const found = this.#files.get(name);
      if (found === undefined) throw new Error(`no such file: ${name}`);
      return found;
    };
    /** Takes its time and then has its effect; never ends if the process dies before it, or of it. */
    const look = <T>(effect: () => T | typeof DEAD, maxDelay = 0.5): Promise<T> =>
      new Promise((resolve, reject) => {
        this.#scheduler.after(this.#random.float() * maxDelay * this.slowness, () => {
          if (generation !== this.#generation) return;
          try {
            const outcome = effect();
            if (outcome !== DEAD) resolve(outcome);
          } catch (error) {
            reject(error);
          }
        });
      });
    const nothing = (): void => undefined;
    const mutate = (
      operation: Operation,
      maxDelay: number,
      effect: () => void,
      half: () => void = nothing,
    ): Promise<void> =>
      look(() => {
        const point = this.failPoint;
        const meant = point?.operation === undefined || point.operation === operation;
        if (point === undefined || !meant || point.countdown-- > 0) return effect();
        this.#strike(point, operation, effect, half);
        return DEAD;
      }, maxDelay);
    const room = (name: string, bytes: Uint8Array, halfway: (part: Uint8Array) => void): void => {
      if (!this.full) return;
      halfway(bytes.subarray(0, this.#random.int(0, bytes.length)));
      this.counters.count('disk full');
      throw new Error(`ENOSPC: no space left on device, ${name}`);
    };
    const part = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, this.#random.int(0, bytes.length));
    return {
      list: () => look(() => [...this.#files.keys()].sort()),
      size: (name) => look(() => file(name).length),
      read: (name, offset, length) => look(() => file(name).bytes.slice(offset, offset + length)),
      append: (name, bytes) =>
        mutate(
          'append',
          0.5,
          () => {
            room(name, bytes, (some) => this.#append(name, some));
            this.#append(name, bytes);
          },
          () => this.#append(name, part(bytes)),
        ),
      overwrite: (name, bytes) =>
        mutate(
          'overwrite',
          0.1,
          () => {
            if (!this.#files.has(name)) room(name, bytes, nothing);
            this.#overwrite(name, bytes);
          },
          () => this.#overwrite(name, part(bytes)),
        ),
      truncate: (name, length) =>
        mutate('truncate', 0.5, () => {
          const held = file(name);
          held.replace(held.bytes.subarray(0, length));
          held.synced = Math.min(held.synced, length);
        }),
      sync: (name) =>
        mutate('sync', 4, () => {
          const held = file(name);
          held.synced = held.length;
        }),
      rename: (from, to) =>
        mutate('rename', 0.5, () => {
          this.#files.set(to, file(from));
          this.#files.delete(from);
        }),
      remove: (name) => mutate('remove', 0.5, () => void this.#files.delete(name)),
      syncDirectory: () =>
        mutate('sync-directory', 4, () => {
          this.#durable = new Map(this.#files);
        }),
    };
  }
}
