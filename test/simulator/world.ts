/**
 * One run: builds the machines that a scenario asks for, plays its faults, heals everything and waits for
 * progress. The result is a function of the seed.
 */
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { createAdversary } from './adversaries/catalogue.ts';
import { addCounts, Counters } from './counters.ts';
import { playFaults, type Stage } from './faults.ts';
import { SimNetwork } from './network.ts';
import { SimNode, stackOf } from './node.ts';
import { Oracle } from './oracle.ts';
import { Prng } from './prng.ts';
import type { Scenario } from './scenario.ts';
import { Scheduler } from './scheduler.ts';
import { ed25519Scheme, keyedHashScheme } from './scheme.ts';
import { Trace } from './trace.ts';
import { Wire } from './wire.ts';

/** What every machine has to finalise after the network has healed. */
const DUE_FINALIZATIONS = 10;
/** A run is not over before this view. */
const LEAST_VIEWS = 50;
/** In at most so much virtual time, and so many views. */
const PATIENCE = 90_000;
const DUE_VIEWS = 120;
/** What is left of a clock's error when all is healed: at most 200 ms of 5 s. */
const LASTING_CLOCK_ERROR = 1 / 25;
/** How long a run in which safety may be lost is watched after healing. */
const AFTERMATH = 4_000;
/** Between two looks at memory and journal. */
const BOUNDS_INTERVAL = 500;

export interface RunResult {
  readonly seed: number;
  readonly scenario: string;
  /** Height of the finalised chain. */
  readonly finalizations: number;
  readonly views: number;
  /** Virtual milliseconds. */
  readonly duration: number;
  readonly violations: readonly string[];
  /** Why there was no progress after healing, or undefined. */
  readonly stuck: string | undefined;
  readonly traceHash: string;
  readonly restarts: number;
  readonly missed: Readonly<Record<string, number>>;
  /** How often the adversary committed each of its misdeeds. */
  readonly deeds: Readonly<Record<string, number>>;
  /** Validators whose conflicting votes some honest machine holds, ascending. */
  readonly evidence: readonly number[];
  /** Faults that were injected and what came of them, by name. */
  readonly faults: Readonly<Record<string, number>>;
}

export async function runScenario(scenario: Scenario, print?: (line: string) => void): Promise<RunResult> {
  const world = new World(scenario, print);
  return world.run();
}

class World {
  readonly #scenario: Scenario;
  readonly #random: Prng;
  readonly #scheduler = new Scheduler();
  readonly #counters = new Counters();
  readonly #trace: Trace;
  readonly #oracle: Oracle;
  readonly #network: SimNetwork;
  readonly #nodes: SimNode[] = [];
  readonly #honest: SimNode[] = [];
  readonly #clocks: number[];
  readonly #seats: ReturnType<typeof createAdversary>;

