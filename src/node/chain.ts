/**
 * The chain as this node holds it: the last finalised block with its state, the executed blocks above it, and
 * the one place where blocks become final. It promises: a block is executed once; finalised blocks follow one
 * another by hash; each becomes durable in one atomic batch before anybody is told; what loses against a
 * finalised block is dropped together with its state.
 */
import { type Block, decodeBlock, makeBlock, parentCertificateHash } from '../chain/block.ts';
import type { Genesis } from '../chain/genesis.ts';
import { NO_VRF_OUTPUT, NO_VRF_PROOF, PROTOCOL_VERSION } from '../chain/header.ts';
import type { ParentLink } from '../chain/rules.ts';
import { type Bytes, equal, keyOf, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { ZERO_HASH } from '../codec/hash.ts';
import type { ValidatorSet } from '../consensus/types.ts';
import { validatorSetHash } from '../consensus/validator-set.ts';
import { BlockExecutor } from '../ledger/executor.ts';
import { transactionRoot } from '../ledger/merkle.ts';
import type { ReplayMemory, ReplayOverlay, ReplayView } from '../ledger/replay.ts';
import type { Ledger, State } from '../ledger/state.ts';
import { DatabaseDamage, ownData } from '../storage/damage.ts';
import type { ChainDatabase } from '../storage/database.ts';
import { type FailPoint, failPoint } from '../storage/fail-points.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import type { AssembledBlock } from './bodies.ts';

/** An executed block above the last finalised one. */
export interface ExecutedBlock {
  readonly block: Block;
  readonly transactions: readonly CheckedTransaction[];
  readonly state: State;
  readonly replay: ReplayOverlay;
}

/**
 * A refusal by the executor, which only sees checked transactions: where it cannot decode something, that is an entry
 * of this node's own state, and no verdict.
 */
function refusalOf(error: ProtocolError): ProtocolError {
  if (/^(CODEC|ENTRY)_/.test(error.code))
    throw new DatabaseDamage('an entry of the state cannot be read', error);
  return error;
}

/** What a child of some block starts from. */
interface Base {
  readonly link: ParentLink;
  readonly state: State;
  readonly replay: ReplayView;
}

/** Why a certificate makes the tip final: headers from the tip to the certified block. */
export interface TipFinality {
  readonly headers: readonly Bytes[];
  readonly certificate: Bytes;
}

export interface CommitExtras {
  readonly finality: TipFinality;
  readonly nullifications: readonly { readonly view: number; readonly certificate: Bytes }[];
}

export interface BuildPlan {
  readonly parent: Bytes;
  readonly epoch: number;
  readonly view: number;
  readonly parentView: number;
  readonly proposer: Bytes;
  readonly parentCertificate: Bytes | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly candidates: Iterable<CheckedTransaction>;
  /** Starts when the first transaction is looked at; what it returns says when it is time to stop. */
  readonly stopwatch: () => () => boolean;
  /** A candidate that the finalised state itself refuses. */
  readonly onRefused: (tx: CheckedTransaction, why: ProtocolError) => void;
}

export interface ChainOptions {
  readonly genesis: Genesis;
  readonly genesisHash: Bytes;
  readonly set: ValidatorSet;
  readonly database: ChainDatabase;
  readonly ledger: Ledger;
  readonly replay: ReplayMemory;
  /** After a block is durable. */
  readonly onCommitted: (block: ExecutedBlock) => void;
  /** Called between the steps of a commit. Default: where the process dies if it was told to. */
  readonly failPoint?: (name: FailPoint) => void;
}

/** So many candidates in a row for which there were no bytes left end a build. */
const MOST_WITHOUT_ROOM = 200;
/** After so many that post more bounties than the block takes, no others that post any are looked at. */
const MOST_POSTING_TOO_MANY = 200;
const LATE_CHECK_EVERY = 64;

export class Chain {
  readonly validatorsHash: Bytes;
  readonly #options: ChainOptions;
  readonly #executed = new Map<string, ExecutedBlock>();
  readonly #waiters = new Set<() => void>();
  #tip: ParentLink;
  #durable: ParentLink;
  #tipFinality: TipFinality | undefined;

  constructor(options: ChainOptions) {
    this.#options = options;
    this.validatorsHash = validatorSetHash(options.set);
    const { height, hash } = options.database.tip;
    const { database, genesis } = options;
    if (height === 0) this.#tip = { hash, height, view: 0, time: genesis.time };
    else {
      const { header } = this.#stored(height);
      this.#tip = { hash, height, view: header.view, time: header.time };
      const certificate = database.finality(height);
      if (certificate !== undefined) {
        this.#tipFinality = { headers: [this.#stored(height).headerBytes], certificate };
      }
      if (!equal(options.ledger.committed.root, header.stateRoot)) {
        throw new DatabaseDamage(`the state does not have the root that block ${height} commits to`);
      }
    }
    this.#durable = this.#tip;
  }

  #stored(height: number): Block {
    const bytes = this.#options.database.block(height);
    if (bytes === undefined) throw new DatabaseDamage(`block ${height} is missing`);
    return this.#decoded(height, bytes);
  }

  #decoded(height: number, bytes: Bytes): Block {
    const { maxBlockBytes } = this.#options.genesis.parameters;
    return ownData(`block ${height}`, () => decodeBlock(bytes, maxBlockBytes));
  }

  /** The last finalised block; the genesis has height 0. */
  get tip(): ParentLink {
    return this.#tip;
  }

  /** The last finalised block whose batch is on disk: the tip, or for a moment its parent. */
  get durable(): ParentLink {
    return this.#durable;
  }

  /** The state after the last finalised block. */
  get state(): State {
    return this.#options.ledger.committed;
  }

  get tipFinality(): TipFinality | undefined {
    return this.#tipFinality;
  }

  get executedCount(): number {
    return this.#executed.size;
  }

  executed(hash: Bytes): ExecutedBlock | undefined {
    return this.#executed.get(keyOf(hash));
  }

  /** The block with this hash as a parent: the tip, or an executed block above it. */
  link(hash: Bytes): ParentLink | undefined {
    return this.#base(hash)?.link;
  }

  #base(hash: Bytes): Base | undefined {
    if (equal(hash, this.#tip.hash)) {
      return { link: this.#tip, state: this.#options.ledger.committed, replay: this.#options.replay };
    }
    const executed = this.#executed.get(keyOf(hash));
    if (executed === undefined) return undefined;
    const { header } = executed.block;
    return {
      link: { hash, height: header.height, view: header.view, time: header.time },
      state: executed.state,
      replay: executed.replay,
    };
  }

  /** A finalised block by height. */
  block(height: number): Block | undefined {
    if (height < 1 || height > this.#tip.height) return undefined;
    const bytes = this.#options.database.block(height);
    return bytes === undefined ? undefined : this.#decoded(height, bytes);
  }

  /** Resolves when `condition` holds, looked at after every change of the chain; rejects when `signal` fires. */
  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        this.#waiters.delete(look);
        signal.removeEventListener('abort', abort);
      };
      const look = (): void => {
        if (!condition()) return;
        stop();
        resolve();
      };
      const abort = (): void => {
        stop();
        reject(new ProtocolError('WAIT_CANCELLED', 'not needed any more'));
      };
      if (signal.aborted) return abort();
      this.#waiters.add(look);
      signal.addEventListener('abort', abort);
    });
  }

  /** Resolves when the tip is on disk and everybody has been told of it; after `ms` in any case. */
  async settled(ms: number): Promise<void> {
    if (this.#tip === this.#durable) return;
    await this.until(() => this.#tip === this.#durable, AbortSignal.timeout(ms)).catch(() => undefined);
  }

  #changed(): void {
    for (const look of [...this.#waiters]) look();
  }

  #executor(base: Base, time: number): BlockExecutor {
    return new BlockExecutor(base.state, {
      height: base.link.height + 1,
      time,
      parentHash: base.link.hash,
      parameters: this.#options.genesis.parameters,
      replay: base.replay,
    });
  }

  /** An executor on the finalised state, to judge single transactions; what it changes is thrown away. */
  judge(): BlockExecutor {
    const base = this.#base(this.#tip.hash)!;
    return this.#executor(base, base.link.time + 1);
  }

  /**
   * Executes an assembled block whose parent is the tip or an executed block (else it is a bug). Returns the
   * reason when the block is invalid.
   */
  execute(assembled: AssembledBlock): ExecutedBlock | ProtocolError {
    const { block, transactions, invalid } = assembled;
    const known = this.#executed.get(keyOf(block.hash));
    if (known !== undefined) return known;
    if (invalid !== undefined) return invalid;
    const base = this.#base(block.header.parent);
    if (base === undefined) throw new Error(`block ${toHex(block.hash)} executed before its parent`);
    const executor = this.#executor(base, block.header.time);
    try {
      executor.begin();
      for (const tx of transactions) executor.tryTransaction(tx);
    } catch (error) {
      if (error instanceof ProtocolError) return refusalOf(error);
      throw error;
    }
    const { header } = block;
    const { changes, epochHeadersRoot, mmrRoot } = executor.finish();
    if (!equal(epochHeadersRoot, header.epochHeadersRoot) || !equal(mmrRoot, header.mmrRoot)) {
      return new ProtocolError('BLOCK_HISTORY_ROOT', 'a root over earlier headers differs');
    }
    const state = base.state.child(changes);
    if (!equal(state.root, header.stateRoot)) {
      this.#options.ledger.drop(state);
      return new ProtocolError('BLOCK_STATE_ROOT', 'execution gives another state root');
    }
    return this.#keep(block, transactions, state, base.replay);
  }

  #keep(
    block: Block,
    transactions: readonly CheckedTransaction[],
    state: State,
    parentReplay: ReplayView,
  ): ExecutedBlock {
    const executed = {
      block,
      transactions,
      state,
      replay: this.#options.replay.child(transactions, parentReplay),
    };
    this.#executed.set(keyOf(block.hash), executed);
    this.#changed();
    return executed;
  }

  /** Builds and executes a block, or returns undefined when its parent's state is not here. */
  build(plan: BuildPlan): ExecutedBlock | undefined {
    const base = this.#base(plan.parent);
    if (base === undefined) return undefined;
    const time = Math.max(plan.now, base.link.time + 1);
    const executor = this.#executor(base, time);
    executor.begin();
    const taken: CheckedTransaction[] = [];
    const onTip = equal(plan.parent, this.#tip.hash);
    const late = plan.stopwatch();
    let withoutRoom = 0;
    let postingTooMany = 0;
    let looked = 0;
    for (const tx of plan.candidates) {
      if (++looked % LATE_CHECK_EVERY === 0 && late()) break;
      // Whoever posts bounties without end keeps no payment waiting.
      if (postingTooMany >= MOST_POSTING_TOO_MANY && tx.posts) continue;
      if (base.replay.has(tx.validUntil, tx.replayKey)) continue;
      try {
        executor.tryTransaction(tx);
        taken.push(tx);
        withoutRoom = 0;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        if (refusalOf(error).code !== 'BLOCK_FULL') {
          if (onTip) plan.onRefused(tx, error);
        } else if (executor.hasSpaceFor(tx)) postingTooMany += 1;
        else if (++withoutRoom > MOST_WITHOUT_ROOM) break;
      }
    }
    const { changes, epochHeadersRoot, mmrRoot } = executor.finish();
    const state = base.state.child(changes);
    const block = makeBlock(
      {
        version: PROTOCOL_VERSION,
        parent: plan.parent,
        height: base.link.height + 1,
        epoch: plan.epoch,
        view: plan.view,
        parentView: plan.parentView,
        proposer: plan.proposer,
        time,
        vrfOutput: NO_VRF_OUTPUT,
        vrfProof: NO_VRF_PROOF,
        transactionRoot: transactionRoot(taken),
        parentCertificateHash: parentCertificateHash(plan.parentCertificate),
        stateRoot: state.root,
        validatorsHash: this.validatorsHash,
        nextValidatorsHash: ZERO_HASH,
        epochHeadersRoot,
        mmrRoot,
      },
      plan.parentCertificate,
      taken.map((tx) => tx.bytes),
    );
    return this.#keep(block, taken, state, base.replay);
  }

  /**
   * Makes an executed child of the tip final and durable. Calls come one after the other. Rejects when the
   * database cannot write: then the process has to end.
   */
  async commit(executed: ExecutedBlock, extras: CommitExtras): Promise<void> {
    const { block, state, replay, transactions } = executed;
    const { header } = block;
    if (!equal(header.parent, this.#tip.hash))
      throw new Error('a block is made final that does not follow the tip');
    const { database, ledger, failPoint: pass = failPoint } = this.#options;
    const changes = ledger.finalise(state);
    this.#options.replay.finalise(replay, header.height);
    this.#executed.delete(keyOf(block.hash));
    this.#tip = { hash: block.hash, height: header.height, view: header.view, time: header.time };
    this.#tipFinality = extras.finality;
    this.#dropRivals();
    pass('database.before-commit');
    await database.commit({
      height: header.height,
      hash: block.hash,
      blockBytes: block.bytes,
      finality: extras.finality.headers.length === 1 ? extras.finality.certificate : undefined,
      nullifications: extras.nullifications,
      transactionIds: transactions.map((tx) => tx.id),
      changes,
    });
    pass('database.after-commit');
    this.#durable = this.#tip;
    ledger.written(state);
    this.#options.onCommitted(executed);
    this.#changed();
  }

  /** Forgets executed blocks that do not stand on the tip; their states are gone already. */
  #dropRivals(): void {
    const alive = new Map<string, boolean>([[keyOf(this.#tip.hash), true]]);
    const stands = (executed: ExecutedBlock): boolean => {
      const key = keyOf(executed.block.hash);
      const known = alive.get(key);
      if (known !== undefined) return known;
      const parent = executed.block.header.parent;
      const above = this.#executed.get(keyOf(parent));
      const result = equal(parent, this.#tip.hash) || (above !== undefined && stands(above));
      alive.set(key, result);
      return result;
    };
    for (const executed of [...this.#executed.values()]) {
      if (!stands(executed)) this.#executed.delete(keyOf(executed.block.hash));
    }
  }
}
