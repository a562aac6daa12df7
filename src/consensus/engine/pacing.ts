/**
 * When a validator loses patience: T_L for a proposal, T_A for a verdict, T_R between re-sends, all of it
 * policy. The back-off grows with the views since the last finalization and is reset by nothing but a
 * finalization certificate, so no peer can talk a node into shorter timeouts.
 */
import type { Timing } from '../host.ts';

export class Pacing {
  readonly blockInterval: number;
  readonly delta: number;
  readonly executionBudget: number;
  readonly resendInterval: number;
  readonly standstill: number;
  readonly standstillBytesPerSecond: number;
  readonly #random: () => number;

  /** `random` gives numbers in [0, 1), for jitter. */
  constructor(timing: Timing, random: () => number) {
    this.blockInterval = timing.blockInterval;
    this.delta = timing.delta;
    this.executionBudget = timing.executionBudget;
    this.resendInterval = timing.resendInterval ?? 1_000;
    this.standstill = timing.standstill ?? 5_000;
    this.standstillBytesPerSecond = timing.standstillBytesPerSecond ?? 262_144;
    this.#random = random;
  }

  /**
   * min(8, 1.2^k). Two views are under way when everything goes well (one being voted on, its parent being
   * finalised), so k counts from there.
   */
  #backOff(view: number, lastFinal: number): number {
    let factor = 1;
    for (let k = view - lastFinal - 2; k > 0 && factor < 8; k--) factor *= 1.2;
    return Math.min(8, factor);
  }

  leaderTimeout(view: number, lastFinal: number): number {
    return (this.blockInterval + 2 * this.delta) * this.#backOff(view, lastFinal);
  }

  advanceTimeout(view: number, lastFinal: number): number {
    return (this.blockInterval + 3 * this.delta + this.executionBudget) * this.#backOff(view, lastFinal);
  }

  /** T_R, give or take a fifth. */
  resendDelay(): number {
    return this.#jitter(this.resendInterval);
  }

  /** Between attempts to fetch the same certificate. */
  fetchDelay(attempt: number): number {
    return this.#jitter(2 * this.delta * Math.min(8, 2 ** Math.min(attempt, 3)));
  }

  #jitter(delay: number): number {
    return Math.max(1, delay * (0.8 + 0.4 * this.#random()));
  }
}
