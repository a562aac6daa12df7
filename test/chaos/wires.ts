/**
 * The network of a run, made from inside its hub namespace: there are two bridges in the hub, and each node, in a
 * namespace of its own, is tied to both. Over `net0` it talks to the others, by way of the relay, which is in the hub;
 * over `api0` it is asked and paid through its API. Faults reach `net0` alone, so whoever watches is never blind. The
 * ports of the bridges are isolated from each other: nothing goes around the relay, and nothing goes out of the hub.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { run } from './commands.ts';
import { type Conditions, conditionsOf, hubRules, nodeRules, type Place } from './conditions.ts';
import type { RelayCounts, RelayPlan } from './relay.ts';
import { inNamespace, nodeName } from './traces.ts';

export const P2P_PORT = 7_300;
export const API_PORT = 7_070;
const STOP_MS = 5_000;
/** `[packets:bytes]` in front of a rule, as `iptables-save -c` writes it. */
const DROPPED = /^\[(\d+):\d+\].* -j DROP$/gm;

export function placesOf(nodes: number): Place[] {
  return Array.from({ length: nodes }, (_, i) => ({ own: `10.77.0.${i + 1}`, known: `10.88.0.${i + 1}` }));
}

export function apiAddress(node: number): string {
  return `10.99.0.${node + 1}`;
}

async function ip(...words: string[]): Promise<void> {
  await run('ip', words.join(' ').split(' '));
}

async function layBridges(places: readonly Place[]): Promise<void> {
  await ip('link set lo up');
  for (const [name, address] of [
    ['net', '10.77.0.254/24'],
    ['api', '10.99.0.254/24'],
  ] as const) {
    await ip(`link add ${name} type bridge`);
    await ip(`addr add ${address} dev ${name}`);
    await ip(`link set ${name} up`);
  }
  for (const { known } of places) await ip(`addr add ${known}/32 dev net`);
}

async function tie(node: number, name: string, place: Place): Promise<void> {
  await ip(`netns add ${name}`);
  await ip(`-n ${name} link set lo up`);
  for (const bridge of ['net', 'api']) {
    const port = `${bridge}-${node}`;
    await ip(`link add ${port} type veth peer name ${bridge}0 netns ${name}`);
    await ip(`link set ${port} master ${bridge}`);
    await ip(`link set ${port} type bridge_slave isolated on`);
    await ip(`link set ${port} up`);
  }
  await ip(`-n ${name} addr add ${place.own}/32 dev net0`);
  await ip(`-n ${name} link set net0 up`);
  await ip(`-n ${name} route add 10.77.0.254/32 dev net0`);
  await ip(`-n ${name} route add 10.88.0.0/24 via 10.77.0.254`);
  await ip(`-n ${name} addr add ${apiAddress(node)}/24 dev api0`);
  await ip(`-n ${name} link set api0 up`);
}

export class Wires {
  /** Packets that cuts and loss took away. */
  dropped = 0;
  /** Called when the relay ends by itself. */
  onEnd: (what: string) => void = () => {};
  readonly #owner: number;
  readonly #places: readonly Place[];
  readonly #relay: ChildProcess;
  readonly #relayed: Promise<RelayCounts | undefined>;
  #now: Conditions;
  #work: Promise<void> = Promise.resolve();
  #ending = false;

  private constructor(owner: number, places: readonly Place[], relay: ChildProcess) {
    this.#owner = owner;
    this.#places = places;
    this.#relay = relay;
    this.#now = conditionsOf([], places.length);
    let counts: RelayCounts | undefined;
    createInterface({ input: relay.stdout! }).on('line', (line) => {
      const said = JSON.parse(line) as RelayCounts;
      if ('connections' in said) counts = said;
    });
    this.#relayed = once(relay, 'close').then(([code, signal]) => {
      if (!this.#ending) this.onEnd(`the relay ended by itself (${signal ?? `status ${code}`})`);
      return counts;
    });
  }

  /** Builds the network of the run `owner`; the calling process is in its hub. */
  static async lay(owner: number, nodes: number, seed: number): Promise<Wires> {
    const places = placesOf(nodes);
    await layBridges(places);
    for (const [node, place] of places.entries()) await tie(node, nodeName(owner, node), place);
    const program = fileURLToPath(new URL('./relay.js', import.meta.url));
    const relay = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    relay.stdin.on('error', () => {});
    const ready = Promise.race([
      once(relay.stdout, 'data'),
      once(relay, 'close').then(() => Promise.reject(new Error('the relay did not start'))),
    ]);
    relay.stdin.write(`${JSON.stringify({ places, port: P2P_PORT, seed } satisfies RelayPlan)}\n`);
    await ready;
    return new Wires(owner, places, relay);
  }

  /** Makes the network as `next` says; calls follow each other. */
  apply(next: Conditions): Promise<void> {
    this.#work = this.#work.then(async () => {
      const before = this.#now;
      this.#now = next;
      this.#relay.stdin!.write(`${JSON.stringify({ late: next.late })}\n`);
      await Promise.all([
        this.#filter([], hubRules(this.#places, before), hubRules(this.#places, next)),
        ...this.#places.map((_, node) => {
          const rules = [before, next].map((each) => nodeRules(node, this.#places, each)) as [string, string];
          return this.#filter(inNamespace(nodeName(this.#owner, node)), ...rules);
        }),
        ...this.#places.map((_, node) => this.#shape(node, before.kbit[node], next.kbit[node])),
      ]);
    });
    return this.#work;
  }

  async #filter(namespace: readonly string[], before: string, next: string): Promise<void> {
    if (before === next) return;
    const [save = '', ...saveArgs] = [...namespace, 'iptables-save', '-c', '-t', 'filter'];
    for (const [, packets] of (await run(save, saveArgs)).matchAll(DROPPED)) this.dropped += Number(packets);
    const [restore = '', ...restoreArgs] = [...namespace, 'iptables-restore', '-w'];
    await run(restore, restoreArgs, next);
  }

  /** Both directions: what the node sends is shaped at its end, what it gets at the bridge's. */
  async #shape(node: number, before: number | undefined, kbit: number | undefined): Promise<void> {
    if (before === kbit) return;
    const ends = [['-n', nodeName(this.#owner, node), 'net0'], [`net-${node}`]];
    for (const end of ends) {
      const device = end.pop()!;
      if (kbit === undefined) await run('tc', [...end, 'qdisc', 'del', 'dev', device, 'root']);
      else {
        const shape = ['rate', `${kbit}kbit`, 'burst', '16kb', 'latency', '500ms'];
        await run('tc', [...end, 'qdisc', 'replace', 'dev', device, 'root', 'tbf', ...shape]);
      }
    }
  }

  /** Ends the relay; what it counted, unless it had to be killed. */
  async stop(): Promise<RelayCounts | undefined> {
    this.#ending = true;
    this.#relay.stdin!.end();
    const timer = setTimeout(() => this.#relay.kill('SIGKILL'), STOP_MS);
    const counts = await this.#relayed;
    clearTimeout(timer);
    return counts;
  }
}
