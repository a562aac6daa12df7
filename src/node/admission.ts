/**
 * The way of a transaction into the mempool, from the API or from gossip: dropped if it is known, paid for out
 * of the budget of the peer that brought it, checked in the workers, judged against the finalised state, then
 * passed on. Signatures are verified once, however often and from wherever a transaction comes: while it is
 * being verified, while it waits, after it was refused by the state, after it became final. It also remembers
 * what became of transactions that did not make it, so that a user can be told.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { decodeAccount } from '../ledger/entries.ts';
import { accountKey } from '../ledger/keys.ts';
import { getBounty } from '../ledger/read.ts';
import type { State } from '../ledger/state.ts';
import { CodeCounter } from '../mempool/codes.ts';
import { Mempool, type MempoolFigures } from '../mempool/pool.ts';
import type { MempoolLimits, MempoolView } from '../mempool/types.ts';
import { mapInTurns } from '../system/turns.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import { KIND_CLAIMS, KIND_TRANSFER } from '../tx/types.ts';
import type { Chain } from './chain.ts';
import { type PeerBudgetLimits, PeerBudgets } from './peer-budgets.ts';
import type { Origin, TransactionVerifier } from './verify-pool.ts';
import type { CheckResult } from './verify-protocol.ts';

/** Where transactions come from: this node's own users, or a peer. */
export type Source = 'own' | { readonly peer: string; readonly validator: boolean };

export type Admission =
  | { readonly status: 'admitted' | 'known'; readonly tx: CheckedTransaction }
  | { readonly status: 'final'; readonly id: Bytes }
  | {
      readonly status: 'refused';
      readonly id: Bytes | undefined;
      readonly error: ProtocolError;
      readonly stateless: boolean;
    };

/** Why a transaction is neither waiting nor final. */
export interface Fate {
  readonly code: string;
  readonly reason: string;
}

/** Counts since the start, and sizes. */
export interface AdmissionFigures extends MempoolFigures {
  /** Transactions handed to the workers, and those that came again and were not. */
  readonly fresh: number;
  readonly known: number;
  /** Batches of peers whose budget was empty. */
  readonly ignoredBatches: number;
  /** Verifications that came to nothing, charged to their peers once more. */
  readonly charged: number;
  readonly peersWithBudget: number;
}

const MAX_FATES = 50_000;
const MAX_FINAL = 100_000;
/** Transactions that are verified but do not wait: kept in case they come again. */
const MAX_VERIFIED = 20_000;
const MAX_VERIFIED_BYTES = 8 * 1024 * 1024;
/** How long a verdict may wait for the last final block's way to the disk. */
const SETTLE_MS = 5_000;

/** Sets `key`; the oldest entries leave a map of more than `most`. */
function setBounded<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.set(key, value);
  if (map.size <= most) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}

/** A batch in the workers. */
interface Batch {
  readonly lane: Origin;
  readonly results: Promise<readonly CheckResult[]>;
}

/** What of an admission's transactions is verified for it, and what somebody else waits for already. */
interface Sorted {
  readonly lane: Origin;
  readonly sender: string | undefined;
  readonly fresh: readonly number[];
  readonly shared: readonly number[];
}

interface Running {
  readonly batch: Batch;
  readonly index: number;
}

/** Verified transactions by the SHA-256 of their full bytes, the oldest of which make room for new ones. */
class VerifiedMemory {
  readonly #entries = new Map<string, CheckedTransaction>();
  #bytes = 0;

  get(key: string): CheckedTransaction | undefined {
    return this.#entries.get(key);
  }

