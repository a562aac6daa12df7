/**
 * What must hold of the blocks and states of a run: every machine has the same block and the same state at a height,
 * in order; the state is what the header commits to; every coin is where it should be, counted anew; nothing is final
 * twice; and what a machine has called final it still has after any death.
 */
import { equal, toHex } from '../../../src/codec/bytes.ts';
import { recount } from '../../../src/ledger/recount.ts';
import type { State } from '../../../src/ledger/state.ts';
import type { ExecutedBlock } from '../../../src/node/chain.ts';

interface Final {
  readonly hash: string;
  readonly root: string;
}

const MOST_VIOLATIONS = 20;

export class Checks {
  readonly violations: string[] = [];
  /** By height. */
  readonly #chain = new Map<number, Final>();
  /** The height that each machine has called final. */
  readonly #heights = new Map<string, number>();
  /** Where each final transaction is. */
  readonly #transactions = new Map<string, number>();
  /** What became of transactions when they were submitted. */
  readonly submissions = new Map<string, number>();
  #recounts = 0;

  broken(what: string): void {
    if (this.violations.length < MOST_VIOLATIONS) this.violations.push(what);
  }

  offence(by: string, of: string, offence: string): void {
    this.broken(`${by} accuses ${of} of ${offence}`);
  }

  admitted(outcome: string): void {
    this.submissions.set(outcome, (this.submissions.get(outcome) ?? 0) + 1);
  }

  get height(): number {
    return Math.max(0, ...this.#chain.keys());
  }

  heightOf(machine: string): number {
    return this.#heights.get(machine) ?? 0;
  }

  get transactions(): number {
    return this.#transactions.size;
  }

  get recounts(): number {
    return this.#recounts;
  }

  /** A machine has read its database. It may hold one block more than it has spoken of, and none less. */
  started(machine: string, height: number, state: State): void {
    const spoken = this.heightOf(machine);
    if (height < spoken) this.broken(`${machine} called height ${spoken} final and starts at ${height}`);
    const final = this.#chain.get(height);
    if (final !== undefined && final.root !== toHex(state.root))
      this.broken(`${machine} starts at height ${height} with another state`);
    this.#count(machine, state);
    this.#heights.set(machine, Math.max(spoken, height));
  }

  finalised(machine: string, { block, transactions }: ExecutedBlock, state: State): void {
    const { height, stateRoot } = block.header;
    const expected = this.heightOf(machine) + 1;
    if (height !== expected) this.broken(`${machine} finalises height ${height} where ${expected} is due`);
    this.#heights.set(machine, height);
    if (!equal(stateRoot, state.root))
      this.broken(`${machine} holds another state than block ${height} commits to`);
    const now = { hash: toHex(block.hash), root: toHex(state.root) };
    const known = this.#chain.get(height);
    if (known !== undefined) {
      if (known.hash !== now.hash) this.broken(`${machine} finalises another block at height ${height}`);
      if (known.root !== now.root) this.broken(`${machine} has another state at height ${height}`);
      return;
    }
    this.#chain.set(height, now);
    for (const { id } of transactions) {
      const name = toHex(id);
      const before = this.#transactions.get(name);
      if (before !== undefined) this.broken(`transaction ${name} is final at ${before} and at ${height}`);
      this.#transactions.set(name, height);
    }
    this.#count(machine, state);
  }

  #count(machine: string, state: State): void {
    this.#recounts++;
    for (const finding of recount(state.entries()).findings) this.broken(`${machine}: ${finding}`);
  }
}
