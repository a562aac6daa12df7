/**
 * The attacking process: reads a plan and then commands from its standard input, one JSON object a line, and writes
 * what it did to its standard output. It has a low priority: on one machine it would otherwise win by taking the
 * nodes' processors, which no remote attacker can.
 */
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { installHashBackend } from '../../src/codec/hash.ts';
import { nodeHashBackend } from '../../src/node/hash.ts';
import { type Host, hostileHost, Session } from './hosts.ts';
import { type Group, Hand, type Kind, pause } from './kind.ts';
import { API } from './kinds/api.ts';
import { BULK } from './kinds/bulk.ts';
import { CONSENSUS } from './kinds/consensus.ts';
import { GOSSIP } from './kinds/gossip.ts';
import { HELLO } from './kinds/hello.ts';
import { INSIDER } from './kinds/insider.ts';
import { LIBP2P } from './kinds/libp2p.ts';
import { TRANSPORT } from './kinds/transport.ts';
import { type Insider, insiderOf, type Plan, type Target, type World, worldOf } from './world.ts';

export interface Command {
  readonly groups: readonly Group[];
  readonly seconds: number;
  /** Only kinds whose names have this in them. */
  readonly only?: string;
  /** Seed of a validator's consensus key, hex. */
  readonly insider?: string;
}

export interface KindReport {
  readonly kind: string;
  readonly group: Group;
  readonly sent: number;
  readonly refused: number;
}

export interface Report {
  readonly kinds: readonly KindReport[];
  readonly seconds: number;
  /** Processor time of this process. */
  readonly cpuSeconds: number;
  /** Errors that the libraries threw past everybody: this process is the one that suffers from them. */
  readonly accidents: number;
}

const KINDS: readonly Kind[] = [
  ...TRANSPORT,
  ...HELLO,
  ...CONSENSUS,
  ...BULK,
  ...GOSSIP,
  ...LIBP2P,
  ...API,
  ...INSIDER,
];
const SETTLE_MS = 3_000;
const LOOK_MS = 500;

let accidents = 0;
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, () => {
    accidents++;
  });
}
installHashBackend(nodeHashBackend());

const say = (message: unknown): void => {
  process.stdout.write(`${JSON.stringify(message)}\n`);
};

/** Stays connected to every node as an honest stranger, to hear what there is to be heard. */
async function listen(world: World): Promise<void> {
  const host: Host = await hostileHost({
    seed: world.rng.fork('listener').bytes(32),
    capture: world.capture,
  });
  const sessions = new Map<Target, Session>();
  for (;;) {
    for (const target of world.targets) {
      if (sessions.get(target)?.alive !== true) {
        sessions.delete(target);
        try {
          const session = await Session.open(host, target);
          await session.greet(world);
          sessions.set(target, session);
        } catch {
          // tried again
        }
      }
    }
    const { api } = world.targets[world.rng.int(0, world.targets.length - 1)]!;
    try {
      const response = await fetch(`${api}/v1/status`, { signal: AbortSignal.timeout(2_000) });
      const { height, view } = (await response.json()) as { height?: number; view?: number };
      world.height = Math.max(world.height, height ?? 0);
      world.view = Math.max(world.view, view ?? 0);
    } catch {
      // tried again
    }
    await pause(LOOK_MS);
  }
}

async function carryOut(world: World, command: Command, round: number): Promise<Report> {
  const end = new AbortController();
  const insider: Insider | undefined =
    command.insider === undefined ? undefined : insiderOf(world, command.insider);
  const began = performance.now();
  const cpu = process.cpuUsage();
  const before = accidents;
  const tallies = KINDS.filter(
    ({ group, name }) => command.groups.includes(group) && name.includes(command.only ?? ''),
  ).map((kind) => {
    const hands = Array.from(
      { length: kind.hands ?? 2 },
      (_, i) => new Hand(world, world.rng.fork(`${round}/${kind.name}/${i}`), end.signal, kind.host, insider),
    );
    return { kind, hands, work: hands.map((hand) => hand.work(kind.step)) };
  });
  await pause(command.seconds * 1_000);
  end.abort();
  await Promise.race([Promise.all(tallies.flatMap(({ work }) => work)), pause(SETTLE_MS)]);
  const { user, system } = process.cpuUsage(cpu);
  return {
    kinds: tallies.map(({ kind, hands }) => ({
      kind: kind.name,
      group: kind.group,
      sent: hands.reduce((sum, hand) => sum + hand.sent, 0),
      refused: hands.reduce((sum, hand) => sum + hand.refused, 0),
    })),
    seconds: (performance.now() - began) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    accidents: accidents - before,
  };
}

let world: World | undefined;
let round = 0;
for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text) as Plan | Command;
  if ('genesisFile' in line) {
    setPriority(line.nice);
    world = await worldOf(line);
    void listen(world);
    say({ ready: true });
  } else if (world !== undefined) say(await carryOut(world, line, round++));
}
process.exit(0);
