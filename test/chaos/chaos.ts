/**
 * A run: the storms and calms of a schedule on a network under load, watched through every node's API all the time,
 * and judged in every calm. Reports what it saw; throws only when the caller's signal is aborted or a command of the
 * system fails.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from '../../src/cli/client.ts';
import { fromHex } from '../../src/codec/bytes.ts';
import { finalBlocks } from '../../src/story/queries.ts';
import { Checks } from '../crashloop/checks.ts';
import type { Journals } from '../crashloop/journals.ts';
import { finalBlock } from '../crashloop/net.ts';
import type { SupplyBook } from '../crashloop/supply.ts';
import type { Witness } from '../crashloop/witness.ts';
import type { Prng } from '../simulator/prng.ts';
import { conditionsOf, timeline } from './conditions.ts';
import type { ChaosNet } from './net.ts';
import { describeRound, type Round, type Schedule } from './schedule.ts';
import type { Built, Transfers } from './transfers.ts';
import type { Calm, Limits } from './verdict.ts';
import type { Wires } from './wires.ts';

/** Blocks that all nodes must have beyond the highest one of the storm. */
const FURTHER_BLOCKS = 3;
const POLL_MS = 100;
const STATUS_MS = 1_000;
const JOURNAL_POLL_MS = 50;
const OLD_ASKED_AGAIN = 20;

export interface ChaosParts {
  readonly schedule: Schedule;
  readonly net: ChaosNet;
  readonly wires: Wires;
  readonly witness: Witness;
  readonly supply: SupplyBook;
  readonly journals: Journals;
  readonly transfers: Transfers;
  readonly prng: Prng;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** Whether anything is wrong already, so that the run need not go on. */
  readonly broken: () => boolean;
}

export class Chaos {
  readonly stalls: string[] = [];
  readonly totalErrors: string[] = [];
  readonly calms: Calm[] = [];
  readonly checks: Checks;
  rounds = 0;
  readonly #parts: ChaosParts;
  #checked = 0;

  constructor(parts: ChaosParts) {
    const { net, witness, supply, signal } = parts;
    const nodes = Array.from({ length: net.size }, (_, i) => ({
      client: net.client(i),
      log: net.logFile(i),
    }));
    this.#parts = parts;
    this.checks = new Checks({ nodes, witness, supply, signal });
  }

  /** Height up to which every block was compared at every node. */
  get checked(): number {
    return this.#checked;
  }

