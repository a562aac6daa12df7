/** What a seed stands for: committee, weights, faults and the adversary of one run. */
import type { Timing } from '../../src/consensus/host.ts';
import { DEEDS, type Deed } from './adversary.ts';
import { Prng } from './prng.ts';

type AdversaryKind = 'none' | 'twins' | 'conflicter';

export interface Scenario {
  readonly seed: number;
  readonly stakes: readonly number[];
  readonly adversary: AdversaryKind;
  /** What the conflicter does whenever it leads; undefined for a mixture. */
  readonly specialty: Deed | undefined;
  /** Index of the adversary's validator. */
  readonly guilty: number;
  readonly scheme: 'hash' | 'ed25519';
  readonly timing: Timing;
  readonly loss: number;
  readonly duplication: number;
  readonly maxDelay: number;
  /** Virtual milliseconds of trouble before everything is healed. */
  readonly trouble: number;
  readonly crashes: readonly { readonly at: number; readonly node: number; readonly downtime: number }[];
  /** Crashes at a point of the journal's work: `operations` disk operations from `at` on. */
  readonly failPoints: readonly {
    readonly at: number;
    readonly node: number;
    readonly operations: number;
    readonly when: 'before' | 'after' | 'error';
    readonly downtime: number;
  }[];
  readonly restartAllAt: number | undefined;
  readonly partitions: readonly { readonly at: number; readonly lasts: number; readonly oneWay: boolean }[];
  readonly follower: boolean;
}

/** Every adversary's stake is under a third. */
const COMMITTEES: readonly { readonly stakes: readonly number[]; readonly guilty: readonly number[] }[] = [
  { stakes: [1, 1, 1, 1], guilty: [0, 1, 2, 3] },
  { stakes: [32, 28, 22, 18], guilty: [0, 1, 2, 3] },
  { stakes: [10, 10, 10, 10, 10, 10, 10], guilty: [0, 3, 6] },
  { stakes: [32, 20, 15, 12, 9, 7, 5], guilty: [0, 0, 1, 4] },
];

export function scenarioOf(seed: number): Scenario {
  const random = new Prng(`scenario ${seed}`);
  const committee = random.pick(COMMITTEES);
  const { stakes } = committee;
  const quiet = random.chance(0.1);
  const trouble = random.int(4_000, 9_000);
  const list = <T>(max: number, make: () => T): T[] =>
    quiet ? [] : Array.from({ length: random.int(0, max) }, make);
  const node = (): number => random.int(0, stakes.length - 1);
  const adversary = random.pick<AdversaryKind>(['none', 'twins', 'conflicter', 'conflicter']);
  return {
    seed,
    stakes,
    adversary: quiet ? 'none' : adversary,
    specialty: random.chance(0.5) ? random.pick(DEEDS) : undefined,
    guilty: random.pick(committee.guilty),
    scheme: seed % 25 === 7 ? 'ed25519' : 'hash',
    timing: {
      blockInterval: random.pick([100, 200, 300]),
      delta: 60,
      executionBudget: 80,
      resendInterval: 400,
      standstill: 1_500,
      standstillBytesPerSecond: random.pick([8_192, 65_536]),
    },
    loss: quiet ? 0 : random.pick([0, 0, 0.05, 0.1, 0.25, 0.4]),
    duplication: quiet ? 0 : random.pick([0, 0.1]),
    maxDelay: random.pick([5, 30, 60, 150]),
    trouble,
    crashes: list(5, () => ({ at: random.int(0, trouble), node: node(), downtime: random.int(20, 3_000) })),
    failPoints: list(8, () => ({
      at: random.int(0, trouble),
      node: node(),
      operations: random.int(0, 12),
      when: random.pick(['before', 'after', 'after', 'error'] as const),
      downtime: random.int(20, 1_500),
    })),
    restartAllAt: !quiet && random.chance(0.25) ? random.int(500, trouble) : undefined,
    partitions: list(2, () => ({
      at: random.int(0, trouble),
      lasts: random.int(300, 3_000),
      oneWay: random.chance(0.3),
    })),
    follower: random.chance(0.2),
  };
}
