/**
 * The five facets of a scenario and the values that each can take. A scenario is one value of each; what the value
 * stands for in numbers is drawn from the seed in scenario.ts. Further facets (epochs, joiners, slashes) are further
 * lists here.
 */
import { type AdversaryKind, ADVERSARIES as DISHONEST } from './adversaries/catalogue.ts';

const skewed = (count: number): number[] => {
  // One validator at 32 %, the others share the rest unequally.
  const rest = Array.from({ length: count - 1 }, (_, i) => 1 + ((i * 7) % 5));
  const sum = rest.reduce((total, stake) => total + stake, 0);
  return [Math.floor((32 * sum) / 68), ...rest];
};
const equal = (count: number): number[] => Array.from({ length: count }, () => 10);

export const COMMITTEES = {
  '4-equal': [1, 1, 1, 1],
  '4-skewed': [32, 28, 22, 18],
  '5-skewed': [32, 22, 18, 16, 12],
  '6-equal': equal(6),
  '7-equal': equal(7),
  '7-skewed': [32, 20, 15, 12, 9, 7, 5],
  '10-equal': equal(10),
  '10-skewed': skewed(10),
  '31-equal': equal(31),
  '31-skewed': skewed(31),
  '100-equal': equal(100),
  '150-skewed': skewed(150),
} as const satisfies Readonly<Record<string, readonly number[]>>;

type CommitteeName = keyof typeof COMMITTEES;

/** Of a hundred seeds in a row, 85 have a small committee, 13 one of ten and 2 one of 31; one in a thousand is smoke. */
export const SIZES = {
  small: ['4-equal', '4-equal', '4-skewed', '4-skewed', '5-skewed', '6-equal', '7-equal', '7-skewed'],
  ten: ['10-equal', '10-skewed'],
  large: ['31-equal', '31-skewed'],
  smoke: ['100-equal', '150-skewed'],
} as const satisfies Readonly<Record<string, readonly CommitteeName[]>>;

export function sizeOf(seed: number): keyof typeof SIZES {
  if (seed % 1_000 === 500) return 'smoke';
  const place = ((seed % 100) * 37) % 100;
  return place < 85 ? 'small' : place < 98 ? 'ten' : 'large';
}

/** Just under a third of the stake, unless the name says otherwise. */
export const EXCESS = '-above-a-third';
type Excess = `${Exclude<AdversaryKind, 'none'>}${typeof EXCESS}`;
export type AdversaryFacet = AdversaryKind | Excess;

export const EXCESSIVE: readonly Excess[] = DISHONEST.map((kind) => `${kind}${EXCESS}` as const);
export const ADVERSARIES: readonly AdversaryFacet[] = ['none', ...DISHONEST, ...EXCESSIVE];
export const NETWORKS = ['calm', 'lossy', 'doubling', 'partitions', 'one-way', 'slow-node', 'storm'] as const;
export const DISKS = [
  'sound',
  'crashes',
  'fail-points',
  'io-errors',
  'disk-full',
  'rot',
  'restart-all',
  'ruin',
] as const;
export const CLOCKS = ['true-clocks', 'one-clock-off', 'clocks-off', 'clock-steps'] as const;

type NetworkFacet = (typeof NETWORKS)[number];
type DiskFacet = (typeof DISKS)[number];
type ClockFacet = (typeof CLOCKS)[number];

export interface Facets {
  readonly committee: CommitteeName;
  readonly adversary: AdversaryFacet;
  readonly network: NetworkFacet;
  readonly disk: DiskFacet;
  readonly clocks: ClockFacet;
}

const VALUES: Readonly<Record<keyof Facets, readonly string[]>> = {
  committee: Object.keys(COMMITTEES),
  adversary: ADVERSARIES,
  network: NETWORKS,
  disk: DISKS,
  clocks: CLOCKS,
};

export function nameOf({ committee, adversary, network, disk, clocks }: Facets): string {
  return [committee, adversary, network, disk, clocks].join('/');
}

/** What a name pins: any number of values, in any order, joined by slashes. Throws a `RangeError` for unknown ones. */
export function pinsOf(name: string): Partial<Facets> {
  const pins: Partial<Record<keyof Facets, string>> = {};
  for (const value of name.split('/')) {
    const facets = Object.entries(VALUES).filter(([, values]) => values.includes(value));
    const facet = facets[0]?.[0] as keyof Facets | undefined;
    if (facet === undefined) {
      const known = Object.entries(VALUES).map(([key, values]) => `  ${key}: ${values.join(' ')}`);
      throw new RangeError(`no scenario has ${value}; there are\n${known.join('\n')}`);
    }
    pins[facet] = value;
  }
  return pins as Partial<Facets>;
}
