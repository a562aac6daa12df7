/** Watches a net from outside, as its operators would: pace, memory, who is connected to whom, payments that arrive. */
import { setMaxListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type FinalNotice, followFinal, quantiles } from '../../bench/network.ts';
import { signTransfer } from '../../bench/workload.ts';
import { type Bytes, fromHex, toHex } from '../../src/codec/bytes.ts';
import type { SigningKey } from '../../src/crypto/interfaces.ts';
import type { Devnet } from '../../src/story/devnet.ts';

const LOOK_MS = 1_000;
/** Metrics are read as a Prometheus would. */
const METRICS_MS = 10_000;
const PAYMENT_MS = 500;
const ANSWER_MS = 5_000;
const RESEND_MS = 10_000;
const ASKED_AT_ONCE = 20;
/** A view that was entered so long before a span's end would be final within it. */
const VIEW_MS = 3_000;
const MOST_UNANSWERED = 0.5;
/** A payment that is not final after so long is lost; its own last height is sooner. */
const LIFETIME_BLOCKS = 50;

type Node = Devnet['nodes'][number];

interface NodeState {
  readonly node: Node;
  id: string;
  peers: ReadonlySet<string>;
  readonly memory: { readonly at: number; readonly mib: number }[];
  readonly metrics: { readonly at: number; readonly figures: Figures }[];
  asked: number;
  unanswered: number;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Pace {
  readonly blocksPerSecond: number;
  readonly finalityMs: { readonly p50: number; readonly p95: number };
  readonly blocks: number;
}

const round = (value: number, digits = 2): number => Math.round(value * 10 ** digits) / 10 ** digits;

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1_024;
}

