/**
 * What a set of faults makes of the network at one moment: which node is to run, how much of a disk is left, what
 * passes from whom to whom, how fast and how late; and the packet filter's rules for it. Pure, so that faults overlap as
 * they like and the end of one never undoes another.
 */
import type { Fault } from './schedule.ts';

interface Lateness {
  readonly delayMs: number;
  readonly jitterMs: number;
}

/** Lists are indexed by node, tables by [from][to]. */
export interface Conditions {
  readonly down: readonly boolean[];
  readonly paused: readonly boolean[];
  /** Bytes that its disk is filled up to, where it is. */
  readonly leftBytes: readonly (number | undefined)[];
  readonly kbit: readonly (number | undefined)[];
  /** Probability that a packet to or from the node is lost, in parts per million. */
  readonly lossPpm: readonly number[];
  readonly cut: readonly (readonly boolean[])[];
  readonly late: readonly (readonly Lateness[])[];
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

export function conditionsOf(active: readonly Fault[], nodes: number): Conditions {
  const all = Array.from({ length: nodes }, (_, i) => i);
  const of = <K extends Fault['kind']>(kind: K): Extract<Fault, { kind: K }>[] =>
    active.filter((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind);
  const on = <K extends Fault['kind']>(kind: K, node: number): Extract<Fault, { kind: K }>[] =>
    of(kind).filter((fault) => (fault.nodes as readonly number[]).includes(node));
  const isCut = (from: number, to: number): boolean =>
    from !== to &&
    (of('partition').some((f) => f.nodes.includes(from) !== f.nodes.includes(to)) ||
      of('one-way').some((f) => f.nodes.includes(from) && !f.nodes.includes(to)) ||
      of('link').some(
        ({ nodes: [a, b], bothWays }) => (a === from && b === to) || (bothWays && a === to && b === from),
      ));
  const lateness = (from: number, to: number): Lateness => {
    const faults = of('delay').filter((f) => f.nodes.includes(from) || f.nodes.includes(to));
    return {
      delayMs: faults.reduce((sum, { delayMs }) => sum + delayMs, 0),
      jitterMs: faults.reduce((sum, { jitterMs }) => sum + jitterMs, 0),
    };
  };
  return {
    down: all.map((node) => on('kill', node).length > 0),
    paused: all.map((node) => on('pause', node).length > 0),
    leftBytes: all.map((node) => least(on('disk', node).map(({ leftBytes }) => leftBytes))),
    kbit: all.map((node) => least(on('bandwidth', node).map(({ kbit }) => kbit))),
    lossPpm: all.map((node) => {
      const passes = on('loss', node).reduce((share, { ppm }) => share * (1 - ppm / 1e6), 1);
      return Math.round(1e6 * (1 - passes));
    }),
    cut: all.map((from) => all.map((to) => isCut(from, to))),
    late: all.map((from) => all.map((to) => lateness(from, to))),
  };
}

/** Moments at which the set of active faults changes, with the set from there on; the last one is empty. */
export function timeline(faults: readonly Fault[], stormMs: number): { atMs: number; active: Fault[] }[] {
  const moments = new Set([stormMs, ...faults.flatMap(({ atMs, forMs }) => [atMs, atMs + forMs])]);
  return [...moments]
    .sort((a, b) => a - b)
    .map((now) => ({
      atMs: now,
      active: faults.filter(({ atMs, forMs }) => atMs <= now && now < atMs + forMs && now < stormMs),
    }));
}

/** A node's own address, and the one that the relay has for it and that the others know. */
export interface Place {
  readonly own: string;
  readonly known: string;
}

function table(rules: readonly string[]): string {
  return ['*filter', ':INPUT ACCEPT [0:0]', ...rules, 'COMMIT', ''].join('\n');
}

function lossRule(match: string, ppm: number): string[] {
  if (ppm === 0) return [];
  return [`-A INPUT ${match} -m statistic --mode random --probability ${(ppm / 1e6).toFixed(6)} -j DROP`];
}

/** Input of `iptables-restore` in a node's namespace: what on its way to the node does not arrive. */
export function nodeRules(node: number, places: readonly Place[], now: Conditions): string {
  return table([
    ...places.flatMap(({ known }, from) =>
      now.cut[from]![node]! ? [`-A INPUT -s ${known}/32 -j DROP`] : [],
    ),
    ...lossRule('-i net0', now.lossPpm[node]!),
  ]);
}

/** The same where the relay is: what on its way from a node does not arrive. */
export function hubRules(places: readonly Place[], now: Conditions): string {
  return table(
    places.flatMap(({ own }, from) => [
      ...places.flatMap(({ known }, to) =>
        now.cut[from]![to]! ? [`-A INPUT -s ${own}/32 -d ${known}/32 -j DROP`] : [],
      ),
      ...lossRule(`-s ${own}/32`, now.lossPpm[from]!),
    ]),
  );
}