  constructor(scenario: Scenario, print: ((line: string) => void) | undefined) {
    this.#scenario = scenario;
    this.#random = new Prng(`run ${scenario.seed}`);
    this.#trace = new Trace(print);
    this.#clocks = [...scenario.clocks];
    const { stakes, adversary, excess } = scenario;
    const scheme = (scenario.scheme === 'hash' ? keyedHashScheme : ed25519Scheme)(stakes.length, 'simulated');
    const genesisHash: Bytes = sha256(utf8('simulated genesis'));
    const publicKeys = stakes.map((_, index) => scheme.keys[index]!.publicKey);
    const validators = stakes.map((stake, index) => ({
      publicKey: publicKeys[index]!,
      stake: BigInt(stake),
    }));
    const set = createValidatorSet(0, sha256(utf8(`leaders ${scenario.seed}`)), validators);
    const guilty = adversary === 'none' ? [] : [scenario.guilty, ...scenario.accomplices];
    this.#oracle = new Oracle(publicKeys, stakes, genesisHash, scheme.verifier, {
      guilty: new Set(guilty),
      excess,
    });
    this.#network = new SimNetwork(
      this.#scheduler,
      this.#random.fork('network'),
      {
        loss: scenario.loss,
        duplication: scenario.duplication,
        minDelay: 1,
        maxDelay: scenario.maxDelay,
      },
      this.#counters,
    );
    const suspects = new Set<string>();
    const wire = new Wire(set);
    const addNode = (name: string, index: number, honest: boolean, follower = false): void => {
      const node = new SimNode({
        ...{ name, index, honest, follower, set, genesisHash, scheme, suspects, wire },
        ...{ timing: scenario.timing, scheduler: this.#scheduler, network: this.#network },
        ...{ oracle: this.#oracle, trace: this.#trace, counters: this.#counters },
        random: this.#random.fork(name),
        clockError: () => this.#clocks[index] ?? 0,
      });
      if (honest) this.#honest.push(node);
      else suspects.add(name);
      this.#nodes.push(node);
      this.#network.endpoints.push(node);
    };
    for (let index = 0; index < stakes.length; index++) {
      if (!guilty.includes(index)) addNode(`n${index}`, index, true);
      else if (adversary === 'twins') {
        addNode(`n${index}`, index, false);
        addNode(`t${index}`, index, false);
      }
    }
    this.#seats = createAdversary(adversary, {
      ...{ set, genesisHash, scheduler: this.#scheduler, network: this.#network, trace: this.#trace },
      ...{ timing: scenario.timing, specialty: scenario.specialty, random: this.#random.fork('adversary') },
      indexes: guilty,
      keys: guilty.map((index) => scheme.keys[index]!),
    });
    for (const seat of this.#seats) {
      suspects.add(seat.name);
      this.#network.endpoints.push(seat);
    }
    if (scenario.follower) addNode('f', stakes.length, true, true);
  }

  /** Whatever throws on the way, here or in the code under test, is a finding of this run. */
  async run(): Promise<RunResult> {
    const stray = (error: unknown): void => this.#oracle.violation(`nobody awaited: ${stackOf(error)}`);
    process.on('unhandledRejection', stray);
    let stuck: string | undefined;
    try {
      stuck = await this.#play();
    } catch (error) {
      this.#oracle.violation(`the run threw: ${stackOf(error)}`);
    } finally {
      process.off('unhandledRejection', stray);
    }
    return this.#result(stuck);
  }

  async #play(): Promise<string | undefined> {
    const [scenario, scheduler, oracle, network] = [
      this.#scenario,
      this.#scheduler,
      this.#oracle,
      this.#network,
    ];
    for (const node of this.#nodes) scheduler.after(this.#random.int(0, 50), () => node.start());
    playFaults(scenario, this.#stage());
    this.#watchBounds();
    const broken = (): boolean => oracle.violations.length > 0;
    await scheduler.run(scenario.trouble, broken);

    this.#trace.add(scheduler.now(), 'healed');
    network.heal();
    this.#clocks.forEach((error, machine) => {
      this.#clocks[machine] = error * LASTING_CLOCK_ERROR;
    });
    for (const node of this.#nodes) {
      node.disk.failPoint = undefined;
      node.disk.full = false;
      node.disk.slowness = 1;
      this.#start(node);
    }
    const stuck = scenario.excess ? await this.#aftermath() : await this.#recover();
    for (const node of this.#honest) node.checkBounds();
    oracle.finish();
    return stuck;
  }

  #stage(): Stage {
    const [scheduler, nodes] = [this.#scheduler, this.#nodes];
    return {
      ...{ scheduler, nodes, network: this.#network, counters: this.#counters, clocks: this.#clocks },
      random: this.#random.fork('faults'),
      start: (node) => this.#start(node),
      later: (at, deed) => {
        scheduler.after(at, () => {
          if (scheduler.now() < this.#scenario.trouble) deed();
        });
      },
      // Of validators the one with this index, of others any.
      nodeOf: (index) => nodes.find((node) => node.index === index) ?? nodes[index % nodes.length]!,
    };
  }

  #start(node: SimNode): void {
    if (node.running || node.lost) return;
    node.restarts++;
    node.start();
    if (this.#random.chance(0.3)) this.#scheduler.after(20, () => node.askForTip());
  }

  #watchBounds(): void {
    this.#scheduler.after(BOUNDS_INTERVAL, () => {
      for (const node of this.#honest) node.checkBounds();
      this.#watchBounds();
    });
  }

  /** Waits for ten finalizations by every honest machine that can still run; tells what did not come. */
  async #recover(): Promise<string | undefined> {
    const oracle = this.#oracle;
    const base = oracle.finalizedHeight;
    const goals = new Map(
      this.#honest.map(({ name }) => [name, Math.max(base, oracle.heightOf(name)) + DUE_FINALIZATIONS]),
    );
    const healedView = oracle.highestView;
    const behind = (): SimNode[] =>
      this.#honest.filter(({ name, lost }) => !lost && oracle.heightOf(name) < goals.get(name)!);
    let doneAt: number | undefined;
    let version = -1;
    await this.#scheduler.run(this.#scheduler.now() + PATIENCE, () => {
      if (oracle.version === version) return false;
      version = oracle.version;
      if (oracle.violations.length > 0) return true;
      if (doneAt === undefined && behind().length === 0) doneAt = oracle.highestView;
      return doneAt !== undefined && oracle.highestView >= LEAST_VIEWS;
    });
    if (oracle.violations.length > 0) return undefined;
    const late = behind();
    if (late.length > 0) {
      return `${late.map(({ name }) => `${name} at ${oracle.heightOf(name)}`).join(', ')} of ${oracle.finalizedHeight}`;
    }
    const views = (doneAt ?? oracle.highestView) - healedView;
    return views > DUE_VIEWS ? `${views} views for ${DUE_FINALIZATIONS} finalizations` : undefined;
  }

  /** With more than a third of the stake dishonest nothing is promised but what the oracle watches. */
  async #aftermath(): Promise<undefined> {
    const oracle = this.#oracle;
    const end = this.#scheduler.now() + AFTERMATH;
    await this.#scheduler.run(end, () => oracle.violations.length > 0);
  }

  #result(stuck: string | undefined): RunResult {
    const oracle = this.#oracle;
    const missed: Record<string, number> = {};
    for (const node of this.#honest) {
      for (const [reason, count] of node.missed) missed[reason] = (missed[reason] ?? 0) + count;
    }
    const deeds: Record<string, number> = {};
    // The seats of one adversary may share their list.
    for (const list of new Set(this.#seats.map((seat) => seat.deeds))) {
      addCounts(deeds, Object.fromEntries(list));
    }
    for (const [deed, times] of Object.entries(deeds)) this.#counters.count(`deed: ${deed}`, times);
    if (oracle.breaches > 0) this.#counters.count('runs with broken safety, above a third');
    this.#trace.add(
      this.#scheduler.now(),
      `${this.#network.delivered} delivered, ${oracle.signatures} signatures`,
    );
    return {
      seed: this.#scenario.seed,
      scenario: this.#scenario.name,
      finalizations: oracle.finalizedHeight,
      views: oracle.highestView,
      duration: Math.round(this.#scheduler.now()),
      violations: oracle.violations,
      stuck: oracle.violations.length > 0 ? undefined : stuck,
      traceHash: this.#trace.digest(),
      restarts: this.#nodes.reduce((sum, { restarts }) => sum + restarts, 0),
      missed,
      deeds,
      evidence: oracle.accusedValidators,
      faults: this.#counters.toRecord(),
    };
  }
}
