/**
 * The crash loop: rounds of kills on a network under load, and after each round everything that must hold. Reports
 * what it saw; throws only when the network cannot go on or the caller's signal is aborted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { headerHash } from '../../src/chain/header.ts';
import type { ApiClient } from '../../src/cli/client.ts';
import { CommandError } from '../../src/cli/output.ts';
import { fromHex, toHex } from '../../src/codec/bytes.ts';
import { type TrustRoot, verifyFinality, verifyTransaction } from '../../src/light/verify.ts';
import { FAIL_POINTS, type FailPoint } from '../../src/storage/fail-points.ts';
import { finalBlocks, transactionProof } from '../../src/story/queries.ts';
import type { Prng } from '../simulator/prng.ts';
import { Checks } from './checks.ts';
import type { Journals } from './journals.ts';
import { type CrashNet, finalBlock } from './net.ts';
import type { Blow, FailPointVisit, RoundPlan } from './plan.ts';
import type { SupplyBook } from './supply.ts';
import type { VoteBook } from './votes.ts';
import type { Witness } from './witness.ts';

/** Blocks that become final after everybody is back before a round is judged. */
const FURTHER_BLOCKS = 3;
const LEVEL_MS = 60_000;
const FAIL_POINT_MS = 30_000;
const FAIL_POINT_TRIES = 3;
const POLL_MS = 50;
const JOURNAL_POLL_MS = 50;
const OLD_ASKED_AGAIN = 20;
const PROOF_TRIES = 20;

