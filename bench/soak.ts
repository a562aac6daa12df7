/**
 * Soak: a steady load on a network of real processes for an hour, and what every process holds meanwhile, once a
 * minute: resident memory, open handles, database and journal. By default the load is half of what a short
 * throughput measurement in the same run finalises. Every second one transfer more is timed, from its submission to
 * one validator until the node that only follows says that it is final.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MAIN_PARAMETERS } from '../src/chain/genesis.ts';
import { fromHex, toHex } from '../src/codec/bytes.ts';
import { selectSigningKeys } from '../src/node/crypto/select.ts';
import { encodeTransactionList } from '../src/node/requests.ts';
import type { Devnet } from '../src/story/devnet.ts';
import { judged, openDoor } from './door.ts';
import { LoadProcess } from './load-process.ts';
import { type FinalNotice, followFinal, quantiles, withNetwork } from './network.ts';
import { folderBytes, resourcesOf } from './resources.ts';
import { earlyMoment, type NodeSample, type NodeSeries, soakTable, summarise } from './soak-report.ts';
import { throughput } from './throughput.ts';
import { senderKey, signTransfer } from './workload.ts';

export interface SoakPlan {
  readonly minutes: number;
  /** Transfers a second; measured when it is not given. */
  readonly rate: number | undefined;
  readonly validators: number;
  readonly senders: number;
  /** Seconds between two samples. */
  readonly every: number;
  /** Ends the soak early; what was measured until then is still reported. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const FUNDS = 100_000_000_000n;
/** Blocks before the end of the replay memory that transfers of the load expire. */
const LIFETIME_MARGIN = 50;
const MEASURE_SECONDS = 30;
const RAW_SECONDS = 2;
const PROBE_MS = 1_000;
const PROBE_LOST_MS = 60_000;
const ASK_MS = 10_000;
const WAIT_AT_END_MS = 30_000;

interface Counts {
  readonly offered: number;
  readonly accepted: number;
  readonly late: number;
  readonly refusals: Readonly<Record<string, number>>;
  /** Every answer is there. */
  readonly done: boolean;
}

const round = (value: number, digits = 1): number => Math.round(value * 10 ** digits) / 10 ** digits;

async function ask(url: string): Promise<Response> {
  return fetch(url, { signal: AbortSignal.timeout(ASK_MS) });
}

async function heapOf(api: string): Promise<number | undefined> {
  const response = await ask(`${api}/metrics`);
  const text = await response.text();
  const found = response.ok ? /^\w*heap_size_used_bytes(?:\{[^}]*\})? (\S+)$/m.exec(text) : null;
  return found === null ? undefined : Number(found[1]);
}

async function sample(node: Devnet['nodes'][number], minute: number): Promise<NodeSample> {
  const [resources, status, heap, databaseBytes, journalBytes] = await Promise.all([
    resourcesOf(node.child.pid),
    ask(`${node.api}/v1/status`).then(
      async (response) => (await response.json()) as { height: number; mempool: { transactions: number } },
    ),
    heapOf(node.api),
    folderBytes(join(node.dir, 'db')),
    folderBytes(join(node.dir, 'journal')),
  ]);
  const { height, mempool } = status;
  return { minute, ...resources, heap, databaseBytes, journalBytes, height, mempool: mempool.transactions };
}

/** Times single transfers under the load. */
class Probes {
  readonly times: number[] = [];
  lost = 0;
  offered = 0;
  accepted = 0;
  readonly #waiting = new Map<string, number>();
  readonly #watching: string;
  #asking: Promise<void> = Promise.resolve();

  constructor(watching: string) {
    this.#watching = watching;
  }

  sent(id: string): void {
    this.#waiting.set(id, performance.now());
  }

  /** At every final block of the watching node: which of them are in it? */
  onFinal(at: number): void {
    this.#asking = this.#asking.then(async () => {
      for (const [id, sent] of this.#waiting) {
        if (sent > at) continue;
        const answer = await ask(`${this.#watching}/v1/transactions/${id}`).then(
          async (response) => (await response.json()) as { status: string },
          () => undefined,
        );
        if (answer?.status === 'final') {
          this.times.push(at - sent);
          this.#waiting.delete(id);
        } else if (at - sent > PROBE_LOST_MS) {
          this.lost += 1;
          this.#waiting.delete(id);
        }
      }
    });
  }

  async end(): Promise<void> {
    await this.#asking;
    this.lost += this.#waiting.size;
  }
}

