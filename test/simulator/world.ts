/**
 * One run: builds the machines that a scenario asks for, plays its faults, heals everything and waits for
 * progress. The result is a function of the seed.
 */
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { Adversary } from './adversary.ts';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import { Oracle } from './oracle.ts';
import { Prng } from './prng.ts';
import type { Scenario } from './scenario.ts';
import { Scheduler } from './scheduler.ts';
import { ed25519Scheme, keyedHashScheme } from './scheme.ts';
import { Trace } from './trace.ts';

/** What every machine has to finalise after the network has healed. */
const DUE_FINALIZATIONS = 10;
/** In at most so much virtual time, and so many views. */
const PATIENCE = 90_000;
const DUE_VIEWS = 120;
const MAX_DISK_BYTES = 96 * 1024;

export interface RunResult {
  readonly seed: number;
  /** Height of the finalised chain. */
  readonly finalizations: number;
  readonly violations: readonly string[];
  /** Why there was no progress after healing, or undefined. */
  readonly stuck: string | undefined;
  readonly traceHash: string;
  readonly restarts: number;
  readonly missed: Readonly<Record<string, number>>;
}

export async function runScenario(scenario: Scenario, print?: (line: string) => void): Promise<RunResult> {
  const random = new Prng(`run ${scenario.seed}`);
  const scheduler = new Scheduler();
  const trace = new Trace(print);
  const { stakes, guilty, adversary } = scenario;
  const scheme = (scenario.scheme === 'hash' ? keyedHashScheme : ed25519Scheme)(stakes.length, 'simulated');
  const genesisHash: Bytes = sha256(utf8('simulated genesis'));
  const validators = stakes.map((stake, index) => ({
    publicKey: scheme.keys[index]!.publicKey,
    stake: BigInt(stake),
  }));
  const set = createValidatorSet(0, sha256(utf8(`leaders ${scenario.seed}`)), validators);
  const publicKeys = validators.map(({ publicKey }) => publicKey);
  const oracle = new Oracle(publicKeys, stakes, genesisHash, scheme.verifier);
  const network = new SimNetwork(scheduler, random.fork('network'), {
    loss: scenario.loss,
    duplication: scenario.duplication,
    minDelay: 1,
    maxDelay: scenario.maxDelay,
  });
  const suspects = new Set<string>();
  const nodes: SimNode[] = [];
  const addNode = (name: string, index: number, honest: boolean, follower: boolean): void => {
    if (!honest) suspects.add(name);
    const { timing } = scenario;
    const node = new SimNode({
      ...{ name, index, honest, follower, set, genesisHash, scheme, timing },
      ...{ scheduler, network, oracle, trace, suspects, random: random.fork(name) },
    });
    nodes.push(node);
    network.endpoints.push(node);
  };
  for (let index = 0; index < stakes.length; index++) {
    if (index === guilty && adversary === 'conflicter') {
      suspects.add(`a${index}`);
      const key = scheme.keys[index]!;
      network.endpoints.push(
        new Adversary({
          ...{ index, key, set, genesisHash, scheduler, network, trace, specialty: scenario.specialty },
          random: random.fork('adversary'),
        }),
      );
    } else {
      const honest = index !== guilty || adversary !== 'twins';
      addNode(`n${index}`, index, honest, false);
      if (!honest) addNode(`t${index}`, index, false, false);
    }
  }
  if (scenario.follower) addNode('f', stakes.length, true, true);
  const honestNodes = nodes.filter(({ name }) => !suspects.has(name));
  const start = (node: SimNode): void => {
    if (node.running) return;
    node.restarts++;
    node.start();
    if (random.chance(0.3)) scheduler.after(20, () => node.askForTip());
  };
  for (const node of nodes) scheduler.after(random.int(0, 50), () => node.start());
  playFaults(scenario, { scheduler, network, nodes, random, start });
  await scheduler.run(scenario.trouble, () => oracle.violations.length > 0);

  trace.add(scheduler.now(), 'healed');
  network.heal();
  for (const node of nodes) {
    node.disk.failPoint = undefined;
    start(node);
  }
  const healedHeights = new Map(honestNodes.map(({ name }) => [name, oracle.heightOf(name)]));
  const healedBase = oracle.finalizedHeight;
  const healedView = Math.max(0, ...honestNodes.map(({ replica }) => replica?.view ?? 0));
  const behind = (): SimNode[] =>
    honestNodes.filter(
      ({ name }) =>
        oracle.heightOf(name) < healedBase + DUE_FINALIZATIONS ||
        oracle.heightOf(name) < (healedHeights.get(name) ?? 0) + DUE_FINALIZATIONS,
    );
  const viewNow = (): number => Math.max(0, ...honestNodes.map(({ replica }) => replica?.view ?? 0));
  await scheduler.run(
    scheduler.now() + PATIENCE,
    () => oracle.violations.length > 0 || behind().length === 0,
  );
  const late = behind();
  const views = viewNow() - healedView;
  oracle.finish();
  if (oracle.violations.length === 0) checkBounds(honestNodes, oracle);
  const missed: Record<string, number> = {};
  for (const node of honestNodes) {
    for (const [reason, count] of node.missed) missed[reason] = (missed[reason] ?? 0) + count;
  }
  const stuck =
    late.length > 0
      ? `${late.map(({ name }) => `${name} at ${oracle.heightOf(name)}`).join(', ')} of ${oracle.finalizedHeight}`
      : views > DUE_VIEWS
        ? `${views} views for ${DUE_FINALIZATIONS} finalizations`
        : undefined;
  return {
    seed: scenario.seed,
    finalizations: oracle.finalizedHeight,
    violations: oracle.violations,
    stuck: oracle.violations.length > 0 ? undefined : stuck,
    traceHash: trace.digest(),
    restarts: nodes.reduce((sum, { restarts }) => sum + restarts, 0),
    missed,
  };
}

