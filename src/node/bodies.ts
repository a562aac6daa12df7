/**
 * Bodies of blocks that are not final yet: turns proposals into whole, checked blocks. Transactions come from
 * the mempool by short id, then from the peers that sent the proposal, then as a whole block from anyone. What
 * does not match the header's hashes is a bad copy and another one is asked for: a body is *missing* until its
 * roots match, and *invalid* only for what its header commits to. Whoever passes on a proposal can change its short
 * ids and need not answer: so the leader's own copy ends what was begun with another's, nobody is waited for while
 * others could be asked, and who let us wait is asked last.
 */
import { type Block, certificateMatches, decodeBlock, joinBlock, transactionBytes } from '../chain/block.ts';
import { type CompactProposal, matchShortIds } from '../chain/compact.ts';
import { decodeHeader } from '../chain/header.ts';
import { type Bytes, equal, keyOf } from '../codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { transactionRoot } from '../ledger/merkle.ts';
import type { CheckedTransaction } from '../tx/check.ts';
import { decodeTransaction } from '../tx/decode.ts';
import { transactionId } from '../tx/encode.ts';
import { PeerChoice } from './peer-choice.ts';
import type { Peers } from './peers.ts';
import { decodeTransactionList, encodeTransactionsRequest, MAX_ANSWER_BYTES, METHOD } from './requests.ts';
import type { TransactionVerifier } from './verify-pool.ts';

/** A block whose parts match its header. `invalid` names what no copy of it can mend. */
export interface AssembledBlock {
  readonly block: Block;
  /** In block order; empty when `invalid` is set. */
  readonly transactions: readonly CheckedTransaction[];
  readonly invalid: ProtocolError | undefined;
}

export interface BodiesOptions {
  readonly maxBlockBytes: number;
  readonly peers: Peers;
  readonly verifier: TransactionVerifier;
  readonly pool: {
    transactions(): readonly CheckedTransaction[];
    byWireHash(wireHash: Bytes): CheckedTransaction | undefined;
  };
  /** Resolves after `ms`, or rejects when `signal` fires. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Default: by the process's clock and chance. */
  readonly choice?: PeerChoice;
}

interface Offer {
  readonly proposal: CompactProposal;
  readonly sources: Set<string>;
  readonly fromLeader: boolean;
}

/** One copy of a block, with what the mempool knew of its transactions. */
interface Copy {
  readonly block: Block;
  readonly known: readonly (CheckedTransaction | undefined)[];
  /** Who sent all of it. */
  readonly from?: string;
}

const MAX_OFFERS = 64;
const MAX_SOURCES = 16;
const MAX_ASSEMBLED = 512;
const MAX_ASSEMBLED_BYTES = 256 * 1024 * 1024;
const PULL_TIMEOUT_MS = 3_000;
/** Without an answer for so long the next source is asked, too. */
const PULL_PATIENCE_MS = 400;
const PULL_SOURCES = 4;
const BLOCK_TIMEOUT_MS = 10_000;
/** A peer that sends nothing for so long is not waited for any longer. */
const BLOCK_IDLE_MS = 3_000;
const FIRST_WAIT_MS = 150;
const LONGEST_WAIT_MS = 2_000;

export class Bodies {
  readonly #options: BodiesOptions;
  readonly #offers = new Map<string, Offer>();
  readonly #assembled = new Map<string, AssembledBlock>();
  readonly #running = new Map<string, Promise<AssembledBlock>>();
  /** Ends the present attempt for a block: there is a new offer. */
  readonly #attempts = new Map<string, AbortController>();
  readonly #choice: PeerChoice;

  constructor(options: BodiesOptions) {
    this.#options = options;
    this.#choice = options.choice ?? new PeerChoice();
  }

  /** Whether a compact proposal of this block was taken note of. */
  offered(hash: Bytes): boolean {
    return this.#offers.has(keyOf(hash));
  }

  /**
   * Takes note of a compact proposal; true when it was not known. The vote in it covers the header but not the
   * short ids, so the first copy from the leader itself replaces what others passed on.
   */
  offer(hash: Bytes, proposal: CompactProposal, peer: string, fromLeader = false): boolean {
    const key = keyOf(hash);
    const known = this.#offers.get(key);
    if (known !== undefined) {
      if (fromLeader && !known.fromLeader) {
        this.#offers.set(key, { proposal, sources: new Set([peer, ...known.sources]), fromLeader });
        this.#attempts.get(key)?.abort();
      } else if (known.sources.size < MAX_SOURCES) known.sources.add(peer);
      return false;
    }
    if (this.#offers.size >= MAX_OFFERS) {
      const oldest = this.#offers.keys().next().value;
      if (oldest !== undefined) this.#offers.delete(oldest);
    }
    this.#offers.set(key, { proposal, sources: new Set([peer]), fromLeader });
    this.#attempts.get(key)?.abort();
    return true;
  }