  get #clients(): ApiClient[] {
    const { net } = this.#parts;
    return Array.from({ length: net.size }, (_, i) => net.client(i));
  }

  get #broken(): boolean {
    return this.stalls.length > 0 || this.totalErrors.length > 0 || this.#parts.broken();
  }

  /** The whole schedule, from the first start of the nodes to the last question; it ends early on a finding. */
  async run(): Promise<void> {
    const { schedule, signal, net, transfers } = this.#parts;
    const over = new AbortController();
    const both = AbortSignal.any([over.signal, signal]);
    // Every wait of every watcher listens to it.
    setMaxListeners(0, signal, both);
    const nobody = conditionsOf([], net.size);
    net.apply(nobody);
    await net.settled();
    const loadOver = new AbortController();
    const load = transfers.run(AbortSignal.any([loadOver.signal, both]));
    const watch = this.#watch(both);
    try {
      await this.#calm(0);
      for (const round of schedule.rounds) {
        if (this.#broken) return;
        await this.#storm(round);
        await this.#calm(round.calmMs);
        this.rounds += 1;
      }
      loadOver.abort();
      await load;
      if (!this.#broken) await this.#judgeAll();
    } finally {
      over.abort();
      await Promise.all([load, watch]);
    }
  }

  /** Hears of final blocks, asks for heights, and keeps journals, until `signal` is aborted. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { witness, journals } = this.#parts;
    const listen = async (client: ApiClient, node: number): Promise<void> => {
      for await (const { height, hash, transactions } of finalBlocks(client.url, signal)) {
        witness.final(node, height, hash);
        if (transactions === 0) continue;
        const block = await finalBlock(client, height).catch(() => undefined);
        if (block !== undefined) witness.block(node, block);
      }
    };
    const over = async (ms: number, work: () => Promise<unknown>): Promise<void> => {
      while (!signal.aborted) {
        await work();
        await delay(ms, undefined, { signal }).catch(() => undefined);
      }
    };
    await Promise.all([
      ...this.#clients.map(listen),
      ...this.#clients.map((_, node) => over(STATUS_MS, () => this.#height(node).catch(() => 0))),
      over(JOURNAL_POLL_MS, () => journals.poll()),
    ]);
  }

  /** A node's height, held against what it told before. */
  async #height(node: number): Promise<number> {
    const { net, witness } = this.#parts;
    const before = witness.toldBy(node);
    const { height, blockHash } = await net.client(node).status();
    witness.status(node, before, height, blockHash);
    return height;
  }

  async #storm(round: Round): Promise<void> {
    const { net, wires, signal, say, witness } = this.#parts;
    for (const line of describeRound(round)) say(line);
    const began = performance.now();
    const before = witness.highest;
    for (const { atMs, active } of timeline(round.faults, round.stormMs)) {
      await delay(Math.max(0, began + atMs - performance.now()), undefined, { signal });
      const conditions = conditionsOf(active, net.size);
      net.apply(conditions);
      await wires.apply(conditions);
    }
    say(`  storm over: ${witness.highest - before} blocks came in it`);
  }

  /** Everything that must hold again when nothing is wrong any more. */
  async #calm(leastMs: number): Promise<void> {
    const { net, signal, say, witness, limits } = this.#parts;
    const began = performance.now();
    await net.settled();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(limits.blocksMs)]);
    const level = await this.#untilLevel(limit);
    if (level === undefined) return;
    const blocksMs = performance.now() - began;
    const paying = performance.now();
    if (!(await this.#pays())) return;
    const paymentsMs = performance.now() - paying;
    this.calms.push({ blocksMs, paymentsMs });
    await this.#judge(level);
    say(
      `  calm: blocks again after ${Math.round(blocksMs)} ms, payments final after ${Math.round(paymentsMs)} ms more; ` +
        `height ${this.#checked}, ${witness.transactions} transactions final`,
    );
    const left = leastMs - (performance.now() - began);
    if (left > 0) await delay(left, undefined, { signal });
  }

  /** Waits until all nodes have further blocks: the height that all have, or undefined where it took too long. */
  async #untilLevel(limit: AbortSignal): Promise<number | undefined> {
    const { net, witness, signal, limits } = this.#parts;
    const target = witness.highest + FURTHER_BLOCKS;
    let heights: (number | undefined)[] = [];
    try {
      await net.allAnswer(limit);
      for (;;) {
        heights = await Promise.all(
          this.#clients.map((_, node) => this.#height(node).catch(() => undefined)),
        );
        const least = Math.min(...heights.map((height) => height ?? 0));
        if (least >= target) return least;
        await delay(POLL_MS, undefined, { signal: limit });
      }
    } catch {
      signal.throwIfAborted();
      const answering = net.answering().join(' ');
      const told = heights.map((height) => height ?? 'no answer').join(', ');
      this.stalls.push(
        `${limits.blocksMs} ms after the storm, nodes ${answering} answer, heights are ${told}, ${target} is wanted`,
      );
      return undefined;
    }
  }

  /** A payment through every node becomes final at every node; false where it took too long. */
  async #pays(): Promise<boolean> {
    const { transfers, signal, limits } = this.#parts;
    const deadline = performance.now() + limits.paymentMs;
    const late = (): boolean => performance.now() > deadline;
    const untilFinal = async (payment: Built, client: ApiClient, node: number): Promise<void> => {
      for (let status = 'not asked'; status !== 'final'; ) {
        status = await client.transaction(fromHex(payment.id), payment.validUntil).then(
          (answer) => answer.status,
          () => 'unanswered',
        );
        if (late() || status === 'expired' || status === 'rejected') {
          this.stalls.push(`node ${node} says "${status}" of payment ${payment.id}, made in a calm`);
          return;
        }
        if (status !== 'final') await delay(POLL_MS, undefined, { signal });
      }
    };
    await Promise.all(
      this.#clients.map(async (door, node) => {
        const payment = transfers.payment();
        while (!(await transfers.submit(door, payment))) {
          if (late()) {
            this.stalls.push(`node ${node} took no payment in a calm`);
            return;
          }
          await delay(POLL_MS, undefined, { signal });
        }
        await Promise.all(this.#clients.map((client, at) => untilFinal(payment, client, at)));
      }),
    );
    return this.stalls.length === 0;
  }

  /** Blocks and transactions up to `level` that were not looked at before, some old ones, coins, logs, journals. */
  async #judge(level: number): Promise<void> {
    const { witness, prng, journals, transfers } = this.#parts;
    const from = this.#checked;
    await this.checks.compareBlocks(from + 1, level);
    const ids = witness.idsBetween(from, level);
    for (const id of ids) if (!transfers.book.has(id)) this.totalErrors.push(`nobody sent transaction ${id}`);
    const old = witness.idsBetween(0, from);
    for (let i = 0; i < OLD_ASKED_AGAIN && old.length > 0; i++) ids.push(prng.pick(old));
    await this.checks.compareTransactions(ids);
    this.#checked = level;
    await this.checks.count(level);
    await this.checks.readLogs();
    await journals.collect();
  }

  /** At the end, without load: every block and transaction there ever was, and what every account must have. */
  async #judgeAll(): Promise<void> {
    const { net, witness, transfers, signal, limits } = this.#parts;
    // Above this height nothing that is still under way can change a balance.
    let moved = { height: 0, at: performance.now() };
    while (witness.highest <= transfers.lastHeight) {
      await delay(POLL_MS, undefined, { signal });
      const now = performance.now();
      if (witness.highest > moved.height) moved = { height: witness.highest, at: now };
      else if (now - moved.at > limits.blocksMs) break;
    }
    const level = await this.#untilLevel(AbortSignal.any([signal, AbortSignal.timeout(limits.blocksMs)]));
    if (level === undefined) return;
    await this.#judge(level);
    await this.checks.compareBlocks(1, level);
    await this.checks.compareTransactions([...witness.ids()]);
    for (let node = 0; node < net.size; node++) {
      for (const wrong of await transfers.check(net.client(node), witness.ids()))
        this.totalErrors.push(`node ${node}: ${wrong}`);
    }
  }
}
