/**
 * The outbox on a disk that keeps only what it promised: the process or the machine dies at each of the outbox's fail
 * points and at any other operation, also while it starts; writes fail. What `add` has resolved for, and what an open
 * outbox says that it keeps, is read again by every later start.
 */
import { expect, it } from 'vitest';
import { keyOf } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { FAIL_POINTS } from '../../src/storage/fail-points.ts';
import { Outbox, type OutboxEntry } from '../../src/storage/outbox.ts';
import { addCounts, Counters } from '../simulator/counters.ts';
import { type FailPoint, SimDisk } from '../simulator/disk.ts';
import { Prng } from '../simulator/prng.ts';
import { Scheduler } from '../simulator/scheduler.ts';

const LIMITS = { maxTransactions: 1_000, maxBytes: 1_000_000, fileBytes: 20_000 };
const LIVES = 12;

/** Where the outbox's fail points lie among the operations of its disk. */
const POINTS: Readonly<Record<string, Pick<FailPoint, 'when' | 'operation'>>> = {
  'outbox.before-append': { when: 'before', operation: 'append' },
  'outbox.after-sync': { when: 'after', operation: 'sync' },
  'outbox.before-remove': { when: 'before', operation: 'remove' },
};

/** A machine with an outbox, and what it has promised. */
class Machine {
  readonly #random: Prng;
  readonly #scheduler = new Scheduler();
  readonly #disk: SimDisk;
  readonly #promised = new Set<string>();
  #dead = false;

  constructor(seed: number, counters: Counters) {
    this.#random = new Prng(`outbox ${seed}`);
    this.#disk = new SimDisk(this.#scheduler, this.#random.fork('disk'), counters);
  }

  /** What comes of a promise, or undefined when the process has died under it. */
  async #settled<T>(promise: Promise<T>): Promise<T | undefined> {
    let over = false;
    const settle = (): void => {
      over = true;
    };
    promise.then(settle, settle);
    await this.#scheduler.run(this.#scheduler.now() + 10_000, () => over);
    return over ? promise : undefined;
  }

  #point(): FailPoint {
    const random = this.#random;
    const kill = random.chance(0.5);
    if (random.chance(0.5)) {
      const at = POINTS[random.pick(Object.keys(POINTS))]!;
      return { ...at, kill, countdown: random.int(0, at.operation === 'remove' ? 1 : 12) };
    }
    const when = random.pick(['before', 'during', 'after', 'error'] as const);
    return { when, kill, countdown: random.int(0, 30) };
  }

  #entry(): OutboxEntry {
    const bytes = this.#random.bytes(this.#random.int(100, 6_000));
    return { bytes, key: keyOf(sha256(bytes)) };
  }

  async #use(outbox: Outbox): Promise<void> {
    for (const { key } of outbox.transactions()) this.#promised.add(key);
    for (let turn = this.#random.int(3, 20); turn > 0 && !this.#dead; turn--) {
      const entries = Array.from({ length: this.#random.int(1, 4) }, () => this.#entry());
      const adding = outbox.add(entries).then(
        () => true,
        () => false,
      );
      if ((await this.#settled(adding)) === true) for (const { key } of entries) this.#promised.add(key);
      for (const key of [...this.#promised]) {
        if (!this.#random.chance(0.4)) continue;
        outbox.remove(key);
        this.#promised.delete(key);
      }
    }
  }

  async live(): Promise<void> {
    this.#dead = false;
    this.#disk.onCrash = (kill) => {
      this.#dead = true;
      if (kill) this.#disk.kill();
      else this.#disk.crash();
    };
    this.#disk.failPoint = this.#point();
    const opening = Outbox.open(this.#disk.open(), LIMITS);
    const outbox = await this.#settled(opening).catch((error: unknown) => {
      if (!String(error).includes('EIO')) throw error;
      return undefined;
    });
    if (outbox !== undefined) {
      const kept = new Set(outbox.transactions().map(({ key }) => key));
      expect([...this.#promised].filter((key) => !kept.has(key))).toEqual([]);
      await this.#use(outbox);
    }
    if (this.#dead) return;
    if (this.#random.chance(0.5)) this.#disk.kill();
    else this.#disk.crash();
  }
}

it('loses nothing that it has promised, wherever it dies', async () => {
  const counts: Record<string, number> = {};
  for (let seed = 0; seed < 60; seed++) {
    const counters = new Counters();
    const machine = new Machine(seed, counters);
    for (let life = 0; life < LIVES; life++) await machine.live();
    addCounts(counts, counters.toRecord());
  }
  expect(Object.keys(POINTS)).toEqual(FAIL_POINTS.filter((name) => name.startsWith('outbox.')));
  for (const { when, operation } of Object.values(POINTS)) {
    expect(counts[`died ${when} ${operation}`], `deaths ${when} ${operation}`).toBeGreaterThan(10);
  }
});
