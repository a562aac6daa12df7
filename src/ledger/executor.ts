/**
 * Block execution: the rules of docs/protocol.md §7 in their order. The same executor builds a block (a
 * transaction that is refused has changed nothing) and applies one (the first refusal makes it invalid), so the
 * two cannot differ. It reads the parent state, touches no tree, and hands over one sorted list of changes.
 *
 * Transactions come checked: encoding, bounds, balance of inputs and outputs, signatures (tx/check.ts).
 */
import type { Bytes } from '../codec/bytes.ts';
import { invariant, isProtocolError, ProtocolError } from '../codec/errors.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import {
  type BountyOutput,
  type ClaimsBody,
  KIND_CLAIMS,
  KIND_TRANSFER,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type TransferBody,
} from '../tx/types.ts';
import {
  checkClaim,
  checkPosting,
  type Expiry,
  expireBounties,
  type OpenClaim,
  payClaim,
  postBounty,
  type Removal,
  removeClosed,
} from './bounties.ts';
import { HashIndex } from './hash-index.ts';
import { headerLeaf } from './merkle.ts';
import { type ChainParameters, ordinarySpace, partsPerMillion, queueQuota } from './parameters.ts';
import type { ReplayKey, ReplayView } from './replay.ts';
import type { State, StateView } from './state.ts';
import type { Change } from './tree/trie.ts';
import { WorkingSet } from './working-set.ts';

/** Everything outside the parent state that a block's result depends on. */
export interface BlockContext {
  readonly height: number;
  /** Time of the block, ms since 1970. */
  readonly time: number;
  /** Hash of the parent's header; at height 1 the genesis hash. */
  readonly parentHash: Bytes;
  readonly parameters: ChainParameters;
  /** What the blocks up to the parent held. */
  readonly replay: ReplayView;
}

/** What became of a transaction in a block. */
export interface TransactionOutcome {
  /** For claims: which of them were open, in their order. Empty for transfers. */
  readonly open: readonly boolean[];
}

export interface BlockResult {
  /** Sorted by key. */
  readonly changes: readonly Change[];
  /** One a transaction, in their order. */
  readonly outcomes: readonly TransactionOutcome[];
  readonly expired: readonly Expiry[];
  readonly removed: readonly Removal[];
  /** What the replay memory has to take in. */
  readonly replayKeys: readonly ReplayKey[];
  /** What the block's header has to hold: roots over this epoch's earlier headers and over all boundaries. */
  readonly epochHeadersRoot: Bytes;
  readonly mmrRoot: Bytes;
}

const NOTHING_OPEN: TransactionOutcome = { open: [] };

/** A transaction found good, and how to make it happen. */
interface Verdict {
  readonly outcome: TransactionOutcome;
  readonly apply: () => void;
}

function refuse(code: string, message: string): never {
  throw new ProtocolError(code, message);
}

export class BlockExecutor {
  readonly #context: BlockContext;
  readonly #set: WorkingSet;
  readonly #replayed = new HashIndex();
  readonly #replayKeys: ReplayKey[] = [];
  readonly #outcomes: TransactionOutcome[] = [];
  #expired: readonly Expiry[] = [];
  #removed: readonly Removal[] = [];
  #bytes = 0;
  #ordinaryBytes = 0;
  #posted = 0;

  constructor(parent: StateView, context: BlockContext) {
    invariant(Number.isSafeInteger(context.height) && context.height > 0, 'a block has a height over zero');
    this.#context = context;
    this.#set = new WorkingSet(parent, context.parameters.accountDeposit);
  }

  /** What happens before a block's transactions. Called once, first. */
  begin(): void {
    const { height, parentHash, parameters } = this.#context;
    const set = this.#set;
    if (height > 1) set.epochHeaders = set.epochHeaders.append(headerLeaf(parentHash));
    this.#removed = removeClosed(set, height, parameters);
    this.#expired = expireBounties(set, height, parameters);
  }

  /** Judges a transaction as the next one of the block, without taking it in. Throws why it is refused. */
  check(tx: CheckedTransaction): TransactionOutcome {
    return this.#judge(tx).outcome;
  }

  /**
   * Takes a transaction in as the next one. Throws a `ProtocolError` that says why it is refused; then nothing
   * has changed. Codes: `TX_EXPIRED`, `TX_TOO_FAR`, `BLOCK_FULL`, `TX_REPLAY`, `TX_FEE_LOW`, `TX_OVERSPENT`,
   * `TX_DUST`, `TX_BOUNTY_*`, `BOUNTY_*`, `CLAIM_*`.
   */
  tryTransaction(tx: CheckedTransaction): TransactionOutcome {
    const { outcome, apply } = this.#judge(tx);
    apply();
    this.#bytes += tx.bytes.length;
    if (tx.kind !== KIND_CLAIMS) this.#ordinaryBytes += tx.bytes.length;
    this.#replayed.insert(tx.replayKey);
    this.#replayKeys.push({ validUntil: tx.validUntil, replayKey: tx.replayKey });
    this.#outcomes.push(outcome);
    return outcome;
  }

  /** The block's result. The executor is not used any more after it. */
  finish(): BlockResult {
    return {
      changes: this.#set.changes(),
      outcomes: this.#outcomes,
      expired: this.#expired,
      removed: this.#removed,
      replayKeys: this.#replayKeys,
      epochHeadersRoot: this.#set.epochHeaders.root(),
      mmrRoot: this.#set.boundaries.root(),
    };
  }

