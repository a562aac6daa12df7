/**
 * The event loop's lag: how much later than asked for a timer fires. A node whose loop is late answers late, votes
 * late and loses views. One window of ten seconds at a time is measured; three late ones in a row are a warning.
 */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Finding, Watcher } from './finding.ts';

/** Timer interval of the measurement, ms; it is part of what the histogram shows. */
const RESOLUTION_MS = 10;
const LATE_WINDOWS = 3;
/** Less than this says nothing. */
const LEAST_WINDOW_MS = 100;

/** Lag over one window, in seconds, and the share of it that the loop was busy. */
export interface LagWindow {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  readonly busy: number;
}

const CALM: LagWindow = { p50: 0, p90: 0, p99: 0, max: 0, busy: 0 };

/** Measures all the time; `next` closes a window and opens another. */
export class EventLoopMonitor {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #before = performance.eventLoopUtilization();
  #last = CALM;
  #openedAt = performance.now();

  constructor() {
    this.#delay.enable();
  }

  /** The last whole window. */
  get last(): LagWindow {
    return this.#last;
  }

  next(): LagWindow {
    if (performance.now() - this.#openedAt < LEAST_WINDOW_MS) return this.#last;
    const delay = this.#delay;
    const lag = (ns: number): number =>
      Number.isFinite(ns) ? Math.max(0, ns / 1e9 - RESOLUTION_MS / 1e3) : 0;
    const now = performance.eventLoopUtilization();
    const busy = performance.eventLoopUtilization(now, this.#before).utilization;
    const at = (percent: number): number => (delay.count === 0 ? 0 : lag(delay.percentile(percent)));
    this.#last = { p50: at(50), p90: at(90), p99: at(99), max: delay.count === 0 ? 0 : lag(delay.max), busy };
    this.#before = now;
    this.#openedAt = performance.now();
    delay.reset();
    return this.#last;
  }

  stop(): void {
    this.#delay.disable();
  }
}

export interface EventLoopOptions {
  /** Lag of the slowest hundredth that is too much, ms. */
  readonly warnMs: number;
  /** Closes a window and returns it. */
  readonly next: () => LagWindow;
}

export class EventLoopWatcher implements Watcher {
  readonly name = 'event-loop';
  readonly #o: EventLoopOptions;
  #late = 0;

  constructor(options: EventLoopOptions) {
    this.#o = options;
  }

  check(): readonly Finding[] {
    const { p99, max, busy } = this.#o.next();
    this.#late = p99 * 1_000 > this.#o.warnMs ? this.#late + 1 : 0;
    if (this.#late < LATE_WINDOWS) return [];
    const ms = (seconds: number): number => Math.round(seconds * 1_000);
    return [
      {
        code: 'EVENT_LOOP_LAG',
        level: 'warn',
        message:
          `the node is ${ms(p99)} ms late for a hundredth of its work (worst ${ms(max)} ms, ${Math.round(busy * 100)} % busy): ` +
          'give it a faster or a less busy machine, or fewer peers and API clients',
      },
    ];
  }
}
