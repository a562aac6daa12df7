/**
 * What happens to the network and when: rounds of a storm, in which several faults come and go, and of a calm, in
 * which nothing is wrong. All of it follows from the seed and the number of nodes, and a longer run begins like a
 * shorter one; what the processes do meanwhile does not follow from anything. Every kind of fault comes up before any
 * comes up twice, and every fault ends within its storm.
 */
import { Prng } from '../simulator/prng.ts';

export const KINDS = [
  'kill',
  'pause',
  'disk',
  'bandwidth',
  'loss',
  'delay',
  'partition',
  'one-way',
  'link',
] as const;
export type Kind = (typeof KINDS)[number];

interface Span {
  /** Of the storm's beginning, ms. */
  readonly atMs: number;
  readonly forMs: number;
}

/** Nodes are numbered from 0; their lists are sorted, not empty and without repeats. */
export type Fault = Span &
  (
    | { readonly kind: 'kill' | 'pause'; readonly nodes: readonly number[] }
    /** The small disk is filled until so many bytes are left. */
    | { readonly kind: 'disk'; readonly nodes: readonly number[]; readonly leftBytes: number }
    | { readonly kind: 'bandwidth'; readonly nodes: readonly number[]; readonly kbit: number }
    /** Each packet to and from these nodes is lost with a probability, in parts per million. */
    | { readonly kind: 'loss'; readonly nodes: readonly number[]; readonly ppm: number }
    /** What goes to and from these nodes is late by up to `jitterMs` more. */
    | {
        readonly kind: 'delay';
        readonly nodes: readonly number[];
        readonly delayMs: number;
        readonly jitterMs: number;
      }
    /** Nothing passes between these nodes and the others. */
    | { readonly kind: 'partition'; readonly nodes: readonly number[] }
    /** Nothing passes from these nodes to the others. */
    | { readonly kind: 'one-way'; readonly nodes: readonly number[] }
    /** Nothing passes from the first node to the second, nor back if `bothWays`. */
    | { readonly kind: 'link'; readonly nodes: readonly [number, number]; readonly bothWays: boolean }
  );

export interface Round {
  readonly round: number;
  readonly stormMs: number;
  /** Least length of the calm: it goes on until the network is well. */
  readonly calmMs: number;
  readonly faults: readonly Fault[];
}

export interface Schedule {
  readonly seed: number;
  readonly nodes: number;
  /** The node whose data directory is on a small file system of its own. */
  readonly smallDisk: number;
  readonly rounds: readonly Round[];
}

export const LEAST_NODES = 4;
export const MOST_NODES = 7;

const FEWEST_FAULTS = 5;
const MOST_FAULTS = 7;
const STORM_MS = [14_000, 24_000] as const;
const CALM_MS = [8_000, 12_000] as const;
const MIB = 1024 * 1024;
const KBITS = [64, 128, 256, 512, 1_024, 4_096];
/** In the order of `KINDS`: ms, shortest and longest. */
const LENGTHS: Readonly<Record<Kind, readonly [number, number]>> = {
  kill: [300, 8_000],
  pause: [500, 10_000],
  disk: [3_000, 9_000],
  bandwidth: [4_000, 14_000],
  loss: [4_000, 14_000],
  delay: [4_000, 14_000],
  partition: [2_000, 12_000],
  'one-way': [2_000, 12_000],
  link: [2_000, 14_000],
};

function shuffled<T>(items: readonly T[], prng: Prng): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = prng.int(0, i);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

function some(count: number, nodes: number, prng: Prng): number[] {
  const all = Array.from({ length: nodes }, (_, i) => i);
  return shuffled(all, prng)
    .slice(0, count)
    .sort((a, b) => a - b);
}

/** Mostly fewer than a third of the nodes, so that the others go on; sometimes any number, or all. */
function victims(nodes: number, prng: Prng): number[] {
  const few = Math.max(1, Math.ceil(nodes / 3) - 1);
  const most = prng.pick([few, few, few, nodes - 1, nodes]);
  return some(prng.int(1, most), nodes, prng);
}

