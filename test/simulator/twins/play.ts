/**
 * Plays one scenario of the twins over the production replica, signer, journal and state machine. While a
 * machine is in a scripted view, what it sends reaches its own side of that view's partition only. Where a
 * partition leaves nobody a quorum, nothing would ever change: once no machine has entered a view for a while,
 * the next view's partition applies to all that lag behind. After the scripted views the network heals, and every
 * honest machine has to finalise further blocks.
 */
import { type Bytes, utf8 } from '../../../src/codec/bytes.ts';
import { sha256 } from '../../../src/codec/hash.ts';
import type { Timing } from '../../../src/consensus/host.ts';
import { createValidatorSet } from '../../../src/consensus/validator-set.ts';
import { type Endpoint, type Message, SimNetwork } from '../network.ts';
import { SimNode } from '../node.ts';
import { Oracle } from '../oracle.ts';
import { Prng } from '../prng.ts';
import { Scheduler } from '../scheduler.ts';
import { keyedHashScheme } from '../scheme.ts';
import { Trace } from '../trace.ts';
import { withLeaders } from './leaders.ts';
import { machinesOf, type Schedule, validatorOf } from './schedule.ts';

/** What every honest machine has to finalise after the network has healed, and in how many views and how long. */
const DUE_FINALIZATIONS = 3;
const DUE_VIEWS = 40;
const PATIENCE = 60_000;
/** Nobody enters a view for so long: the next partition. Longer than any timeout of the scripted views. */
const STALL = 1_200;
const LOOK = 100;

const TIMING: Timing = {
  blockInterval: 60,
  delta: 40,
  executionBudget: 60,
  resendInterval: 300,
  standstill: 1_000,
};

export interface TwinsResult {
  readonly violations: readonly string[];
  readonly stuck: string | undefined;
  /** Height of the finalised chain when the network healed, and at the end. */
  readonly healedHeight: number;
  readonly finalizations: number;
  /** How often an honest machine gave a view up because it saw its leader propose twice. */
  readonly equivocations: number;
  /** Partitions that nobody got through by votes. */
  readonly stalls: number;
  readonly traceHash: string;
}

/** The network of a scenario: sides that depend on the view that the sender is in. */
class TwinsNetwork extends SimNetwork {
  readonly #rounds: Schedule['rounds'];
  readonly #sender: (name: string) => { readonly machine: number; readonly view: number } | undefined;
  /** Views below this one count as this one. */
  stage = 1;

  constructor(
    scheduler: Scheduler,
    random: Prng,
    rounds: Schedule['rounds'],
    sender: (name: string) => { readonly machine: number; readonly view: number } | undefined,
  ) {
    super(scheduler, random, { loss: 0, duplication: 0, minDelay: 1, maxDelay: 15 });
    this.#rounds = rounds;
    this.#sender = sender;
  }

