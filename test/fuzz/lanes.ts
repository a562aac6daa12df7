/**
 * A whole node, as the simulator runs it, and one message of a peer that may be anything. A short honest life of four
 * validators is written down once; an input says how much of it one of them has lived through, and what a peer then
 * sends it on which lane. Whatever that is, the peer is judged and the node goes on: nothing is thrown, nobody else is
 * accused, and what it held final it holds.
 */
import { type Bytes, concat } from '../../src/codec/bytes.ts';
import { selectVerifier } from '../../src/node/crypto/select.ts';
import {
  encodeCertificateRequest,
  encodeRangeRequest,
  encodeTransactionsRequest,
  METHOD,
} from '../../src/node/requests.ts';
import { genesis, keys, payment, set } from '../hostile/samples.ts';
import type { Endpoint, Message } from '../simulator/network.ts';
import { SimNetwork } from '../simulator/network.ts';
import { Prng } from '../simulator/prng.ts';
import { Checks } from '../simulator/production/checks.ts';
import { Machine } from '../simulator/production/machine.ts';
import { writeRequest } from '../simulator/production/wire.ts';
import { Scheduler } from '../simulator/scheduler.ts';
import { Trace } from '../simulator/trace.ts';
import { filled } from '../tx/golden.ts';
import { must, type Target } from './target.ts';

const LANES: readonly Message['kind'][] = [
  'vote',
  'proposal',
  'certificate',
  'transactions',
  'request',
  'answer',
];
const LIFE_MS = 3_000;
const AFTERMATH_MS = 60;
const MOST_SEEDS_PER_LANE = 6;
const CALM = { loss: 0, duplication: 0, minDelay: 1, maxDelay: 5 };

interface Delivery {
  readonly at: number;
  readonly from: string;
  readonly message: Message;
}

interface Stage {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly checks: Checks;
  machine(index: number): Machine;
}

function stage(): Stage {
  const scheduler = new Scheduler();
  const network = new SimNetwork(scheduler, new Prng('lanes'), CALM);
  const checks = new Checks();
  const common = { genesis, set, scheduler, network, checks, forgetful: false, trace: new Trace() };
  const scheme = { keys, verifier: selectVerifier() };
  return {
    ...{ scheduler, network, checks },
    machine: (index) =>
      new Machine({ ...common, scheme, name: `n${index}`, index, random: new Prng(`lanes ${index}`) }),
  };
}

/** What the first validator is sent, in its order. */
async function life(): Promise<Delivery[]> {
  const { scheduler, network, machine, checks } = stage();
  const machines = keys.map((_, index) => machine(index));
  const heard: Delivery[] = [];
  const first = machines[0]!;
  const recorder: Endpoint = {
    ...{ name: first.name, index: 0 },
    receive: (message, from) => {
      heard.push({ at: scheduler.now(), from: from.name, message });
      first.receive(message, from);
    },
  };
  network.endpoints.push(recorder, ...machines.slice(1));
  for (const one of machines) one.start();
  for (let i = 1; i < 8; i++) {
    scheduler.after(200 * i, () => void machines[1 + (i % 3)]!.submit(payment(i, 20_000n + BigInt(i)).bytes));
  }
  await scheduler.run(LIFE_MS, () => false);
  must(checks.violations.length === 0, `an honest life goes wrong: ${checks.violations[0]}`);
  return heard;
}

const heard = await life();

async function run(bytes: Bytes): Promise<string> {
  const { scheduler, network, machine, checks } = stage();
  const lived = heard.slice(0, ((bytes[0] ?? 0) * 2) % (heard.length + 1));
  const kind = LANES[(bytes[1] ?? 0) % LANES.length]!;
  const victim = machine(0);
  const others = keys
    .slice(1)
    .map((_, i): Endpoint => ({ name: `n${i + 1}`, index: i + 1, receive: () => undefined }));
  network.endpoints.push(victim, ...others);
  victim.start();
  for (const { at, from, message } of lived) {
    scheduler.after(at, () => victim.receive(message, network.endpoint(from)!));
  }
  await scheduler.run((lived.at(-1)?.at ?? 0) + 20, () => false);
  const height = victim.height;
  const peer = others[1]!;
  victim.receive({ kind, bytes: bytes.subarray(2) }, peer);
  await scheduler.run(scheduler.now() + AFTERMATH_MS, () => false);
  const accused = checks.violations.filter((what) => what.startsWith(`n0 accuses ${peer.name} `));
  const wrong = checks.violations.find((what) => !accused.includes(what));
  must(wrong === undefined, `${kind}: ${wrong}`);
  must(victim.running && victim.height >= height, `${kind}: the node has ended, or forgotten what was final`);
  return accused.length > 0 ? `${kind} refused` : 'taken';
}

const REQUESTS: readonly (readonly [number, Bytes])[] = [
  [METHOD.block, filled(7)],
  [METHOD.transactions, encodeTransactionsRequest({ hash: filled(7), indexes: [0, 1] })],
  [METHOD.range, encodeRangeRequest({ from: 1, maxBytes: 1 << 20 })],
  [METHOD.certificate, encodeCertificateRequest({ kind: 1, view: 2 })],
];

export function laneTargets(): Target[] {
  const seeds: Bytes[] = LANES.flatMap((kind, lane) => {
    const said = heard.filter(({ message }) => message.kind === kind);
    const step = Math.max(1, Math.floor(said.length / MOST_SEEDS_PER_LANE));
    return said
      .filter((_, i) => i % step === 0)
      .slice(0, MOST_SEEDS_PER_LANE)
      .map((one) => Uint8Array.of(Math.min(255, heard.indexOf(one) >> 1), lane, ...one.message.bytes));
  });
  const lane = LANES.indexOf('request');
  for (const [method, payload] of REQUESTS)
    seeds.push(concat(Uint8Array.of(20, lane), writeRequest({ id: 5, method, most: 1 << 20, payload })));
  return [{ name: 'node-lanes', form: 'packed', dear: true, covers: ['networkHandlers'], seeds, run }];
}
