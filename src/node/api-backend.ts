/** Answers of the HTTP API, out of the node's parts. Proofs are made against the last finalised block. */
import type {
  AccountView,
  ApiBackend,
  BountyView,
  FinalEvent,
  FinalityProof,
  NodeStatus,
  StateProof,
  SubmitOutcome,
  SupplyView,
  TransactionProof,
  TransactionStatus,
  Warning,
} from '../api/backend.ts';
import type { Block } from '../chain/block.ts';
import type { Genesis } from '../chain/genesis.ts';
import { type Bytes, equal, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { addressKey, bountiesRange } from '../ledger/keys.ts';
import { encodeMerklePath, merklePath, transactionLeaves } from '../ledger/merkle.ts';
import { bountiesOfTag, getAccount } from '../ledger/read.ts';
import { Recounter } from '../ledger/recount.ts';
import { encodeProof, type TreeProof } from '../ledger/tree/proof.ts';
import { DatabaseDamage } from '../storage/damage.ts';
import type { ChainDatabase } from '../storage/database.ts';
import { mapInTurns } from '../system/turns.ts';
import { decodeTransaction } from '../tx/decode.ts';
import { accountHash, transactionId } from '../tx/encode.ts';
import type { Admissions } from './admission.ts';
import type { Chain } from './chain.ts';
import type { OwnTransactions } from './own-transactions.ts';

export interface BackendParts {
  readonly genesis: Genesis;
  readonly chain: Chain;
  readonly database: ChainDatabase;
  readonly admissions: Admissions;
  readonly own: OwnTransactions;
  readonly status: () => NodeStatus;
  readonly unhealthy: () => string | undefined;
  readonly warnings: () => readonly Warning[];
}

const MAX_PROOF_BOUNTIES = 1_000;
const MAX_FINALITY_HEADERS = 512;
const PROOF_WAIT_MS = 5_000;
/** Between two recounts, at least, and in times of what the last one took. */
const SUPPLY_REST_MS = 1_000;
const SUPPLY_REST_TIMES = 20;

export class NodeBackend implements ApiBackend {
  readonly genesis: Genesis;
  readonly #p: BackendParts;
  #counting: Promise<SupplyView> | undefined;
  #counted: { readonly view: SupplyView; readonly at: number; readonly tookMs: number } | undefined;
  readonly #listeners = new Set<(event: FinalEvent) => void>();

  constructor(parts: BackendParts) {
    this.#p = parts;
    this.genesis = parts.genesis;
  }

  status(): NodeStatus {
    return this.#p.status();
  }

  unhealthy(): string | undefined {
    return this.#p.unhealthy();
  }

  warnings(): readonly Warning[] {
    return this.#p.warnings();
  }

  onFinal(listener: (event: FinalEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  announce(event: FinalEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async submit(transactions: readonly Bytes[], client: string): Promise<SubmitOutcome[]> {
    const { own, database } = this.#p;
    const results = await own.submit(transactions, client);
    return mapInTurns(results, (result, i): SubmitOutcome => {
      if (result.status === 'final') return result;
      if (result.status !== 'refused') return { status: 'pending', id: result.tx.id };
      const id = result.id ?? idOf(transactions[i]!);
      if (id !== undefined && database.transaction(id) !== undefined) return { status: 'final', id };
      return { status: 'rejected', id, code: result.error.code, reason: result.error.message };
    });
  }

  transactionStatus(id: Bytes, validUntil: number | undefined): TransactionStatus {
    const { database, admissions, own, chain } = this.#p;
    const place = database.transaction(id);
    if (place !== undefined) return { status: 'final', ...place };
    if (admissions.mempool.get(id) !== undefined || own.restoring(id)) return { status: 'pending' };
    const fate = admissions.fate(id);
    if (fate?.code === 'TX_EXPIRED') return { status: 'expired' };
    if (fate !== undefined) return { status: 'rejected', ...fate };
    if (validUntil !== undefined && validUntil <= chain.durable.height) return { status: 'expired' };
    return { status: 'unknown' };
  }

  async transactionProof(id: Bytes): Promise<TransactionProof | undefined> {
    const { database, chain } = this.#p;
    const place = database.transaction(id);
    const block = place && chain.block(place.height);
    const bytes = place && block?.transactions[place.index];
    if (place === undefined || block === undefined || bytes === undefined) return undefined;
    const hashes = block.transactions.map((tx) => ({
      id: transactionId(decodeTransaction(tx).bodyBytes),
      wireHash: sha256(tx),
    }));
    if (!equal(hashes[place.index]!.id, id)) {
      throw new DatabaseDamage(`transaction ${toHex(id)} is not where its row says`);
    }
    const path = encodeMerklePath(merklePath(transactionLeaves(hashes), place.index));
    return { ...place, bytes, path, finality: await this.#finality(place.height) };
  }

  /** Headers from the block at `height` to the next one with an F certificate of its own. */
  async #finality(height: number): Promise<FinalityProof> {
    const { database, chain } = this.#p;
    const certified = await database.firstFinality(height, height + MAX_FINALITY_HEADERS - 1);
    const certificate = certified === undefined ? undefined : database.finality(certified);
    if (certified === undefined || certificate === undefined) {
      const tip = chain.tipFinality;
      if (chain.tip.height === height && tip !== undefined) return tip;
      throw new ProtocolError('PROOF_UNAVAILABLE', 'the certificate is not here yet; try again in a second');
    }
    const headers: Bytes[] = [];
    for (let at = height; at <= certified; at++) headers.push(chain.block(at)!.headerBytes);
    return { headers, certificate };
  }

  account(address: Bytes): AccountView {
    const { chain, admissions } = this.#p;
    return {
      height: chain.tip.height,
      balance: getAccount(chain.state, address),
      pending: admissions.mempool.pendingOf(accountHash(address)),
    };
  }

  accountProof(address: Bytes): Promise<StateProof> {
    return this.#stateProof((state) => state.prove(addressKey(address)));
  }

  bounties(
    tag: Bytes,
    after: Bytes | undefined,
    limit: number,
  ): { height: number; bounties: readonly BountyView[] } {
    const { chain } = this.#p;
    return { height: chain.tip.height, bounties: bountiesOfTag(chain.state, tag, { after, limit }).bounties };
  }

  bountiesProof(tag: Bytes): Promise<StateProof> {
    const { from, to } = bountiesRange(tag);
    return this.#stateProof((state) => state.proveRange(from, to, MAX_PROOF_BOUNTIES));
  }

  async #stateProof(prove: (state: Chain['state']) => TreeProof): Promise<StateProof> {
    const { chain } = this.#p;
    await chain
      .until(
        () => chain.tip.height > 0 && chain.tipFinality !== undefined,
        AbortSignal.timeout(PROOF_WAIT_MS),
      )
      .catch(() => undefined);
    const finality = chain.tipFinality;
    if (finality === undefined)
      throw new ProtocolError('PROOF_UNAVAILABLE', 'nothing is final yet; try again in a second');
    return { height: chain.tip.height, proof: encodeProof(prove(chain.state)), finality };
  }

  block(height: number): Block | undefined {
    return this.#p.chain.block(height);
  }

  /**
   * One recount at a time, and a rest after each: whoever asks meanwhile gets the same answer, which names its
   * height.
   */
  supply(): Promise<SupplyView> {
    const held = this.#counted;
    if (this.#counting === undefined && held !== undefined) {
      const { view, at, tookMs } = held;
      const rest = Math.max(SUPPLY_REST_MS, SUPPLY_REST_TIMES * tookMs);
      if (view.height === this.#p.database.tip.height || performance.now() - at < rest)
        return Promise.resolve(view);
    }
    this.#counting ??= this.#recount().finally(() => {
      this.#counting = undefined;
    });
    return this.#counting;
  }

  async #recount(): Promise<SupplyView> {
    const began = performance.now();
    const counter = new Recounter();
    const height = await this.#p.database.readState(async (tip, entries) => {
      // rows come in batches, and between two batches everything else has its turn
      for await (const entry of entries) counter.add(entry);
      return tip.height;
    });
    const r = counter.result();
    const view: SupplyView = {
      height,
      genesis: r.supply.genesis,
      minted: r.supply.minted,
      burned: r.supply.burned,
      accounts: r.accounts.sum,
      bounties: r.openBounties.sum,
      deposits: r.deposits,
      feePool: r.feePool,
      staked: r.stakes,
      findings: r.findings,
    };
    const at = performance.now();
    this.#counted = { view, at, tookMs: at - began };
    return view;
  }
}

function idOf(bytes: Bytes): Bytes | undefined {
  try {
    return transactionId(decodeTransaction(bytes).bodyBytes);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