  override send(from: Endpoint, to: Endpoint, message: Message): void {
    const [a, b] = [this.#sender(from.name), this.#sender(to.name)];
    if (a === undefined || b === undefined) return;
    const round = this.#rounds[Math.max(this.stage, a.view) - 1];
    if (round !== undefined && ((round.partition >> a.machine) ^ (round.partition >> b.machine)) & 1) return;
    super.send(from, to, message);
  }
}

/** The result is a function of the schedule. `print` gets the story, line by line. */
export async function playTwins(schedule: Schedule, print?: (line: string) => void): Promise<TwinsResult> {
  const { validators: count, twins, rounds } = schedule;
  const name = rounds.map(({ leader, partition }) => `${leader}/${partition}`).join();
  const random = new Prng(`twins ${count} ${name}`);
  const scheduler = new Scheduler();
  const trace = new Trace(print);
  const scheme = keyedHashScheme(count, 'twins');
  const genesisHash: Bytes = sha256(utf8('twins genesis'));
  const validators = scheme.keys.map(({ publicKey }) => ({ publicKey, stake: 1n }));
  const leaders = rounds.map(({ leader }) => leader);
  const set = withLeaders(createValidatorSet(0, new Uint8Array(32), validators), leaders);
  const publicKeys = validators.map(({ publicKey }) => publicKey);
  const oracle = new Oracle(publicKeys, new Array<number>(count).fill(1), genesisHash, scheme.verifier, {
    guilty: new Set(Array.from({ length: twins }, (_, at) => count - 1 - at)),
    excess: false,
  });
  const nodes: SimNode[] = [];
  const network = new TwinsNetwork(scheduler, random.fork('network'), rounds, (machineName) => {
    const machine = nodes.findIndex((node) => node.name === machineName);
    return machine < 0 ? undefined : { machine, view: viewOf(nodes[machine]!) };
  });
  const guilty = (machine: number): boolean => validatorOf(schedule, machine) >= count - twins;
  const suspects = new Set<string>();
  for (let machine = 0; machine < machinesOf(schedule); machine++) {
    const machineName = `${machine < count ? 'n' : 't'}${validatorOf(schedule, machine)}`;
    if (guilty(machine)) suspects.add(machineName);
    const node = new SimNode({
      ...{ name: machineName, index: validatorOf(schedule, machine), honest: !guilty(machine) },
      ...{ follower: false, set, genesisHash, scheme, timing: TIMING },
      ...{ scheduler, network, oracle, trace, suspects, random: random.fork(machineName) },
    });
    nodes.push(node);
    network.endpoints.push(node);
  }
  const honest = nodes.filter(({ name: machineName }) => !suspects.has(machineName));
  for (const node of nodes) scheduler.after(random.int(0, 10), () => node.start());

  const stalls = await playRounds(scheduler, network, nodes, oracle, rounds.length);
  trace.add(scheduler.now(), 'healed');
  network.stage = rounds.length + 1;
  const healedHeight = oracle.finalizedHeight;
  const healedView = highestView(honest);
  const due = healedHeight + DUE_FINALIZATIONS;
  const behind = (): SimNode[] => honest.filter((node) => oracle.heightOf(node.name) < due);
  await scheduler.run(
    scheduler.now() + PATIENCE,
    () => oracle.violations.length > 0 || behind().length === 0,
  );
  oracle.finish();
  const late = behind().map((node) => `${node.name} at ${oracle.heightOf(node.name)}`);
  const views = highestView(honest) - healedView;
  const stuck =
    late.length > 0
      ? `${late.join(', ')} of ${due}`
      : views > DUE_VIEWS
        ? `${views} views for ${DUE_FINALIZATIONS} finalizations`
        : undefined;
  return {
    violations: oracle.violations,
    stuck: oracle.violations.length > 0 ? undefined : stuck,
    healedHeight,
    finalizations: oracle.finalizedHeight,
    equivocations: honest.reduce((sum, node) => sum + (node.missed.get('leader-equivocated') ?? 0), 0),
    stalls,
    traceHash: trace.digest(),
  };
}

function viewOf(node: SimNode): number {
  return node.replica?.view ?? 0;
}

function highestView(nodes: readonly SimNode[]): number {
  return Math.max(...nodes.map(viewOf));
}

/** Until every machine has left the scripted views, or their partitions are used up; returns the stalls. */
async function playRounds(
  scheduler: Scheduler,
  network: TwinsNetwork,
  nodes: readonly SimNode[],
  oracle: Oracle,
  views: number,
): Promise<number> {
  let stalls = 0;
  let progress = -1;
  let since = 0;
  const stageOf = (node: SimNode): number => Math.max(network.stage, viewOf(node));
  const over = (): boolean => oracle.violations.length > 0 || nodes.every((node) => stageOf(node) > views);
  while (!over()) {
    await scheduler.run(scheduler.now() + LOOK, over);
    const now = nodes.reduce((sum, node) => sum + viewOf(node), 0);
    if (now !== progress) {
      progress = now;
      since = scheduler.now();
    } else if (scheduler.now() - since >= STALL) {
      network.stage = Math.min(...nodes.map(stageOf)) + 1;
      since = scheduler.now();
      stalls++;
    }
  }
  return stalls;
}