  put(key: string, tx: CheckedTransaction): void {
    if (this.#entries.has(key)) return;
    this.#entries.set(key, tx.owned());
    this.#bytes += tx.bytes.length;
    for (const [oldest, { bytes }] of this.#entries) {
      if (this.#entries.size <= MAX_VERIFIED && this.#bytes <= MAX_VERIFIED_BYTES) return;
      this.#entries.delete(oldest);
      this.#bytes -= bytes.length;
    }
  }

  delete(key: string): void {
    const tx = this.#entries.get(key);
    if (tx === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= tx.bytes.length;
  }
}

export interface AdmissionOptions {
  readonly limits: MempoolLimits;
  readonly verifier: TransactionVerifier;
  readonly chain: () => Chain;
  readonly peerBudgets: PeerBudgetLimits;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  /** A transaction, by the key of its wire hash, waits no longer: it is in a final block, or was dropped. */
  readonly onLeft?: (wireKey: string) => void;
  /** One that waited was dropped; `peer` is the one it came from, if not from an own user. */
  readonly onDropped?: (id: Bytes, code: string, peer: string | undefined) => void;
}

const laneOf = (source: Source): Origin => {
  if (source === 'own') return 'own';
  return source.validator ? 'validator' : 'stranger';
};
const RANK: Record<Origin, number> = { own: 0, validator: 1, stranger: 2 };

export class Admissions {
  readonly mempool: Mempool;
  readonly #o: AdmissionOptions;
  readonly #budgets: PeerBudgets;
  readonly #fates = new Map<string, Fate>();
  /** Ids of transactions that lately became final, by the SHA-256 of their full bytes. */
  readonly #final = new Map<string, Bytes>();
  readonly #verified = new VerifiedMemory();
  /** By the SHA-256 of full bytes; bounded by what the verifier takes. */
  readonly #inFlight = new Map<string, Running>();
  #handedOver = 0;
  #known = 0;
  readonly #invalid = new CodeCounter();
  #ignored = 0;
  #charged = 0;

  constructor(options: AdmissionOptions) {
    this.#o = options;
    const now = options.now ?? (() => performance.now());
    this.#budgets = new PeerBudgets(options.peerBudgets, now);
    this.mempool = new Mempool(options.limits, {
      dropped: ({ tx, wireKey, source }, { code, message }) => {
        this.#remember(tx.id, code, message);
        this.#verified.put(wireKey, tx);
        if (source !== undefined) this.#charge(source);
        options.onLeft?.(wireKey);
        options.onDropped?.(tx.id, code, source);
      },
      included: ({ wireKey }) => options.onLeft?.(wireKey),
    });
  }

  #charge(peer: string): void {
    this.#charged += 1;
    this.#budgets.charge(peer);
  }

  #remember(id: Bytes, code: string, reason: string): void {
    setBounded(this.#fates, keyOf(id), { code, reason }, MAX_FATES);
  }

  /** What became of a transaction that is neither waiting nor final, as far as this node remembers. */
  fate(id: Bytes): Fate | undefined {
    return this.#fates.get(keyOf(id));
  }

  /** Takes note of a finalised block's transactions. */
  finalised(transactions: readonly CheckedTransaction[]): void {
    this.mempool.finalised(transactions, this.view());
    for (const tx of transactions) setBounded(this.#final, keyOf(tx.wireHash), tx.id.slice(), MAX_FINAL);
  }

  /** The chain as the mempool looks at it; made anew after every block. */
  view(): MempoolView {
    const chain = this.#o.chain();
    const { state } = chain;
    const judge = chain.judge();
    return {
      nextHeight: chain.tip.height + 1,
      balance: (account) => {
        const value = state.get(accountKey(account));
        return value === undefined ? 0n : decodeAccount(value);
      },
      judge: (tx) => {
        const { open } = judge.check(tx);
        return tx.kind === KIND_CLAIMS ? claimEnds(tx, open, state) : [];
      },
    };
  }

  /**
   * Admits transactions given as full bytes; one result each, in their order. `client` tells own users apart. Throws
   * `VERIFY_BUSY`, and `PEER_BUDGET` for a batch of a peer that has cost too much lately.
   */
  async admit(transactions: readonly Bytes[], source: Source, client = ''): Promise<Admission[]> {
    const peer = source === 'own' ? undefined : source;
    if (peer !== undefined && !this.#budgets.solvent(peer.peer, peer.validator)) {
      this.#ignored += 1;
      throw new ProtocolError('PEER_BUDGET', 'the peer has used up its budget of transactions');
    }
    const lane = laneOf(source);
    const names = await mapInTurns(transactions, (bytes) => keyOf(sha256(bytes)));
    const results: (Admission | CheckedTransaction | ProtocolError | undefined)[] = [];
    const fresh: number[] = [];
    const shared: number[] = [];
    const seen = new Set<string>();
    names.forEach((name, i) => {
      const settled = this.#settled(name);
      results.push(settled);
      if (settled !== undefined) return;
      const running = this.#inFlight.get(name);
      if (seen.has(name) || (running !== undefined && RANK[running.batch.lane] <= RANK[lane])) shared.push(i);
      else {
        seen.add(name);
        fresh.push(i);
      }
    });
    this.#known += transactions.length - fresh.length;
    if (peer !== undefined) {
      let bytes = 0;
      for (const i of fresh) bytes += transactions[i]!.length;
      this.#budgets.spend(peer.peer, peer.validator, fresh.length, bytes);
    }
    await this.#verify(transactions, names, { lane, sender: peer?.peer ?? client, fresh, shared }, results);
    let view = this.view();
    return mapInTurns(
      results,
      (result, i) => this.#conclude(result!, names[i]!, view, peer?.peer),
      async () => {
        await this.#o.chain().settled(SETTLE_MS);
        view = this.view();
      },
    );
  }

  /** What needs no verification: waiting, final, or verified before. */
  #settled(name: string): Admission | CheckedTransaction | undefined {
    const waiting = this.mempool.byWireKey(name);
    if (waiting !== undefined) return { status: 'known', tx: waiting };
    const id = this.#final.get(name);
    return id === undefined ? this.#verified.get(name) : { status: 'final', id };
  }

  /** Fills in the results of `fresh`, by verifying, and of `shared`, by waiting for whoever verifies them. */
  async #verify(
    transactions: readonly Bytes[],
    names: readonly string[],
    { lane, sender, fresh, shared }: Sorted,
    results: unknown[],
  ): Promise<void> {
    const own: Running[] = [];
    if (fresh.length > 0) {
      this.#handedOver += fresh.length;
      const bytes = fresh.map((i) => transactions[i]!);
      const batch: Batch = { lane, results: this.#o.verifier.check(bytes, lane, sender) };
      fresh.forEach((i, index) => {
        own.push({ batch, index });
        this.#inFlight.set(names[i]!, own[index]!);
      });
    }
    const waits = [...own, ...shared.map((i) => this.#inFlight.get(names[i]!)!)];
    const places = [...fresh, ...shared];
    try {
      let batch: Batch | undefined;
      let checked: readonly CheckResult[] = [];
      for (let at = 0; at < waits.length; at++) {
        const wait = waits[at]!;
        if (wait.batch !== batch) {
          batch = wait.batch;
          checked = await batch.results;
        }
        results[places[at]!] = checked[wait.index];
      }
      // The state is a final block's already while the mempool still holds what is in it: nobody pays twice for that.
      await this.#o.chain().settled(SETTLE_MS);
    } finally {
      fresh.forEach((i, index) => {
        if (this.#inFlight.get(names[i]!) === own[index]) this.#inFlight.delete(names[i]!);
      });
    }
  }

  #conclude(
    result: Admission | CheckedTransaction | ProtocolError,
    name: string,
    view: MempoolView,
    peer: string | undefined,
  ): Admission {
    if ('status' in result) return result;
    if (result instanceof ProtocolError) {
      this.#invalid.add(result.code);
      return { status: 'refused', id: undefined, error: result, stateless: true };
    }
    try {
      const kept = this.mempool.add(result, view, peer, name);
      this.#fates.delete(keyOf(kept.id));
      this.#verified.delete(name);
      return { status: 'admitted', tx: kept };
    } catch (error) {
      if (isProtocolError(error, 'MEMPOOL_KNOWN')) {
        return { status: 'known', tx: this.mempool.get(result.id) ?? result };
      }
      if (!(error instanceof ProtocolError)) throw error;
      this.#remember(result.id, error.code, error.message);
      this.#verified.put(name, result);
      if (peer !== undefined) this.#charge(peer);
      return { status: 'refused', id: result.id, error, stateless: false };
    }
  }

  get figures(): AdmissionFigures {
    const mempool = this.mempool.figures;
    const refused = new Map(mempool.refused);
    for (const [code, count] of this.#invalid.counts) refused.set(code, (refused.get(code) ?? 0) + count);
    return {
      ...mempool,
      refused,
      fresh: this.#handedOver,
      known: this.#known,
      ignoredBatches: this.#ignored,
      charged: this.#charged,
      peersWithBudget: this.#budgets.size,
    };
  }
}

/** `claimUntil` of the bounties whose claims are open. */
function claimEnds(
  tx: CheckedTransaction,
  open: readonly boolean[],
  state: State,
): readonly (number | undefined)[] {
  const { body } = tx.decode();
  if (body.kind === KIND_TRANSFER) return [];
  return body.claims.map(({ tag, bountyId }, i) =>
    open[i] === true ? getBounty(state, tag, bountyId)?.claimUntil : undefined,
  );
}