  #judge(tx: CheckedTransaction): Verdict {
    this.#checkHeight(tx);
    this.#checkSpace(tx);
    if (this.#replayed.has(tx.replayKey) || this.#context.replay.has(tx.validUntil, tx.replayKey)) {
      refuse('TX_REPLAY', 'this transaction, or one that it replaces, is in the chain already');
    }
    if (tx.kind === KIND_TRANSFER) return this.#judgeTransfer(tx);
    invariant(tx.kind === KIND_CLAIMS, 'a checked transaction is of a known kind');
    return this.#judgeClaims(tx);
  }

  #checkHeight(tx: CheckedTransaction): void {
    const { height, parameters } = this.#context;
    if (height > tx.validUntil)
      refuse('TX_EXPIRED', `valid until height ${tx.validUntil}, this is ${height}`);
    if (tx.validUntil > height + parameters.txLifetime) {
      refuse('TX_TOO_FAR', `validUntil is at most ${parameters.txLifetime} blocks ahead of height ${height}`);
    }
  }

  /** Whether the block's bytes have room for a transaction; it may still post more bounties than a block takes. */
  hasSpaceFor(tx: CheckedTransaction): boolean {
    return this.#spaceWanting(tx) === undefined;
  }

  #checkSpace(tx: CheckedTransaction): void {
    const wanting = this.#spaceWanting(tx);
    if (wanting !== undefined) refuse('BLOCK_FULL', wanting);
  }

  #spaceWanting(tx: CheckedTransaction): string | undefined {
    const { maxBlockBytes } = this.#context.parameters;
    const size = tx.bytes.length;
    if (this.#bytes + size > maxBlockBytes) return 'no room in the block for this transaction';
    if (tx.kind !== KIND_CLAIMS && this.#ordinaryBytes + size > ordinarySpace(maxBlockBytes)) {
      return 'what is left of the block is for claims';
    }
    return undefined;
  }

  #judgeTransfer(tx: CheckedTransaction): Verdict {
    const { height, parameters } = this.#context;
    const set = this.#set;
    const leastFee = BigInt(tx.bytes.length) * parameters.baseFee;
    if (tx.fee < leastFee) refuse('TX_FEE_LOW', `a fee of ${tx.fee} µKRY, at least ${leastFee} is due`);

    const body = tx.rich ? (tx.decode().body as TransferBody) : undefined;
    const bounties: { readonly output: BountyOutput; readonly index: number }[] = [];
    let adverts = 0;
    body?.outputs.forEach((output, index) => {
      if (output.type === OUTPUT_BOUNTY) bounties.push({ output, index });
      else if (output.type !== OUTPUT_PAY) adverts++;
    });
    if (this.#posted + bounties.length > queueQuota(parameters)) {
      refuse('BLOCK_FULL', 'the block has no room for further bounties');
    }
    for (const { output } of bounties) checkPosting(output, height, parameters);
    const rests = set.accounts.weigh(tx.debits(), tx.credits());

    return {
      outcome: NOTHING_OPEN,
      apply: () => {
        set.accounts.settle();
        set.fees += tx.fee + rests;
        if (adverts > 0) {
          const burned = partsPerMillion(parameters.advertFee, parameters.advertBurnPpm) * BigInt(adverts);
          set.burned += burned;
          set.fees += parameters.advertFee * BigInt(adverts) - burned;
        }
        this.#posted += bounties.length;
        for (const { output, index } of bounties) {
          postBounty(set, output, { transaction: tx.id, index, height }, parameters.bountyDeposit);
        }
      },
    };
  }

  #judgeClaims(tx: CheckedTransaction): Verdict {
    const { height, parameters } = this.#context;
    const set = this.#set;
    const { claims } = tx.decode().body as ClaimsBody;
    const payable: OpenClaim[] = [];
    const open: boolean[] = [];
    let reason: ProtocolError | undefined;
    for (const claim of claims) {
      try {
        payable.push(checkClaim(set, claim, height));
        open.push(true);
      } catch (error) {
        if (!isProtocolError(error)) throw error;
        reason ??= error;
        open.push(false);
      }
    }
    if (reason !== undefined && 2 * payable.length < claims.length) throw reason;
    return {
      outcome: { open },
      apply: () => {
        for (const claim of payable) payClaim(set, claim, { transaction: tx.id, height }, parameters);
      },
    };
  }
}

/** A block's result with the state that it leads to. */
export interface AppliedBlock extends BlockResult {
  /** The caller finalises or drops it. */
  readonly state: State;
}

/**
 * Applies a whole block on `parent`. Throws the `ProtocolError` of the first transaction that is refused, with
 * its `index` in the details; then there is no new state.
 */
export function applyBlock(
  parent: State,
  context: BlockContext,
  transactions: readonly CheckedTransaction[],
): AppliedBlock {
  const executor = new BlockExecutor(parent, context);
  executor.begin();
  transactions.forEach((tx, index) => {
    try {
      executor.tryTransaction(tx);
    } catch (error) {
      if (!isProtocolError(error)) throw error;
      throw new ProtocolError(error.code, `transaction ${index}: ${error.message}`, {
        ...error.details,
        index,
      });
    }
  });
  const result = executor.finish();
  return { ...result, state: parent.child(result.changes) };
}