function faultOf(kind: Kind, stormMs: number, nodes: number, smallDisk: number, prng: Prng): Fault {
  const [shortest, longest] = LENGTHS[kind];
  const forMs = prng.int(shortest, longest);
  const span = { atMs: prng.int(0, stormMs - forMs), forMs };
  switch (kind) {
    case 'kill':
    case 'pause':
      return { kind, ...span, nodes: victims(nodes, prng) };
    case 'disk':
      return { kind, ...span, nodes: [smallDisk], leftBytes: prng.pick([0, 0, 4 * MIB]) };
    case 'bandwidth':
      return { kind, ...span, nodes: victims(nodes, prng), kbit: prng.pick(KBITS) };
    case 'loss':
      return { kind, ...span, nodes: victims(nodes, prng), ppm: prng.int(5_000, 300_000) };
    case 'delay': {
      const delayMs = prng.int(10, 400);
      return { kind, ...span, nodes: victims(nodes, prng), delayMs, jitterMs: prng.int(0, delayMs) };
    }
    case 'partition':
    case 'one-way':
      return { kind, ...span, nodes: some(prng.int(1, nodes - 1), nodes, prng) };
    case 'link': {
      const [from, to] = shuffled(some(2, nodes, prng), prng) as [number, number];
      return { kind, ...span, nodes: [from, to], bothWays: prng.chance(0.5) };
    }
  }
}

/** How many nodes a seed asks for, where nobody chose. */
export function nodesOf(seed: number): number {
  return new Prng(`chaos/${seed}/nodes`).int(LEAST_NODES, MOST_NODES);
}

/** As many whole rounds as it takes to fill `minutes`. */
export function makeSchedule(seed: number, nodes: number, minutes: number): Schedule {
  const prng = new Prng(`chaos/${seed}/${nodes}`);
  const smallDisk = prng.int(0, nodes - 1);
  const rounds: Round[] = [];
  let deck: Kind[] = [];
  for (let left = 60_000 * minutes; left > 0; ) {
    const stormMs = prng.int(...STORM_MS);
    const calmMs = prng.int(...CALM_MS);
    const faults: Fault[] = [];
    for (let count = prng.int(FEWEST_FAULTS, MOST_FAULTS); count > 0; count--) {
      if (deck.length === 0) deck = shuffled(KINDS, prng);
      faults.push(faultOf(deck.pop()!, stormMs, nodes, smallDisk, prng));
    }
    faults.sort((a, b) => a.atMs - b.atMs);
    rounds.push({ round: rounds.length, stormMs, calmMs, faults });
    left -= stormMs + calmMs;
  }
  return { seed, nodes, smallDisk, rounds };
}

/** How often each kind comes up. */
export function countKinds(rounds: readonly Round[]): Record<Kind, number> {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
  for (const { faults } of rounds) for (const { kind } of faults) counts[kind] += 1;
  return counts;
}

function particulars(fault: Fault): string {
  const names = fault.nodes.join(' ');
  switch (fault.kind) {
    case 'kill':
      return `kill ${names}, start again`;
    case 'pause':
      return `pause ${names}`;
    case 'disk':
      return `fill the disk of ${names} but for ${fault.leftBytes} bytes`;
    case 'bandwidth':
      return `${fault.kbit} kbit/s to and from ${names}`;
    case 'loss':
      return `${fault.ppm / 10_000} % of the packets to and from ${names} are lost`;
    case 'delay':
      return `${fault.delayMs} to ${fault.delayMs + fault.jitterMs} ms of delay to and from ${names}`;
    case 'partition':
      return `nothing passes between ${names} and the others`;
    case 'one-way':
      return `nothing passes from ${names} to the others`;
    case 'link':
      return `nothing passes from ${fault.nodes[0]} to ${fault.nodes[1]}${fault.bothWays ? ' nor back' : ''}`;
  }
}

/** A round in words, a line a fault. */
export function describeRound({ round, stormMs, calmMs, faults }: Round): string[] {
  const seconds = (ms: number): string => (ms / 1_000).toFixed(3);
  return [
    `round ${round}: storm ${seconds(stormMs)} s, then calm for ${seconds(calmMs)} s or more`,
    ...faults.map(
      (fault) => `  +${seconds(fault.atMs)} s, ${seconds(fault.forMs)} s long: ${particulars(fault)}`,
    ),
  ];
}