interface Stage {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly nodes: readonly SimNode[];
  readonly random: Prng;
  readonly start: (node: SimNode) => void;
}

function playFaults(scenario: Scenario, { scheduler, network, nodes, random, start }: Stage): void {
  const nodeOf = (index: number): SimNode => nodes[index % nodes.length]!;
  const later = (at: number, deed: () => void): void => {
    scheduler.after(at, () => {
      if (scheduler.now() < scenario.trouble) deed();
    });
  };
  for (const { at, node, downtime } of scenario.crashes) {
    later(at, () => {
      nodeOf(node).crash();
      scheduler.after(downtime, () => start(nodeOf(node)));
    });
  }
  for (const { at, node, operations, when, downtime } of scenario.failPoints) {
    later(at, () => {
      const target = nodeOf(node);
      if (!target.running) return;
      target.disk.failPoint = { countdown: operations, when };
      const watch = (): void => {
        if (!target.running) start(target);
        else if (scheduler.now() < scenario.trouble) scheduler.after(downtime, watch);
      };
      scheduler.after(downtime, watch);
    });
  }
  if (scenario.restartAllAt !== undefined) {
    later(scenario.restartAllAt, () => {
      for (const node of nodes) {
        node.crash();
        scheduler.after(random.int(5, 400), () => start(node));
      }
    });
  }
  for (const { at, lasts, oneWay } of scenario.partitions) {
    later(at, () => {
      const side = new Set(network.endpoints.filter(() => random.chance(0.5)).map(({ name }) => name));
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

function checkBounds(nodes: readonly SimNode[], oracle: Oracle): void {
  for (const { name, replica, disk } of nodes) {
    const metrics = replica?.metrics();
    if (metrics === undefined) continue;
    if (metrics.rounds > metrics.view - metrics.lastFinalized + 3) {
      oracle.violation(
        `${name} holds ${metrics.rounds} views from ${metrics.lastFinalized} to ${metrics.view}`,
      );
    }
    if (disk.totalBytes > MAX_DISK_BYTES)
      oracle.violation(`${name} keeps ${disk.totalBytes} bytes of journal`);
  }
}
