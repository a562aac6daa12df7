/**
 * What a machine may hold and send, looked at again and again as a run goes: views in memory, effects that wait for
 * an fsync, bytes of journal, and bytes that are sent once more. A flood or an outage must move none of them.
 */
import type { Timing } from '../../src/consensus/host.ts';
import type { ReplicaMetrics } from '../../src/consensus/replica.ts';

/** Views beyond those above the last finalization: the floor itself, the current and the next one. */
const SPARE_VIEWS = 3;
/** Events of one fsync, each with a handful of effects. */
const OUTGOING_PER_VALIDATOR = 64;
const SIGNATURE_BYTES = 64;
/** A vote, a verdict, a framed body of the simulated application. */
const RECORD_BYTES = 384;
const DEFAULT_RESEND = 1_000;
const DEFAULT_STANDSTILL_BYTES = 262_144;

function certificateBytes(validators: number): number {
  return 160 + Math.ceil(validators / 8) + SIGNATURE_BYTES * validators;
}

/** What is wrong, or undefined. */
export function outOfBounds(
  { view, lastFinalized, rounds, outgoing }: ReplicaMetrics,
  validators: number,
): string | undefined {
  if (rounds > view - lastFinalized + SPARE_VIEWS) {
    return `holds ${rounds} views from ${lastFinalized} to ${view}`;
  }
  if (outgoing > OUTGOING_PER_VALIDATOR * (validators + view - lastFinalized)) {
    return `has ${outgoing} effects waiting`;
  }
  return undefined;
}

/** The most that a journal may take with `views` views above its floor. */
export function journalBound(views: number, validators: number, segmentBytes: number): number {
  const needed = (views + SPARE_VIEWS) * (3 * certificateBytes(validators) + 6 * RECORD_BYTES);
  // The segment until it is replaced, one batch on top, and the checkpoint that replaces it.
  return Math.max(segmentBytes, 2 * needed) + 2 * needed;
}

/** What one machine sends again, second by second. */
export class Resends {
  readonly #bound: number;
  readonly #sent = new Set<string>();
  #second = 0;
  #bytes = 0;
  #highest = 0;

  constructor(timing: Timing, validators: number) {
    const certificate = certificateBytes(validators);
    const cap = timing.standstillBytesPerSecond ?? DEFAULT_STANDSTILL_BYTES;
    const interval = timing.resendInterval ?? DEFAULT_RESEND;
    // Five slices of a quarter second touch a second; each holds at least one item, however small the cap is.
    const standstill = 1.25 * cap + 5 * certificate;
    // T_R, give or take a fifth: X and the certificate by which the view was entered.
    const ownVote = (1_000 / (0.8 * interval) + 1) * (RECORD_BYTES + certificate);
    this.#bound = standstill + ownVote;
  }

  /** The most that was sent again in any second. */
  get highest(): number {
    return this.#highest;
  }

  /** The process starts anew and does not know what was sent before. */
  restarted(): void {
    this.#sent.clear();
  }

  /** What is wrong, or undefined. */
  sent(key: string, bytes: number, now: number): string | undefined {
    if (!this.#sent.has(key)) {
      this.#sent.add(key);
      return undefined;
    }
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#bytes = 0;
    }
    this.#bytes += bytes;
    this.#highest = Math.max(this.#highest, this.#bytes);
    if (this.#bytes <= this.#bound) return undefined;
    return `sent ${this.#bytes} bytes again in one second, where ${Math.round(this.#bound)} are allowed`;
  }
}
