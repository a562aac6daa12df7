/**
 * The own clock against the others'. Each block carries its leader's time, so a fresh proposal shows how far that
 * leader's clock and the own one are apart, plus the time that the block took to get here. Of every leader the
 * least delay of its last proposals counts, of all leaders the median by stake, and only while leaders with two
 * thirds of the stake were heard lately: so less than a third of the stake, whatever it claims, cannot move the
 * verdict out of what honest clocks show. Memory: a few numbers a validator.
 *
 * Why it stops: a validator more than the protocol's lead (500 ms) and Δ off is as good as absent. Ahead, its own
 * blocks wait for others' clocks until their view is lost; behind, it lets every proposal wait. It costs the
 * others views for nothing, and its operator sees only "missed". A node without a vote never stops for that.
 *
 * Blocks from the future are proof that the clock is behind. Old blocks are none that it is ahead: under load, or
 * over a bad line, blocks are late everywhere, and validators that stop for that would take the chain with them. So
 * ahead it stops only beyond what any delay of a block explains, a minute: no view lasts that long.
 *
 * A clock that was set, or a machine that was asleep, is told by the difference to the monotonic clock.
 */
import type { Finding, Watcher } from './finding.ts';

const SAMPLES = 8;
/** Proposals of this age tell about a clock that may have been set since. */
const SAMPLE_AGE_MS = 10 * 60_000;
const JUMP_TOLD_MS = 10 * 60_000;
/** Longer than any view, with all the back-off that there is. */
const NO_DELAY_MS = 60_000;
/** A verdict to stop has to stand for so long. */
const STOP_AFTER_MS = 60_000;

interface Sample {
  readonly at: number;
  /** Own wall clock at arrival minus the block's time, ms. */
  readonly delay: number;
}

export interface ClockOptions {
  /** Stake of each validator, by index. */
  readonly stakes: readonly bigint[];
  /** Own index: own blocks tell nothing. */
  readonly self: number | undefined;
  /** Δ of the chain, ms: beyond it the node warns. */
  readonly delta: number;
  /** What a right clock's blocks may take to get here, ms: building and Δ. */
  readonly allowance: number;
  /** Offset at which a validator stops, ms; 0: never. */
  readonly stopMs: number;
  /** Milliseconds since 1970, and milliseconds that never go back. */
  readonly wall: () => number;
  readonly monotonic: () => number;
}

export class ClockWatcher implements Watcher {
  readonly name = 'clock';
  readonly #o: ClockOptions;
  readonly #samples: Sample[][];
  readonly #total: bigint;
  #difference: number;
  #jump: { readonly ms: number; readonly at: number } | undefined;
  #offSince: number | undefined;

  constructor(options: ClockOptions) {
    this.#o = options;
    this.#samples = options.stakes.map(() => []);
    this.#total = options.stakes.reduce((sum, stake) => sum + stake, 0n);
    this.#difference = options.wall() - options.monotonic();
  }

  /**
   * A proposal of validator `leader` arrived for the first time. `time` is its block's, chosen freely by the
   * leader: not pushed up by its parent's.
   */
  onProposal(leader: number, time: number): void {
    const samples = this.#samples[leader];
    if (samples === undefined || leader === this.#o.self) return;
    samples.push({ at: this.#o.monotonic(), delay: this.#o.wall() - time });
    if (samples.length > SAMPLES) samples.shift();
  }

  /** Own clock minus the others', ms: 0 while it fits, undefined while too few leaders were heard. */
  get offset(): number | undefined {
    const { stakes, allowance } = this.#o;
    const oldest = this.#o.monotonic() - SAMPLE_AGE_MS;
    const heard: { delay: number; stake: bigint }[] = [];
    let stake = 0n;
    for (let i = 0; i < stakes.length; i++) {
      const fresh = this.#samples[i]!.filter(({ at }) => at >= oldest);
      if (fresh.length === 0) continue;
      heard.push({ delay: Math.min(...fresh.map(({ delay }) => delay)), stake: stakes[i]! });
      stake += stakes[i]!;
    }
    if (heard.length === 0 || 3n * stake < 2n * this.#total) return undefined;
    heard.sort((a, b) => a.delay - b.delay);
    let below = 0n;
    let median = 0;
    for (const { delay, stake: weight } of heard) {
      below += weight;
      median = delay;
      if (2n * below >= stake) break;
    }
    if (median < 0) return median;
    return Math.max(0, median - allowance);
  }

  check(): readonly Finding[] {
    return [...this.#jumped(), ...this.#off()];
  }

  #jumped(): Finding[] {
    const { wall, monotonic, delta } = this.#o;
    const now = monotonic();
    const difference = wall() - now;
    const moved = difference - this.#difference;
    this.#difference = difference;
    if (Math.abs(moved) > delta) {
      this.#jump = { ms: moved, at: now };
      // what was measured with the old clock says nothing about the new one
      for (const samples of this.#samples) samples.length = 0;
    }
    if (this.#jump === undefined || now - this.#jump.at > JUMP_TOLD_MS) return [];
    const { ms } = this.#jump;
    const how = `${seconds(Math.abs(ms))} ${ms > 0 ? 'forward' : 'back'}`;
    return [
      {
        code: 'CLOCK_JUMPED',
        level: 'warn',
        message: `the clock jumped ${how}: keep the machine awake and let a time service (chrony, systemd-timesyncd) slew the clock instead of setting it`,
      },
    ];
  }

  #off(): Finding[] {
    const { delta, stopMs, self } = this.#o;
    const { offset } = this;
    const far =
      offset !== undefined &&
      stopMs > 0 &&
      self !== undefined &&
      (offset < -stopMs || offset > Math.max(stopMs, NO_DELAY_MS));
    const now = this.#o.monotonic();
    this.#offSince = far ? (this.#offSince ?? now) : undefined;
    if (offset === undefined || Math.abs(offset) <= delta) return [];
    const how = `the clock is ${seconds(Math.abs(offset))} ${offset > 0 ? 'ahead of' : 'behind'} the other validators’`;
    const advice = 'start a time service (chrony, systemd-timesyncd) and look at what it says';
    if (this.#offSince !== undefined && now - this.#offSince >= STOP_AFTER_MS) {
      return [
        {
          code: 'CLOCK_OFF',
          level: 'stop',
          message: `${how}, so its blocks and votes do not count: ${advice}, then start the node again`,
        },
      ];
    }
    const late = offset > 0 ? ', or blocks take that long to get here' : '';
    return [{ code: 'CLOCK_OFF', level: 'warn', message: `${how}${late}: ${advice}` }];
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 0)} s`;
}
