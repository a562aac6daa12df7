/**
 * What a seed stands for: committee, weights, faults and the adversary of one run. Each facet is drawn from a stream
 * of its own, so that pinning one (`--scenario`) leaves the others as they are, and pinning all to what was drawn
 * gives the same run.
 */
import type { Timing } from '../../src/consensus/host.ts';
import { type AdversaryKind, ADVERSARIES as DISHONEST } from './adversaries/catalogue.ts';
import { DEEDS } from './adversaries/conflicter.ts';
import { type FailPoint, OPERATIONS, type Rot } from './disk.ts';
import {
  type AdversaryFacet,
  COMMITTEES,
  EXCESS,
  EXCESSIVE,
  type Facets,
  nameOf,
  SIZES,
  sizeOf,
} from './facets.ts';
import { Prng } from './prng.ts';

export interface Scenario {
  readonly seed: number;
  /** committee/adversary/network/disk/clocks */
  readonly name: string;
  readonly facets: Facets;
  readonly stakes: readonly number[];
  readonly adversary: AdversaryKind;
  /** What the adversary does whenever it leads, if its kind has a choice; undefined for a mixture. */
  readonly specialty: string | undefined;
  /** Index of the adversary's validator. */
  readonly guilty: number;
  /** Its other validators. */
  readonly accomplices: readonly number[];
  /** The adversary holds more than a third of the stake: safety may be lost, evidence must be found. */
  readonly excess: boolean;
  readonly scheme: 'hash' | 'ed25519';
  readonly timing: Timing;
  readonly loss: number;
  readonly duplication: number;
  readonly maxDelay: number;
  /** Virtual milliseconds of trouble before everything is healed. */
  readonly trouble: number;
  readonly crashes: readonly {
    readonly at: number;
    readonly node: number;
    readonly downtime: number;
    /** The process alone dies, and the machine keeps what it wrote. */
    readonly kill?: boolean;
  }[];
  /** Deaths and failures at a point of the journal's work: `operations` disk operations from `at` on. */
  readonly failPoints: readonly {
    readonly at: number;
    readonly node: number;
    readonly operations: number;
    readonly when: FailPoint['when'];
    /** Only operations of this kind count. */
    readonly operation?: FailPoint['operation'];
    readonly kill?: boolean;
    readonly downtime: number;
  }[];
  readonly fullDisks: readonly { readonly at: number; readonly node: number; readonly lasts: number }[];
  /** Synced bytes of the journal are damaged while the process is down: it must not start again. */
  readonly rot: { readonly at: number; readonly node: number; readonly kind: Rot } | undefined;
  readonly restartAllAt: number | undefined;
  readonly partitions: readonly { readonly at: number; readonly lasts: number; readonly oneWay: boolean }[];
  readonly slow: { readonly node: number; readonly delay: number } | undefined;
  /** Milliseconds by which wall clocks are ahead, by machine. */
  readonly clocks: readonly number[];
  readonly clockSteps: readonly { readonly at: number; readonly node: number; readonly error: number }[];
  readonly follower: boolean;
}

const MOST_CLOCK_ERROR = 5_000;