  /** A block that this node made or recovered itself. */
  remember(assembled: AssembledBlock): void {
    const key = keyOf(assembled.block.hash);
    this.#assembled.delete(key);
    this.#assembled.set(key, assembled);
    let bytes = 0;
    for (const { block } of this.#assembled.values()) bytes += block.bytes.length;
    for (const [oldest, { block }] of this.#assembled) {
      if (oldest === key || (this.#assembled.size <= MAX_ASSEMBLED && bytes <= MAX_ASSEMBLED_BYTES)) break;
      this.#assembled.delete(oldest);
      bytes -= block.bytes.length;
    }
  }

  /** Checks a block that is here as a whole and remembers it; undefined when it is a bad copy. */
  async adopt(block: Block): Promise<AssembledBlock | undefined> {
    const assembled = await this.#judge({ block, known: this.#known(block) });
    if (assembled !== undefined) this.remember(assembled);
    return assembled;
  }

  #known(block: Block): (CheckedTransaction | undefined)[] {
    return block.transactions.map((tx) => this.#options.pool.byWireHash(sha256(tx)));
  }

  get(hash: Bytes): AssembledBlock | undefined {
    return this.#assembled.get(keyOf(hash));
  }

  /** Forgets what lies at or below a finalised height. */
  prune(height: number): void {
    for (const [key, { block }] of this.#assembled)
      if (block.header.height <= height) this.#assembled.delete(key);
    for (const [key, offer] of this.#offers) {
      if (decodeHeader(offer.proposal.headerBytes).height <= height) this.#offers.delete(key);
    }
  }

  /**
   * The block with this hash, fetched with patience until it is there or `signal` fires (then it rejects with
   * `BODY_CANCELLED`). `preferred` are the peers that are asked first.
   */
  async want(hash: Bytes, preferred: readonly string[], signal: AbortSignal): Promise<AssembledBlock> {
    const key = keyOf(hash);
    const known = this.#assembled.get(key);
    if (known !== undefined) return known;
    const running = this.#running.get(key);
    if (running !== undefined) {
      try {
        return await running;
      } catch (error) {
        if (!isProtocolError(error, 'BODY_CANCELLED') || signal.aborted) throw error;
      }
    }
    const work = this.#collect(hash, preferred, signal).finally(() => {
      if (this.#running.get(key) === work) this.#running.delete(key);
    });
    this.#running.set(key, work);
    return work;
  }

  async #collect(hash: Bytes, preferred: readonly string[], signal: AbortSignal): Promise<AssembledBlock> {
    const key = keyOf(hash);
    let wait = FIRST_WAIT_MS;
    let tried: Offer | undefined;
    for (let turn = 0, asked = 0; ; turn++) {
      if (signal.aborted) throw new ProtocolError('BODY_CANCELLED', 'the block is not needed any more');
      const offer = this.#offers.get(key);
      const compact = offer === tried ? undefined : offer;
      tried = compact ?? tried;
      const assembled = await this.#attempt(key, signal, async (attempt) => {
        let copy: Copy | undefined;
        if (compact !== undefined) copy = await this.#fromCompact(hash, compact, attempt);
        else if (turn > 0)
          copy = await this.#wholeBlock(hash, this.#source(hash, preferred, asked++), attempt);
        const good = copy && (await this.#judge(copy));
        if (good !== undefined) return good;
        if (copy?.from !== undefined) this.#blame(copy.from);
        await this.#options.sleep(wait, attempt).catch(() => undefined);
        return undefined;
      });
      if (assembled !== undefined) {
        this.remember(assembled);
        return assembled;
      }
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  /** Runs `work` under a signal that fires with `signal`, and when there is a new offer of the block. */
  async #attempt<T>(
    key: string,
    signal: AbortSignal,
    work: (attempt: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const attempt = new AbortController();
    const abort = (): void => attempt.abort();
    signal.addEventListener('abort', abort, { once: true });
    this.#attempts.set(key, attempt);
    try {
      return await work(attempt.signal);
    } finally {
      signal.removeEventListener('abort', abort);
      if (this.#attempts.get(key) === attempt) this.#attempts.delete(key);
    }
  }

  async #fromCompact(hash: Bytes, offer: Offer, signal: AbortSignal): Promise<Copy | undefined> {
    const { proposal, sources } = offer;
    const known = matchShortIds(hash, proposal.shortIds, this.#options.pool.transactions());
    const missing: number[] = [];
    for (let i = 0; i < known.length; i++) if (known[i] === undefined) missing.push(i);
    const pulled = missing.length === 0 ? [] : await this.#pullFromAny([...sources], hash, missing, signal);
    if (pulled === undefined) return undefined;
    let next = 0;
    const transactions: Bytes[] = [];
    for (const tx of known) transactions.push(tx?.bytes ?? pulled[next++]!);
    if (transactionBytes(transactions) > this.#options.maxBlockBytes) return undefined;
    return { block: joinBlock(proposal.headerBytes, proposal.parentCertificate, transactions), known };
  }

  /** The first answer of any of `sources`: the next one is asked when one fails, or lets us wait for a moment. */
  #pullFromAny(
    sources: readonly string[],
    hash: Bytes,
    indexes: readonly number[],
    signal: AbortSignal,
  ): Promise<Bytes[] | undefined> {
    const left = this.#choice.order(sources).slice(0, PULL_SOURCES);
    const others = new AbortController();
    const abort = (): void => others.abort();
    signal.addEventListener('abort', abort, { once: true });
    let running = 0;
    return new Promise<Bytes[] | undefined>((resolve, reject) => {
      const next = (): void => {
        const peer = left.shift();
        if (peer === undefined) {
          if (running === 0) resolve(undefined);
          return;
        }
        running++;
        let gone = false;
        const goOn = (): void => {
          if (gone || others.signal.aborted) return;
          gone = true;
          next();
        };
        this.#pull(peer, hash, indexes, others.signal).then((list) => {
          running--;
          if (list !== undefined) resolve(list);
          else if (running === 0 && (left.length === 0 || others.signal.aborted)) resolve(undefined);
          else goOn();
        }, reject);
        this.#options.sleep(PULL_PATIENCE_MS, others.signal).then(goOn, () => undefined);
      };
      next();
    }).finally(() => {
      signal.removeEventListener('abort', abort);
      others.abort();
    });
  }

  async #pull(
    peer: string,
    hash: Bytes,
    indexes: readonly number[],
    signal: AbortSignal,
  ): Promise<Bytes[] | undefined> {
    try {
      const answer = await this.#options.peers.request(
        peer,
        METHOD.transactions,
        encodeTransactionsRequest({ hash, indexes }),
        { timeoutMs: PULL_TIMEOUT_MS, maxResponseBytes: MAX_ANSWER_BYTES, signal },
      );
      const list = decodeTransactionList(answer, indexes.length);
      return list.length === indexes.length ? list : undefined;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (isProtocolError(error, 'REQUEST_TIMEOUT')) this.#choice.failed(peer);
      return undefined;
    }
  }