export interface LoopParts {
  readonly net: CrashNet;
  readonly witness: Witness;
  readonly votes: VoteBook;
  readonly journals: Journals;
  readonly supply: SupplyBook;
  readonly trust: TrustRoot;
  readonly prng: Prng;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export class CrashLoop {
  kills = 0;
  startUpKills = 0;
  proofs = 0;
  readonly visited: Record<string, number> = Object.fromEntries(FAIL_POINTS.map((point) => [point, 0]));
  readonly #parts: LoopParts;
  readonly #checks: Checks;
  #checked = 0;
  #again: FailPointVisit[] = [];

  constructor(parts: LoopParts) {
    const { net, witness, supply, signal } = parts;
    const nodes = Array.from({ length: net.size }, (_, i) => ({
      client: net.client(i),
      log: net.logFile(i),
    }));
    this.#parts = parts;
    this.#checks = new Checks({ nodes, witness, supply, signal });
  }

  /** Conflicting votes that some node was sent. */
  get conflicts(): readonly string[] {
    return this.#checks.conflicts;
  }

  get logErrors(): readonly string[] {
    return this.#checks.logErrors;
  }

  get #nodes(): number[] {
    return Array.from({ length: this.#parts.net.size }, (_, i) => i);
  }

  /** Height up to which every node was compared. */
  get checked(): number {
    return this.#checked;
  }

  get missedFailPoints(): FailPoint[] {
    return FAIL_POINTS.filter((point) => this.visited[point] === 0);
  }

  /** Listens to every node, and keeps every journal segment, until `signal` is aborted. */
  async watch(signal: AbortSignal): Promise<void> {
    const { net, witness, journals } = this.#parts;
    const listen = async (node: number): Promise<void> => {
      const client = net.client(node);
      for await (const { height, hash, transactions } of finalBlocks(client.url, signal)) {
        witness.final(node, height, hash);
        if (transactions === 0) continue;
        const block = await finalBlock(client, height).catch(() => undefined);
        if (block !== undefined) witness.block(node, block);
      }
    };
    const keep = async (): Promise<void> => {
      while (!signal.aborted) {
        await journals.poll();
        await delay(JOURNAL_POLL_MS, undefined, { signal }).catch(() => undefined);
      }
    };
    await Promise.all([...this.#nodes.map(listen), keep()]);
  }

  async startAll(): Promise<void> {
    const { net, signal } = this.#parts;
    for (const node of this.#nodes) await net.start(node);
    await Promise.all(this.#nodes.map((node) => net.untilReady(node, signal)));
    await this.#untilLevel();
  }

  async play(plan: RoundPlan): Promise<void> {
    const { net, signal } = this.#parts;
    await Promise.all(plan.blows.map((blow) => this.#strike(blow)));
    if (plan.again !== undefined) {
      await delay(plan.again.atMs, undefined, { signal });
      await this.#crash(plan.again.victim);
      await net.start(plan.again.victim);
      await net.untilReady(plan.again.victim, signal);
    }
    for (const visit of plan.failPoints) await this.#visit(visit);
    await this.#visitAgain();
    await this.check();
  }

  async #visitAgain(): Promise<void> {
    const again = this.#again;
    this.#again = [];
    for (const visit of again) await this.#visit(visit);
  }

  async #crash(node: number): Promise<boolean> {
    const killed = await this.#parts.net.kill(node);
    if (killed) this.kills += 1;
    return killed;
  }

  async #strike({ victim, atMs, awayMs, startUpKills, failPoint }: Blow): Promise<void> {
    const { net, signal } = this.#parts;
    await delay(atMs, undefined, { signal });
    await this.#crash(victim);
    await delay(awayMs, undefined, { signal });
    for (const after of startUpKills) {
      await net.start(victim);
      await delay(after, undefined, { signal });
      if (await this.#crash(victim)) this.startUpKills += 1;
    }
    if (failPoint !== undefined) await this.#dieAt({ ...failPoint, victim });
    await net.start(victim);
    await net.untilReady(victim, signal);
  }

  /** Kills a node and lets it die once more, at a fail point. */
  async #visit(visit: FailPointVisit): Promise<void> {
    const { net, signal } = this.#parts;
    await this.#crash(visit.victim);
    await this.#dieAt(visit);
    await net.start(visit.victim);
    await net.untilReady(visit.victim, signal);
  }

  /** Starts a node and waits until it has died at a fail point. One that does not pass it in time is tried again. */
  async #dieAt(visit: FailPointVisit): Promise<void> {
    const { net, signal, say } = this.#parts;
    const { point, victim } = visit;
    await net.start(victim, visit);
    // Some points are passed only by a node that is sent something.
    void net.untilReady(victim, signal).catch(() => undefined);
    if (await net.diedAtFailPoint(victim, FAIL_POINT_MS, signal)) {
      this.visited[point]! += 1;
      return;
    }
    signal.throwIfAborted();
    say(`node ${victim} did not pass ${point} in time; it will be tried again`);
    this.#again.push({ ...visit, pass: 1 });
    await net.kill(victim);
  }

  /** A node's height, held against what it told before. */
  async #height(node: number): Promise<number> {
    const { net, witness } = this.#parts;
    const before = witness.toldBy(node);
    const { height, blockHash } = await net.client(node).status();
    witness.status(node, before, height, blockHash);
    return height;
  }

  /** Waits until all are level and some blocks further; returns the height that all of them have. */
  async #untilLevel(): Promise<number> {
    const { witness, signal } = this.#parts;
    const target = witness.highest + FURTHER_BLOCKS;
    const deadline = performance.now() + LEVEL_MS;
    for (;;) {
      const now = await Promise.all(this.#nodes.map((node) => this.#height(node).catch(() => 0)));
      const least = Math.min(...now);
      if (least >= target) return least;
      if (performance.now() > deadline) {
        throw new Error(`stuck: heights ${now.join(', ')} a minute after all were back, ${target} wanted`);
      }
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Everything that must hold when all are back. */
  async check(): Promise<void> {
    const { witness, prng } = this.#parts;
    const level = await this.#untilLevel();
    const from = this.#checked;
    await this.#checks.compareBlocks(from + 1, level);
    const ids = witness.idsBetween(from, level);
    if (from > 0) {
      const old = witness.idsBetween(0, from);
      for (let i = 0; i < OLD_ASKED_AGAIN && old.length > 0; i++) ids.push(prng.pick(old));
    }
    await this.#checks.compareTransactions(ids);
    this.#checked = level;
    await this.#checks.count(level);
    await this.#checks.readLogs();
    await this.#parts.journals.collect();
  }

  /** At the end: every block and every transaction there ever was, at every node, and proofs for some. */
  async checkAll(proofs: number): Promise<void> {
    const { witness } = this.#parts;
    for (let tries = 0; tries < FAIL_POINT_TRIES; tries++) await this.#visitAgain();
    await this.check();
    await this.#checks.compareBlocks(1, this.#checked);
    await this.#checks.compareTransactions([...witness.ids()]);
    const all = [...witness.ids()];
    for (let i = 0; i < proofs && all.length > 0; i++) await this.#prove(this.#parts.prng.pick(all));
  }

  /** A transaction's place, proved from the genesis by one of the nodes. */
  async #prove(id: string): Promise<void> {
    const { net, witness, trust, prng } = this.#parts;
    const node = prng.pick(this.#nodes);
    const place = witness.placeOf(id)!;
    const claim = await this.#proofOf(net.client(node), id);
    const header = verifyFinality(trust, claim.finality);
    const proven = verifyTransaction(header, claim.bytes, claim.path);
    this.proofs += 1;
    if (header.height !== place.height || toHex(proven.id) !== id) {
      witness.lost.push(
        `node ${node} proves ${toHex(proven.id)} at height ${header.height}, asked for ${id}`,
      );
    }
    witness.final(node, header.height, toHex(headerHash(claim.finality.headers[0]!)));
  }

  async #proofOf(client: ApiClient, id: string) {
    for (let tries = 1; ; tries++) {
      try {
        return await transactionProof(client, fromHex(id));
      } catch (error) {
        const later = error instanceof CommandError && error.code === 'PROOF_UNAVAILABLE';
        if (!later || tries >= PROOF_TRIES) throw error;
      }
      await delay(POLL_MS, undefined, { signal: this.#parts.signal });
    }
  }
}
