/**
 * What happens in a round of the crash loop: who is killed and when, who is killed again while it starts or soon
 * after, and which fail points are visited. All of it follows from the seed and the number of the round, so that a
 * round can be played again; what the processes do meanwhile does not.
 */
import { FAIL_POINTS, type FailPoint } from '../../src/storage/fail-points.ts';
import { Prng } from '../simulator/prng.ts';

interface FailPointPass {
  readonly point: FailPoint;
  /** Dies at this pass, counted from 1. */
  readonly pass: number;
}

export interface FailPointVisit extends FailPointPass {
  readonly victim: number;
}

export interface Blow {
  readonly victim: number;
  /** Of the round's beginning, ms. */
  readonly atMs: number;
  /** How long it stays away before it is started again, ms. */
  readonly awayMs: number;
  /** It is killed again so many ms after each of these starts. */
  readonly startUpKills: readonly number[];
  /** Where its last start but one ends. */
  readonly failPoint: FailPointPass | undefined;
}

export interface RoundPlan {
  readonly round: number;
  readonly blows: readonly Blow[];
  /** After all were back: killed once more so many ms later. */
  readonly again: { readonly victim: number; readonly atMs: number } | undefined;
  /** What found no place in a blow: one after the other, when all are back. */
  readonly failPoints: readonly FailPointVisit[];
}

const LATEST_BLOW_MS = 700;
const LONGEST_AWAY_MS = 600;
/** A node needs about a second to start; both halves of it are hit. */
const START_MS = 1_200;

/** Passed when the journal begins a new segment, so every few seconds, or once after a start. */
const SELDOM: ReadonlySet<FailPoint> = new Set([
  'journal.before-rename',
  'journal.after-rename',
  'journal.before-remove',
  'outbox.before-remove',
]);
/** Often enough that a node dies within two seconds at 200 ms a block. */
const MOST_PASSES = 6;

function shuffled<T>(items: readonly T[], prng: Prng): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = prng.int(0, i);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

/** Fail points come in laps over the whole list, each in an order of its own. */
function failPointAt(seed: number, position: number): FailPoint {
  const lap = Math.floor(position / FAIL_POINTS.length);
  const points = shuffled(FAIL_POINTS, new Prng(`crashloop/${seed}/lap/${lap}`));
  return points[position % points.length]!;
}

/** `round` counts from 0; `perRound` fail points are visited in each. */
export function planRound(seed: number, round: number, validators: number, perRound: number): RoundPlan {
  const prng = new Prng(`crashloop/${seed}/round/${round}`);
  const all = Array.from({ length: validators }, (_, i) => i);
  const count = prng.pick([1, 1, 1, 2, 2, 3, validators, validators]);
  const together = prng.chance(0.5);
  const first = prng.int(0, LATEST_BLOW_MS);
  const points = Array.from({ length: perRound }, (_, i): FailPointPass => {
    const point = failPointAt(seed, round * perRound + i);
    return { point, pass: SELDOM.has(point) ? 1 : prng.int(1, MOST_PASSES) };
  });
  const blows = shuffled(all, prng)
    .slice(0, count)
    .map((victim, i): Blow => {
      const atMs = together ? first : prng.int(0, LATEST_BLOW_MS);
      const startUpKills = prng.chance(0.3)
        ? Array.from({ length: prng.pick([1, 1, 2]) }, () => prng.int(20, START_MS))
        : [];
      return { victim, atMs, awayMs: prng.int(0, LONGEST_AWAY_MS), startUpKills, failPoint: points[i] };
    });
  const again = prng.chance(0.2)
    ? { victim: prng.int(0, validators - 1), atMs: prng.int(0, LATEST_BLOW_MS) }
    : undefined;
  const failPoints = points
    .slice(blows.length)
    .map((point): FailPointVisit => ({ ...point, victim: prng.int(0, validators - 1) }));
  return { round, blows, again, failPoints };
}