  /** Whom to ask for the whole block: who was named by the caller, then in turn who offered it and anybody. */
  #source(hash: Bytes, preferred: readonly string[], asked: number): string | undefined {
    if (asked < preferred.length) return preferred[asked];
    const sources = [...(this.#offers.get(keyOf(hash))?.sources ?? [])];
    const ready = this.#options.peers.ready();
    const [first, second] = (asked - preferred.length) % 2 === 0 ? [sources, ready] : [ready, sources];
    return this.#choice.pick(first) ?? this.#choice.pick(second);
  }

  async #wholeBlock(hash: Bytes, peer: string | undefined, signal: AbortSignal): Promise<Copy | undefined> {
    if (peer === undefined) return undefined;
    const { peers, maxBlockBytes } = this.#options;
    try {
      const answer = await peers.request(peer, METHOD.block, hash, {
        timeoutMs: BLOCK_TIMEOUT_MS,
        idleMs: BLOCK_IDLE_MS,
        maxResponseBytes: MAX_ANSWER_BYTES,
        signal,
      });
      const block = decodeBlock(answer, maxBlockBytes);
      if (equal(block.hash, hash)) return { block, known: this.#known(block), from: peer };
      this.#blame(peer);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (error.code.startsWith('CODEC_')) this.#blame(peer);
      else if (isProtocolError(error, 'REQUEST_TIMEOUT')) this.#choice.failed(peer);
    }
    return undefined;
  }

  /** The peer has sent as a block what is none. */
  #blame(peer: string): void {
    this.#choice.failed(peer);
    this.#options.peers.penalise(peer, 'RESPONSE_INVALID');
  }

  /** The assembled block, or undefined when the copy is bad. */
  async #judge({ block, known }: Copy): Promise<AssembledBlock | undefined> {
    const { header } = block;
    if (!certificateMatches(header, block.parentCertificate)) return undefined;
    const unknown = block.transactions.filter((_, i) => known[i] === undefined);
    const results = await this.#options.verifier.check(unknown, 'block');
    const transactions: CheckedTransaction[] = [];
    const leaves: { id: Bytes; wireHash: Bytes }[] = [];
    let invalid: ProtocolError | undefined;
    let next = 0;
    for (let i = 0; i < known.length; i++) {
      const result = known[i] ?? results[next++]!;
      if (result instanceof ProtocolError) {
        const leaf = leafOf(block.transactions[i]!);
        if (leaf === undefined) return undefined;
        invalid ??= result;
        leaves.push(leaf);
      } else {
        transactions.push(result);
        leaves.push(result);
      }
    }
    if (!equal(transactionRoot(leaves), header.transactionRoot)) return undefined;
    return { block, transactions: invalid === undefined ? transactions : [], invalid };
  }
}

/** The leaf of a transaction that was refused; undefined when it cannot even be decoded. */
function leafOf(bytes: Bytes): { id: Bytes; wireHash: Bytes } | undefined {
  try {
    return { id: transactionId(decodeTransaction(bytes).bodyBytes), wireHash: sha256(bytes) };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
