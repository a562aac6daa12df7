/**
 * What is asked of every node through its API while all of them are well, and what their logs say: blocks and
 * transactions against what was ever called final, coins against a full recount. Findings are kept by the books that
 * are given; throws only when a node does not answer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from '../../src/cli/client.ts';
import { CommandError } from '../../src/cli/output.ts';
import { fromHex } from '../../src/codec/bytes.ts';
import { LogReader } from './logs.ts';
import { finalBlock, supplyOf } from './net.ts';
import type { SupplyBook } from './supply.ts';
import type { Witness } from './witness.ts';

const AT_ONCE = 8;
const COUNT_TRIES = 100;
const COUNT_AGAIN_MS = 200;

interface CheckedNode {
  readonly client: ApiClient;
  readonly log: string;
}

export interface CheckParts {
  readonly nodes: readonly CheckedNode[];
  readonly witness: Witness;
  readonly supply: SupplyBook;
  readonly signal: AbortSignal;
}

/** `work` for each item, a few at a time. */
async function each<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (;;) {
      const next = iterator.next();
      if (next.done === true) return;
      await work(next.value);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function* heights(from: number, to: number): Generator<number> {
  for (let height = from; height <= to; height++) yield height;
}

export class Checks {
  /** Conflicting votes or certificates that reached a node. */
  readonly conflicts: string[] = [];
  readonly logErrors: string[] = [];
  readonly #parts: CheckParts;
  readonly #logs: readonly LogReader[];

  constructor(parts: CheckParts) {
    this.#parts = parts;
    this.#logs = parts.nodes.map(({ log }) => new LogReader(log));
  }

  async #everywhere(work: (client: ApiClient, node: number) => Promise<void>): Promise<void> {
    await Promise.all(this.#parts.nodes.map(({ client }, node) => work(client, node)));
  }

  /** The blocks of these heights, with their transactions, at every node. */
  async compareBlocks(from: number, to: number): Promise<void> {
    const { witness } = this.#parts;
    await this.#everywhere((client, node) =>
      each(heights(from, to), async (height) => {
        try {
          witness.block(node, await finalBlock(client, height));
        } catch (error) {
          if (!(error instanceof CommandError) || error.code !== 'BLOCK_UNKNOWN') throw error;
          witness.missing(node, height);
        }
      }),
    );
  }

  /** What every node says of these transactions, which some node called final. */
  async compareTransactions(ids: readonly string[]): Promise<void> {
    const { witness } = this.#parts;
    await this.#everywhere((client, node) =>
      each(ids, async (id) => {
        const { status, height, index } = await client.transaction(fromHex(id));
        const place = height === undefined || index === undefined ? {} : { height, index };
        witness.transaction(node, id, { status, ...place });
      }),
    );
  }

  /** A recount at every node, at this height or later. */
  async count(height: number): Promise<void> {
    const { supply, signal } = this.#parts;
    await this.#everywhere(async (client, node) => {
      // A node counts seldom and gives its last count meanwhile, which may be of an earlier height.
      for (let tries = 0; tries < COUNT_TRIES; tries++) {
        const answer = await supplyOf(client);
        supply.add(node, answer);
        if (answer.height >= height) return;
        await delay(COUNT_AGAIN_MS, undefined, { signal });
      }
      throw new Error(`node ${node} did not count its coins at height ${height}`);
    });
  }

  /** What the logs say since the last time. */
  async readLogs(): Promise<void> {
    for (const [node, log] of this.#logs.entries()) {
      const { conflicts, errors } = await log.read();
      for (const line of conflicts) this.conflicts.push(`node ${node}: ${line}`);
      for (const line of errors) this.logErrors.push(`node ${node}: ${line.slice(0, 500)}`);
    }
  }
}