/** Processor time that a process has taken so far, in seconds; clock ticks are hundredths. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

interface Payment {
  readonly id: string;
  readonly bytes: Bytes;
  readonly at: number;
}

export class Watch {
  readonly #net: Devnet;
  readonly #states: NodeState[];
  readonly #payers: readonly SigningKey[];
  readonly #notices: (FinalNotice & { readonly view: number })[] = [];
  readonly #stop = new AbortController();
  readonly #work: Promise<unknown>[] = [];
  readonly #waiting = new Map<string, Payment>();
  readonly #gone = new Set<Node>();
  /** The views that nodes said that they were in. */
  readonly #views: { readonly at: number; readonly view: number }[] = [];
  /** Payments that were sent again, and what their status was. */
  readonly #resent = new Map<string, string>();
  #height = 0;
  #serial = 0;
  readonly latencies: number[] = [];
  cutOff: string[] = [];
  died: string[] = [];
  paid = 0;
  lost: string[] = [];

  constructor(net: Devnet, payers: readonly SigningKey[]) {
    this.#net = net;
    this.#payers = payers;
    // one for each loop
    setMaxListeners(0, this.#stop.signal);
    this.#states = net.nodes.map((node) => ({
      node,
      id: '',
      peers: new Set(),
      memory: [],
      metrics: [],
      asked: 0,
      unanswered: 0,
    }));
  }

  start(): void {
    this.#work.push(
      this.#follow(),
      this.#pay(),
      this.#settle(),
      ...this.#states.flatMap((state) => [this.#look(state), this.#measure(state)]),
    );
  }

  /** A node that is meant to go. */
  expectGone(node: Node): void {
    this.#gone.add(node);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#work);
    this.lost = [...this.#waiting.keys()].map((id) => `${id}: ${this.#resent.get(id) ?? 'never taken'}`);
  }

  /** Waits until every payment is final, at most `ms`. */
  async settled(ms: number): Promise<void> {
    this.#serial = Number.NaN;
    const until = performance.now() + ms;
    while (this.#waiting.size > 0 && performance.now() < until) await delay(100);
  }

  async #loop(ms: number, body: () => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await body().catch(() => undefined);
      await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #get<T>(node: Node, path: string, init: RequestInit = {}): Promise<T> {
    const response = await fetch(`${node.api}${path}`, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw new Error(`${response.status}`);
    return (await response.json()) as T;
  }

  #alive(): Node[] {
    return this.#net.nodes.filter((node) => !this.#gone.has(node));
  }

  async #follow(): Promise<void> {
    const follower = this.#net.nodes[this.#net.nodes.length - 1]!;
    const stop = followFinal(follower.api, (notice) => {
      this.#notices.push(notice as FinalNotice & { view: number });
      this.#height = notice.height;
    });
    await new Promise((resolve) => this.#stop.signal.addEventListener('abort', resolve));
    stop();
  }

  #look(state: NodeState): Promise<void> {
    const { node } = state;
    return this.#loop(LOOK_MS, async () => {
      if (this.#gone.has(node)) return;
      if (!node.child.running) {
        this.died.push(node.child.name);
        this.#gone.add(node);
        return;
      }
      state.memory.push({ at: performance.now(), mib: await residentMib(node.child.pid) });
      state.asked++;
      const answer = await this.#get<{ addresses: string[]; peers: { id: string }[]; view: number }>(
        node,
        '/v1/status',
      ).catch(() => undefined);
      if (answer === undefined) {
        state.unanswered++;
        return;
      }
      this.#views.push({ at: performance.now(), view: answer.view });
      state.id = answer.addresses[0]?.split('/').at(-1) ?? '';
      const peers = new Set(answer.peers.map(({ id }) => id));
      for (const other of this.#states) {
        if (this.#gone.has(other.node) || !state.peers.has(other.id) || peers.has(other.id)) continue;
        this.cutOff.push(`${node.child.name} lost ${other.node.child.name}`);
      }
      state.peers = peers;
    });
  }

  #measure({ node, metrics }: NodeState): Promise<void> {
    return this.#loop(METRICS_MS, async () => {
      if (this.#gone.has(node)) return;
      const at = performance.now();
      const response = await fetch(`${node.api}/metrics`, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (response.ok) metrics.push({ at, figures: figuresOf(await response.text()) });
    });
  }

  #pay(): Promise<void> {
    return this.#loop(PAYMENT_MS, async () => {
      if (Number.isNaN(this.#serial) || this.#height === 0) return;
      const serial = this.#serial++;
      const from = this.#payers[serial % this.#payers.length]!;
      const to = this.#payers[(serial + 1) % this.#payers.length]!;
      const { id, bytes } = signTransfer(
        from,
        to.publicKey,
        serial,
        this.#height + LIFETIME_BLOCKS,
        fromHex(this.#net.genesisHash, 32),
      );
      this.paid++;
      this.#waiting.set(toHex(id), { id: toHex(id), bytes, at: performance.now() });
      await this.#submit(bytes, serial);
    });
  }

  /** As a wallet would: at one node after the other, until one takes it. */
  async #submit(bytes: Bytes, from: number): Promise<void> {
    const nodes = this.#alive();
    for (let i = 0; i < nodes.length; i++) {
      const taken = await this.#get(nodes[(from + i) % nodes.length]!, '/v1/transactions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ transactions: [toHex(bytes)] }),
      }).then(
        () => true,
        () => false,
      );
      if (taken) return;
    }
  }

  /** Asks for some of the waiting payments at a time, in turn: those that expired must not hide the others. */
  #settle(): Promise<void> {
    let turn = 0;
    return this.#loop(250, async () => {
      const nodes = this.#alive();
      const node = nodes[nodes.length - 1]!;
      const waiting = [...this.#waiting.values()];
      const from = waiting.length === 0 ? 0 : (turn * ASKED_AT_ONCE) % waiting.length;
      turn++;
      await Promise.all(
        waiting.slice(from, from + ASKED_AT_ONCE).map(async (payment) => {
          const { status } = await this.#get<{ status: string }>(node, `/v1/transactions/${payment.id}`);
          if (status === 'final') {
            this.#waiting.delete(payment.id);
            this.latencies.push(performance.now() - payment.at);
          } else if (performance.now() - payment.at > RESEND_MS && this.#resent.get(payment.id) !== status) {
            this.#resent.set(payment.id, status);
            await this.#submit(payment.bytes, this.#resent.size);
          }
        }),
      );
    });
  }

  /** What the nodes themselves count, summed up over all of them; `of` is the name of a labelled counter. */
  counted(of: string, span: Span): Record<string, number> {
    const sums = new Map<string, number>();
    for (const { metrics } of this.#states) {
      const before = metrics.findLast(({ at }) => at <= span.from);
      const after = metrics.findLast(({ at }) => at <= span.to);
      for (const [name, value] of after?.figures ?? []) {
        const label = name.startsWith(`${of}{`) ? /"(.*)"/.exec(name)?.[1] : undefined;
        const more = value - (before?.figures.get(name) ?? 0);
        if (label !== undefined && more > 0) sums.set(label, (sums.get(label) ?? 0) + more);
      }
    }
    return Object.fromEntries([...sums].sort(([, a], [, b]) => b - a));
  }

  /** The latest that an event loop of any node was, in milliseconds. */
  lagMs(span: Span): number {
    const lags = this.#states.flatMap(({ metrics }) =>
      metrics
        .filter(({ at }) => at >= span.from && at < span.to)
        .map(({ figures }) => figures.get('kryder_event_loop_lag_seconds{quantile="1"}') ?? 0),
    );
    return Math.round(1_000 * Math.max(0, ...lags));
  }

  #within({ from, to }: Span): (FinalNotice & { readonly view: number })[] {
    return this.#notices.filter(({ at }) => at >= from && at < to);
  }

  pace(span: Span): Pace {
    const notices = this.#within(span);
    const { median, p95 } = quantiles(notices.map(({ finalityMs }) => finalityMs));
    return {
      blocks: notices.length,
      blocksPerSecond: round((1_000 * notices.length) / (span.to - span.from)),
      finalityMs: { p50: median, p95 },
    };
  }

  /** Views that passed in a span, and those among them whose block became final. */
  views(span: Span): { readonly all: readonly number[]; readonly final: ReadonlySet<number> } {
    const final = new Set(this.#within(span).map(({ view }) => view));
    const seen = this.#views.filter(({ at }) => at >= span.from && at < span.to - VIEW_MS);
    return { all: viewsOf(final, Math.max(0, ...seen.map(({ view }) => view))), final };
  }

  /** Processor time of all nodes that still run. */
  async cpuSeconds(): Promise<number> {
    const times = await Promise.all(this.#alive().map(({ child }) => cpuSeconds(child.pid).catch(() => 0)));
    return times.reduce((sum, time) => sum + time, 0);
  }

  unanswered(): number {
    return this.#states.reduce((sum, { unanswered }) => sum + unanswered, 0);
  }

  /** Nodes that seldom said who they are connected to: whether they were cut off is not known. */
  unseen(): string[] {
    return this.#states
      .filter(({ asked, unanswered }) => asked === 0 || unanswered > asked * MOST_UNANSWERED)
      .map(({ node, asked, unanswered }) => `${node.child.name} left ${unanswered} of ${asked} unanswered`);
  }

  /**
   * Resident memory in MiB: at the end of the baseline, at most, and a minute's growth while the same attack goes on and
   * on: `steady` is the longest phase.
   */
  memory(baseline: Span, attack: Span, steady: Span): MemoryReport[] {
    return this.#states.map(({ node, memory }) => {
      const within = ({ from, to }: Span): typeof memory => memory.filter(({ at }) => at >= from && at < to);
      const before = within(baseline);
      const during = within(attack);
      const last = within(steady);
      const later = last.slice(Math.floor(last.length / 3));
      return {
        node: node.child.name,
        baselineMib: round(before.at(-1)?.mib ?? 0, 0),
        mostMib: round(Math.max(0, ...during.map(({ mib }) => mib)), 0),
        lastMib: round(during.at(-1)?.mib ?? 0, 0),
        slopeMibPerMinute: round(slope(later), 1),
      };
    });
  }
}

