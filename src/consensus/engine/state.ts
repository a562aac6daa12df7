/**
 * What a replica knows at one moment, and the effects that the running step has collected. The rules that
 * change it are functions in the files beside this one: views.ts (entering, nullifying, finalizing), acceptance.ts
 * (certificates), votes.ts, tasks.ts (proposing, verifying, certifying), recovery.ts.
 */
import type { SignatureVerifier } from '../../crypto/interfaces.ts';
import type { Effect, Judgement, OffenceCode, Report } from '../events.ts';
import type { Floor, Instance } from '../host.ts';
import { leaderOf } from '../leader.ts';
import type { Certificate } from '../types.ts';
import { Fetcher } from './fetcher.ts';
import type { Pacing } from './pacing.ts';
import { RoundTable } from './round.ts';
import { Standstill } from './standstill.ts';

export interface EngineOptions extends Instance {
  /** Own index in the set; undefined for a follower, which never votes and is otherwise identical. */
  readonly self: number | undefined;
  readonly verifier: SignatureVerifier;
  readonly pacing: Pacing;
}

export const USEFUL: Judgement = { ok: true, useful: true };
export const IGNORED: Judgement = { ok: true, useful: false };

export function offence(code: OffenceCode): Judgement {
  return { ok: false, offence: code };
}

export class EngineState {
  readonly options: EngineOptions;
  readonly rounds: RoundTable;
  readonly fetcher: Fetcher;
  readonly standstill: Standstill;
  /** Views that hold an N certificate and wait for their verdict. */
  readonly uncertified = new Set<number>();
  view = 0;
  /** The certificate by which the current view was entered. */
  entry: Certificate | undefined;
  /** T_L and T_A of the current view, undefined once they have passed. */
  leaderDeadline: number | undefined;
  advanceDeadline: number | undefined;
  /** T_R, while the current view is being nullified. */
  resendAt: number | undefined;
  /** When the pace allows the own proposal. */
  proposeAt: number | undefined;
  /** When the own block, which is being built, comes too late. */
  buildDeadline: number | undefined;
  /** The application's database holds everything up to this view. */
  durable: number;
  /** Of the event that is being handled. */
  now: number;
  #effects: Effect[] = [];

  constructor(options: EngineOptions, floor: Floor, now: number) {
    this.options = options;
    this.rounds = new RoundTable(floor.proposal, (view) => leaderOf(options.set, view));
    this.fetcher = new Fetcher(options.pacing);
    this.standstill = new Standstill(options.pacing, now);
    this.durable = floor.proposal.view;
    this.now = now;
  }

  /** View of the highest finalised proposal. */
  get floor(): number {
    return this.rounds.floor.view;
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  report(report: Report): void {
    this.emit({ type: 'report', report });
  }

  takeEffects(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