/** Sends a timed transfer every second until `signal` is aborted. */
async function sendProbes(
  net: Devnet,
  probes: Probes,
  index: number,
  height: () => number,
  signal: AbortSignal,
): Promise<void> {
  const key = senderKey(selectSigningKeys(), index);
  const genesisHash = fromHex(net.genesisHash, 32);
  const post = openDoor(net.nodes[0]!.api, 1);
  for (let serial = 0; !signal.aborted; serial++) {
    const validUntil = height() + MAIN_PARAMETERS.txLifetime - LIFETIME_MARGIN;
    const { id, bytes } = signTransfer(key, key.publicKey, serial, validUntil, genesisHash);
    probes.sent(toHex(id));
    probes.offered += 1;
    const answer = await post(encodeTransactionList([bytes])).catch(() => undefined);
    if (answer?.status === 200) probes.accepted += judged(answer).accepted;
    await delay(PROBE_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function load(net: Devnet, plan: SoakPlan, rate: number) {
  const { minutes, senders, every, say } = plan;
  const follower = net.nodes.find((node) => !node.validator) ?? net.nodes[net.nodes.length - 1]!;
  const sender = new LoadProcess('./steady-sender.js', {
    api: net.nodes[0]!.api,
    genesisHash: net.genesisHash,
    senders,
    rate,
    lifetime: MAIN_PARAMETERS.txLifetime - LIFETIME_MARGIN,
  });
  const over = new AbortController();
  const stopped = AbortSignal.any([plan.signal, over.signal]);
  let endedBy: string | undefined;
  const endEarly = (why: string): void => {
    if (!stopped.aborted) endedBy = why;
    over.abort();
  };
  const onSignal = (): void => {
    endedBy ??= 'a signal';
  };
  plan.signal.addEventListener('abort', onSignal);
  for (const { child } of net.nodes) {
    void child.exited.then(({ code, signal }) => endEarly(`${child.name} ended (${signal ?? code})`));
  }

  const probes = new Probes(follower.api);
  const finalityMs: number[] = [];
  let height = 0;
  let finalised = 0;
  const onFinal = (notice: FinalNotice): void => {
    height = notice.height;
    finalised += notice.transactions;
    finalityMs.push(notice.finalityMs);
    probes.onFinal(notice.at);
  };
  const unfollow = followFinal(follower.api, onFinal, () => endEarly('the stream of final blocks broke'));

  let counts: Counts = { offered: 0, accepted: 0, late: 0, refusals: {}, done: false };
  const series: (NodeSeries & { samples: NodeSample[] })[] = net.nodes.map(({ child }) => ({
    name: child.name,
    samples: [],
  }));
  let lastMinute = 0;
  try {
    await sender.line();
    while (height === 0 && !stopped.aborted) await delay(100);
    const began = performance.now();
    const minuteNow = (): number => (performance.now() - began) / 60_000;
    sender.go();
    const reading = (async () => {
      while (!counts.done) counts = await sender.line<Counts>();
    })().catch(() => endEarly('the sender ended'));
    const probing = sendProbes(net, probes, senders, () => height, stopped);
    let before = { finalised: 0, minute: 0 };
    for (let at = every; ; at += every) {
      const until = Math.min(at, minutes * 60) * 1_000 - (performance.now() - began);
      await delay(Math.max(0, until), undefined, { signal: stopped }).catch(() => undefined);
      lastMinute = minuteNow();
      if (stopped.aborted) break;
      const minute = round(lastMinute, 2);
      await Promise.all(
        net.nodes.map(async (node, i) => {
          const taken = await sample(node, minute).catch((error: Error) =>
            say(`${error.message}: no sample`),
          );
          if (taken !== undefined) series[i]!.samples.push(taken);
        }),
      );
      const memory = series.map(({ samples }) => Math.round((samples.at(-1)?.rss ?? 0) / 2 ** 20)).join(' ');
      const pace = (finalised - before.finalised) / (60 * (lastMinute - before.minute));
      before = { finalised, minute: lastMinute };
      say(
        `minute ${minute}: height ${height}, ${Math.round(pace)} final a second, resident MiB ${memory}, ` +
          `bench itself ${Math.round(process.memoryUsage().rss / 2 ** 20)}`,
      );
      if (lastMinute * 60 >= minutes * 60 - 0.5) break;
    }
    over.abort();
    const finalisedUnderLoad = finalised;
    sender.hangUp();
    await Promise.race([Promise.all([reading, probing]), delay(WAIT_AT_END_MS, undefined, { ref: false })]);
    const accepted = counts.accepted + probes.accepted;
    if (endedBy === undefined) {
      const deadline = performance.now() + WAIT_AT_END_MS;
      while (finalised < accepted && performance.now() < deadline) await delay(200);
    }
    await probes.end();
    const { done: _done, ...said } = counts;
    return {
      endedBy,
      lastMinute,
      counts: { ...said, offered: said.offered + probes.offered, accepted },
      finalised,
      finalisedUnderLoad,
      finalityMs,
      probes,
      series,
    };
  } finally {
    plan.signal.removeEventListener('abort', onSignal);
    over.abort();
    unfollow();
    await sender.end();
  }
}

/** `table` is for people; everything else is in `report`. */
export async function soak(plan: SoakPlan): Promise<{ report: object; table: string; whole: boolean }> {
  const { validators, senders, minutes, say } = plan;
  const measured =
    plan.rate === undefined
      ? (
          await throughput({
            validators: [validators],
            seconds: MEASURE_SECONDS,
            senders,
            transfers: undefined,
            rawSeconds: RAW_SECONDS,
            profile: undefined,
            say,
          })
        ).rows[0]!.finalisedPerSecond
      : undefined;
  plan.signal.throwIfAborted();
  const rate = plan.rate ?? Math.max(1, Math.round(measured! / 2));
  say(
    `${rate} transfers a second for ${minutes} minutes${measured === undefined ? '' : ` (measured ${measured})`}`,
  );
  const factory = selectSigningKeys();
  const accounts = Array.from({ length: senders + 1 }, (_, i) => ({
    address: senderKey(factory, i).publicKey,
    amount: FUNDS,
  }));
  const network = { validators, followers: 1, parameters: MAIN_PARAMETERS, accounts, say };
  const result = await withNetwork(network, (net) => load(net, plan, rate));
  const { counts, lastMinute, series, probes, endedBy } = result;
  const nodes = summarise(series, lastMinute);
  const { median, p95, max } = quantiles(probes.times);
  const finality = quantiles(result.finalityMs);
  const report = {
    minutes: round(lastMinute, 2),
    endedBy: endedBy ?? null,
    validators,
    followers: 1,
    ratePerSecond: rate,
    measuredPerSecond: measured ?? null,
    ...counts,
    finalised: result.finalised,
    /** Accepted and not final half a minute after the load. */
    unfinished: Math.max(0, counts.accepted - result.finalised),
    finalisedPerSecond: round(result.finalisedUnderLoad / (lastMinute * 60)),
    blocks: result.finalityMs.length,
    submissionToFinalMs: {
      samples: probes.times.length,
      lost: probes.lost,
      median: Math.round(median),
      p95: Math.round(p95),
      max: Math.round(max),
    },
    finalityMs: { median: finality.median, p95: finality.p95, max: finality.max },
    earlyMinute: round(earlyMoment(lastMinute), 2),
    nodes: nodes.map((node) => ({
      ...node,
      rssSlopeBytesPerMinute: node.rssSlope === undefined ? null : Math.round(node.rssSlope),
      handlesSlopePerMinute: node.handlesSlope === undefined ? null : round(node.handlesSlope, 3),
      rssSlope: undefined,
      handlesSlope: undefined,
    })),
    samples: series,
  };
  const table = [
    `${report.minutes} minutes at ${rate} transfers a second, ${validators} validators and a node that follows` +
      `${endedBy === undefined ? '' : `; ENDED EARLY by ${endedBy}`}`,
    `offered ${counts.offered}, accepted ${counts.accepted}, final ${result.finalised} (${report.finalisedPerSecond} a second), ` +
      `unfinished ${report.unfinished}, late ${counts.late}, refused ${JSON.stringify(counts.refusals)}`,
    `from submission to final: median ${report.submissionToFinalMs.median} ms, 95 % ${report.submissionToFinalMs.p95} ms, ` +
      `longest ${report.submissionToFinalMs.max} ms, lost ${probes.lost} of ${probes.times.length + probes.lost}`,
    '',
    soakTable(nodes),
  ].join('\n');
  return { report, table, whole: endedBy === undefined };
}