export function scenarioOf(seed: number, pins: Partial<Facets> = {}): Scenario {
  const facets = facetsOf(seed, pins);
  const { committee, adversary: adversaryFacet } = facets;
  const random = new Prng(`scenario ${seed}`);
  const stream = (name: string): Prng => new Prng(`scenario ${seed}/${name}`);
  const stakes: readonly number[] = COMMITTEES[committee];
  const large = stakes.length >= 31;
  const trouble = large ? random.int(2_000, 4_000) : random.int(4_000, 9_000);
  const excess = adversaryFacet.endsWith(EXCESS);
  const guilty = choose(stakes, excess, stream('guilty'));
  const disk = diskOf(facets, stakes.length, trouble, stream('disk'));
  // What rots is lost for good, so it counts among those that may fail.
  const rotten = facets.disk === 'rot' && !excess ? guilty.pop() : undefined;
  const adversary = guilty.length === 0 ? 'none' : kindOf(adversaryFacet);
  const named = guilty.length === 0 ? { ...facets, adversary } : facets;
  return {
    seed,
    name: nameOf(named),
    facets: named,
    stakes,
    adversary,
    specialty: random.chance(0.5) ? random.pick(DEEDS) : undefined,
    guilty: guilty[0] ?? rotten ?? 0,
    accomplices: guilty.slice(1),
    excess,
    scheme: seed % 100 === 7 && stakes.length < 100 ? 'ed25519' : 'hash',
    timing: {
      blockInterval: random.pick([100, 200, 300]),
      delta: 60,
      executionBudget: 80,
      resendInterval: 400,
      standstill: 1_500,
      standstillBytesPerSecond: random.pick([8_192, 65_536]) * (large ? 4 : 1),
    },
    trouble,
    follower: random.chance(0.2),
    ...networkOf(facets, stakes.length, trouble, stream('network')),
    ...disk,
    rot:
      rotten === undefined
        ? undefined
        : {
            at: random.int(300, trouble),
            node: rotten,
            kind: random.pick(['flip', 'flip', 'cut', 'gone'] as const),
          },
    ...clocksOf(facets, stakes.length + 1, trouble, stream('clocks')),
  };
}

function facetsOf(seed: number, pins: Partial<Facets>): Facets {
  const draw = <T>(facet: string, values: readonly T[]): T => new Prng(`facet ${seed}/${facet}`).pick(values);
  return {
    committee: draw('committee', SIZES[sizeOf(seed)]),
    adversary: draw<AdversaryFacet>('adversary', [
      ...DISHONEST.flatMap((kind) => [kind, kind]),
      ...(['none', 'none', 'twins', 'conflicter', 'conflicter'] as const),
      draw('excess', EXCESSIVE),
    ]),
    network: draw('network', [
      'calm',
      'lossy',
      'lossy',
      'doubling',
      'partitions',
      'partitions',
      'one-way',
      'slow-node',
      'storm',
      'storm',
      'storm',
    ] as const),
    disk: draw('disk', [
      'sound',
      'crashes',
      'crashes',
      'fail-points',
      'fail-points',
      'io-errors',
      'disk-full',
      'rot',
      'restart-all',
      'ruin',
      'ruin',
      'ruin',
    ] as const),
    clocks: draw('clocks', [
      'true-clocks',
      'true-clocks',
      'true-clocks',
      'one-clock-off',
      'clocks-off',
      'clock-steps',
    ] as const),
    ...pins,
  };
}

function kindOf(facet: AdversaryFacet): AdversaryKind {
  return (facet.endsWith(EXCESS) ? facet.slice(0, -EXCESS.length) : facet) as AdversaryKind;
}

