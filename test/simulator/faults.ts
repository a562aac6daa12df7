/**
 * What goes wrong in a run and when: plays the faults of a scenario on its machines until the network heals. A new
 * kind of fault is one more function here and one more field of the scenario.
 */
import type { Counters } from './counters.ts';
import type { SimNetwork } from './network.ts';
import type { SimNode } from './node.ts';
import type { Prng } from './prng.ts';
import type { Scenario } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';

export interface Stage {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  /** All machines that run the production replica, twins among them. */
  readonly nodes: readonly SimNode[];
  readonly random: Prng;
  readonly counters: Counters;
  /** Wall clocks: milliseconds ahead of the true time, by machine. */
  readonly clocks: number[];
  readonly start: (node: SimNode) => void;
  /** `deed` after `at` milliseconds, unless everything is healed by then. */
  readonly later: (at: number, deed: () => void) => void;
  readonly nodeOf: (index: number) => SimNode;
}

export function playFaults(scenario: Scenario, stage: Stage): void {
  playCrashes(scenario, stage);
  playFailPoints(scenario, stage);
  playDisks(scenario, stage);
  playPartitions(scenario, stage);
  const { clocks, counters, later, network, nodeOf } = stage;
  if (scenario.slow !== undefined) {
    const { node, delay } = scenario.slow;
    network.slowDown(nodeOf(node).name, delay);
    nodeOf(node).disk.slowness = 1 + delay / 100;
  }
  if (scenario.clocks.some((error) => error !== 0)) counters.count('runs with wrong clocks');
  for (const { at, node, error } of scenario.clockSteps) {
    later(at, () => {
      clocks[node] = error;
      counters.count('clock steps');
    });
  }
}

function playCrashes(
  scenario: Scenario,
  { scheduler, nodes, random, counters, start, later, nodeOf }: Stage,
): void {
  for (const { at, node, downtime, kill } of scenario.crashes) {
    later(at, () => {
      nodeOf(node).crash(kill);
      scheduler.after(downtime, () => start(nodeOf(node)));
    });
  }
  if (scenario.restartAllAt === undefined) return;
  later(scenario.restartAllAt, () => {
    counters.count('everybody restarted at once');
    for (const node of nodes) {
      node.crash();
      scheduler.after(random.int(5, 400), () => start(node));
    }
  });
}

function playFailPoints(scenario: Scenario, { scheduler, start, later, nodeOf }: Stage): void {
  for (const { at, node, operations, when, operation, kill, downtime } of scenario.failPoints) {
    later(at, () => {
      const target = nodeOf(node);
      // One that is down dies while it starts.
      target.disk.failPoint = { countdown: operations, when, operation, kill };
      const watch = (): void => {
        if (!target.running) start(target);
        else if (scheduler.now() < scenario.trouble) scheduler.after(downtime, watch);
      };
      scheduler.after(downtime, watch);
    });
  }
}

function playDisks(scenario: Scenario, { scheduler, nodes, random, start, later, nodeOf }: Stage): void {
  for (const { at, node, lasts } of scenario.fullDisks) {
    later(at, () => {
      const target = nodeOf(node);
      target.disk.full = true;
      scheduler.after(lasts, () => {
        target.disk.full = false;
        start(target);
      });
    });
  }
  const { rot } = scenario;
  if (rot === undefined) return;
  later(rot.at, () => {
    // Nobody else's: with the dishonest together it must stay under a third.
    const target = nodes.find(({ index }) => index === rot.node);
    if (target === undefined || !target.running) return;
    target.rot(rot.kind);
    scheduler.after(random.int(20, 400), () => start(target));
  });
}

function playPartitions(scenario: Scenario, { scheduler, network, random, counters, later }: Stage): void {
  for (const { at, lasts, oneWay } of scenario.partitions) {
    later(at, () => {
      counters.count(oneWay ? 'one-way partitions' : 'partitions');
      const side = sides(scenario, network, random);
      for (const a of network.endpoints) {
        for (const b of network.endpoints) {
          if (side.has(a.name) && !side.has(b.name)) {
            network.cut(a.name, b.name);
            if (!oneWay) network.cut(b.name, a.name);
          }
        }
      }
      scheduler.after(lasts, () => network.reconnect());
    });
  }
}

/**
 * One side of a partition. Twins that hold more than a third of the stake stand on either side; another adversary as
 * strong as that is cut off from nobody, which a place on neither side would be: it stays on both by being left out.
 */
function sides({ excess }: Scenario, network: SimNetwork, random: Prng): Set<string> {
  const names = network.endpoints.map(({ name }) => name);
  if (!excess) return new Set(names.filter(() => random.chance(0.5)));
  return new Set(
    names.filter((name) => (name.startsWith('t') ? false : twinned(name, names) || random.chance(0.5))),
  );
}

function twinned(name: string, names: readonly string[]): boolean {
  return names.includes(`t${name.slice(1)}`);
}
