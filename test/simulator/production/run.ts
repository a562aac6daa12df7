/**
 * Runs around the production block application: honest validators of any weights under loss, reordering, partitions
 * and deaths, above all in the middle of a commit, while users send transactions. After healing every machine has to
 * finalise ten more blocks. A run is a function of its seed.
 */
import { type Genesis, validateGenesis } from '../../../src/chain/genesis.ts';
import { createValidatorSet } from '../../../src/consensus/validator-set.ts';
import { SimNetwork } from '../network.ts';
import { Prng } from '../prng.ts';
import { Scheduler } from '../scheduler.ts';
import { keyedHashScheme } from '../scheme.ts';
import { Trace } from '../trace.ts';
import { Checks } from './checks.ts';
import { COMMIT_POINTS, Machine } from './machine.ts';
import { makeGenesis, Traffic } from './traffic.ts';

const DUE_BLOCKS = 10;
const PATIENCE = 90_000;
const ACCOUNTS = 6;
const STAKES: readonly (readonly number[])[] = [
  [1, 1, 1, 1],
  [32, 28, 22, 18],
  [10, 10, 10, 10, 10, 10, 10],
];

interface ProductionResult {
  readonly seed: number;
  readonly blocks: number;
  readonly transactions: number;
  readonly recounts: number;
  readonly deaths: Readonly<Record<string, number>>;
  readonly submissions: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  readonly stuck: string | undefined;
  readonly traceHash: string;
}

interface Stage {
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly machines: readonly Machine[];
  readonly checks: Checks;
  readonly network: SimNetwork;
  readonly trouble: number;
}

interface ProductionOptions {
  readonly print?: (line: string) => void;
  /** Stores that lose what they said was synced: what does not find this finds nothing. */
  readonly forgetful?: boolean;
}

export async function runProduction(
  seed: number,
  options: ProductionOptions = {},
): Promise<ProductionResult> {
  const { print, forgetful = false } = options;
  const random = new Prng(`production ${seed}`);
  const stakes = random.pick(STAKES);
  const scheduler = new Scheduler();
  const trace = new Trace(print);
  const checks = new Checks();
  const scheme = keyedHashScheme(stakes.length + ACCOUNTS, 'production');
  const validators = stakes.map((stake, index) => ({
    publicKey: scheme.keys[index]!.publicKey,
    stake: 1_000_000n * BigInt(stake),
  }));
  const accounts = scheme.keys.slice(stakes.length);
  const timing = { blockInterval: random.pick([100, 200]), delta: 60, executionBudget: 80 };
  const genesis: Genesis = makeGenesis(seed, timing, validators, accounts);
  validateGenesis(genesis);
  const set = createValidatorSet(0, genesis.seed, genesis.validators);
  const quiet = random.chance(0.15);
  const network = new SimNetwork(scheduler, random.fork('network'), {
    loss: quiet ? 0 : random.pick([0, 0.05, 0.15, 0.3]),
    duplication: quiet ? 0 : random.pick([0, 0.1]),
    minDelay: 1,
    maxDelay: random.pick([5, 30, 60]),
  });
  const machines = stakes.map((_, index) => {
    const name = `n${index}`;
    const parts = { name, index, genesis, set, scheme, scheduler, network, trace, checks, forgetful };
    return new Machine({ ...parts, random: random.fork(name) });
  });
  network.endpoints.push(...machines);
  const trouble = random.int(4_000, 8_000);
  const stage: Stage = { scheduler, random, machines, checks, network, trouble };
  for (const machine of machines) scheduler.after(random.int(0, 50), () => machine.start());
  sendTransactions(stage, new Traffic(random.fork('traffic'), genesis, accounts));
  if (!quiet) playFaults(stage);
  const broken = (): boolean => checks.violations.length > 0;
  await scheduler.run(trouble, broken);

  trace.add(scheduler.now(), 'healed');
  network.heal();
  for (const machine of machines) {
    machine.armed = undefined;
    machine.disk.failPoint = undefined;
    machine.store.failNext = false;
    machine.start();
  }
  const goal = checks.height + DUE_BLOCKS;
  const behind = (): Machine[] => machines.filter(({ name }) => checks.heightOf(name) < goal);
  await scheduler.run(scheduler.now() + PATIENCE, () => broken() || behind().length === 0);
  const late = behind().map(({ name, view }) => `${name} at ${checks.heightOf(name)} in view ${view}`);
  const deaths: Record<string, number> = {};
  for (const machine of machines) {
    for (const [where, count] of machine.deaths) deaths[where] = (deaths[where] ?? 0) + count;
  }
  return {
    ...{ seed, blocks: checks.height, transactions: checks.transactions, recounts: checks.recounts, deaths },
    submissions: Object.fromEntries(checks.submissions),
    violations: checks.violations,
    stuck: broken() || late.length === 0 ? undefined : `${late.join(', ')} of ${goal}`,
    traceHash: trace.digest(),
  };
}

/** Every so often somebody sends something to some machine. */
function sendTransactions(stage: Stage, traffic: Traffic): void {
  const { scheduler, random, machines, checks } = stage;
  const users = random.fork('users');
  const send = (): void => {
    const bytes = traffic.next(checks.height + 1);
    for (const machine of machines) {
      if (!users.chance(0.4)) continue;
      machine
        .submit(bytes)
        .catch((error: unknown) => checks.broken(`${machine.name} on a submission: ${String(error)}`));
    }
    scheduler.after(users.int(5, 60), send);
  };
  scheduler.after(100, send);
}

function playFaults(stage: Stage): void {
  const { scheduler, random, machines, network, trouble } = stage;
  const faults = random.fork('faults');
  const later = (at: number, deed: () => void): void => {
    scheduler.after(at, () => {
      if (scheduler.now() < trouble) deed();
    });
  };
  /** Starts it again some time after it has died. */
  const revive = (machine: Machine): void => {
    const look = (): void => {
      if (!machine.running) machine.start();
      else if (scheduler.now() < trouble) scheduler.after(100, look);
    };
    scheduler.after(faults.int(20, 1_500), look);
  };
  for (let i = faults.int(2, 8); i > 0; i--) {
    const machine = faults.pick(machines);
    const kind = faults.int(0, 9);
    const point = faults.pick(COMMIT_POINTS);
    const operations = faults.int(0, 12);
    const when = faults.pick(['before', 'after'] as const);
    later(faults.int(200, trouble), () => {
      if (!machine.running) return;
      if (kind < 5) machine.armed = point;
      else if (kind < 7) machine.disk.failPoint = { countdown: operations, when };
      else if (kind < 8) machine.store.failNext = true;
      else machine.crash();
      revive(machine);
    });
  }
  if (faults.chance(0.2)) {
    later(faults.int(500, trouble), () => {
      for (const machine of machines) {
        machine.crash();
        scheduler.after(faults.int(5, 400), () => machine.start());
      }
    });
  }
  for (let i = faults.int(0, 2); i > 0; i--) {
    later(faults.int(300, trouble), () => {
      const side = new Set(machines.filter(() => faults.chance(0.5)));
      for (const a of machines) {
        for (const b of machines) if (side.has(a) !== side.has(b)) network.cut(a.name, b.name);
      }
      scheduler.after(faults.int(300, 2_500), () => network.reconnect());
    });
  }
}