/** Validators with just under a third of the stake, or just above it, by chance. */
function choose(stakes: readonly number[], excess: boolean, random: Prng): number[] {
  const total = stakes.reduce((sum, stake) => sum + stake, 0);
  const order = stakes.map((_, index) => index);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.int(0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const chosen: number[] = [];
  let held = 0;
  for (const index of order) {
    if (excess ? 3 * held > total : 3 * (held + stakes[index]!) >= total) continue;
    chosen.push(index);
    held += stakes[index]!;
  }
  return chosen;
}

function networkOf(
  { network, adversary }: Facets,
  count: number,
  trouble: number,
  random: Prng,
): Pick<Scenario, 'loss' | 'duplication' | 'maxDelay' | 'partitions' | 'slow'> {
  const storm = network === 'storm';
  const partition = (oneWay: boolean): Scenario['partitions'][number] => ({
    at: random.int(0, trouble),
    lasts: random.int(300, 3_000),
    oneWay,
  });
  const partitions: Scenario['partitions'][number][] = [];
  if (network === 'partitions' || network === 'one-way') {
    const times = random.int(1, 3);
    for (let i = 0; i < times; i++) partitions.push(partition(network === 'one-way'));
  } else if (storm) {
    const times = random.int(0, 2);
    for (let i = 0; i < times; i++) partitions.push(partition(random.chance(0.4)));
  } else if (adversary.endsWith(EXCESS) && random.chance(0.7)) {
    // Those who hold more than a third need to keep the others apart.
    partitions.push({ at: random.int(0, 500), lasts: trouble, oneWay: false });
  }
  return {
    loss:
      network === 'lossy'
        ? random.pick([0.05, 0.1, 0.25, 0.4, 0.5])
        : storm
          ? random.pick([0.02, 0.05, 0.1, 0.25, 0.4])
          : 0,
    duplication: network === 'doubling' ? random.pick([0.1, 0.3]) : storm ? random.pick([0, 0.1]) : 0,
    maxDelay:
      network === 'calm'
        ? random.pick([5, 30])
        : network === 'doubling'
          ? random.pick([60, 150, 200])
          : random.pick([5, 30, 60, 150]),
    partitions,
    slow:
      network === 'slow-node' || (storm && random.chance(0.2))
        ? { node: random.int(0, count - 1), delay: random.int(100, 1_500) }
        : undefined,
  };
}

function diskOf(
  { disk }: Facets,
  count: number,
  trouble: number,
  random: Prng,
): Pick<Scenario, 'crashes' | 'failPoints' | 'fullDisks' | 'restartAllAt'> {
  const ruin = disk === 'ruin';
  const list = <T>(wanted: boolean, least: number, most: number, make: () => T): T[] =>
    wanted ? Array.from({ length: random.int(least, most) }, make) : [];
  const place = (): { at: number; node: number } => ({
    at: random.int(0, trouble),
    node: random.int(0, count - 1),
  });
  const more = Math.ceil(count / 7);
  return {
    crashes: list(disk === 'crashes' || disk === 'restart-all' || ruin, 1, 5 * more, () => ({
      ...place(),
      downtime: random.int(20, 3_000),
      kill: random.chance(0.3),
    })),
    failPoints: [
      ...list(disk === 'fail-points' || ruin, 3, 10 * more, () => ({
        ...place(),
        operations: random.int(0, 3),
        when: random.pick(['before', 'during', 'after'] as const),
        operation: random.pick(OPERATIONS),
        kill: random.chance(0.4),
        downtime: random.int(20, 1_500),
      })),
      ...list(disk === 'io-errors' || ruin, 1, 4 * more, () => ({
        ...place(),
        operations: random.int(0, 12),
        when: 'error' as const,
        operation: random.chance(0.5) ? ('sync' as const) : undefined,
        downtime: random.int(20, 1_500),
      })),
    ],
    fullDisks: list(disk === 'disk-full' || (ruin && random.chance(0.3)), 1, 2 * more, () => ({
      ...place(),
      lasts: random.int(200, 4_000),
    })),
    restartAllAt:
      disk === 'restart-all' || (ruin && random.chance(0.25)) ? random.int(500, trouble) : undefined,
  };
}

function clocksOf(
  { clocks }: Facets,
  count: number,
  trouble: number,
  random: Prng,
): Pick<Scenario, 'clocks' | 'clockSteps'> {
  const error = (): number => random.int(-MOST_CLOCK_ERROR, MOST_CLOCK_ERROR);
  const one = random.int(0, count - 1);
  const off = clocks === 'clocks-off' || clocks === 'clock-steps';
  return {
    clocks: Array.from({ length: count }, (_, node) => {
      if (clocks === 'one-clock-off') return node === one ? random.pick([-1, 1]) * MOST_CLOCK_ERROR : 0;
      return off ? error() : 0;
    }),
    clockSteps:
      clocks === 'clock-steps'
        ? Array.from({ length: random.int(1, 6) }, () => ({
            at: random.int(0, trouble),
            node: random.int(0, count - 1),
            error: error(),
          }))
        : [],
  };
}