/** Prometheus' text format: a value by name and labels. */
type Figures = ReadonlyMap<string, number>;

function figuresOf(text: string): Figures {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line): [string, number] => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** From the first view that brought a final block to the last that did, or was reached: none that failed is left out. */
export function viewsOf(final: ReadonlySet<number>, reached: number): number[] {
  if (final.size === 0) return [];
  const first = Math.min(...final);
  const last = Math.max(reached, ...final);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

export interface MemoryReport {
  readonly node: string;
  readonly baselineMib: number;
  readonly mostMib: number;
  readonly lastMib: number;
  /** Over the last two thirds of the longest phase. */
  readonly slopeMibPerMinute: number;
}

/**
 * The median of all slopes between two points that are far apart (Theil and Sen): the saw of a garbage collector, which
 * moves a least-squares line, does not move it.
 */
function slope(points: readonly { readonly at: number; readonly mib: number }[]): number {
  const apart = Math.floor(points.length / 3);
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + Math.max(1, apart); j < points.length; j++) {
      const [a, b] = [points[i]!, points[j]!];
      if (b.at > a.at) slopes.push((60_000 * (b.mib - a.mib)) / (b.at - a.at));
    }
  }
  return slopes.length === 0 ? 0 : quantiles(slopes).median;
}
