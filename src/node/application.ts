/**
 * The application under consensus: builds blocks, waits for bodies, judges and executes them, and makes them
 * final in order. Verdicts are deterministic: what depends on this node alone (a missing copy, a clock) makes
 * it wait, never refuse.
 */
import { decodeBlock } from '../chain/block.ts';
import {
  checkHeader,
  checkParentCertificate,
  checkProposal,
  MAX_CLOCK_LEAD_MS,
  type ParentLink,
} from '../chain/rules.ts';
import { type Bytes, equal, toHex } from '../codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../codec/errors.ts';
import { encodeCertificate } from '../consensus/certificate.ts';
import type { Finalization } from '../consensus/events.ts';
import type {
  Application,
  BuildRequest,
  CertifyRequest,
  CertifyResult,
  RecoveredBody,
  VerifyRequest,
  VerifyResult,
} from '../consensus/host.ts';
import { NULLIFY, type ValidatorSet } from '../consensus/types.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import type { Mempool } from '../mempool/pool.ts';
import type { AssembledBlock, Bodies } from './bodies.ts';
import type { Chain, ExecutedBlock } from './chain.ts';
import type { Peers } from './peers.ts';
import type { RangeSync } from './sync.ts';

export interface NodeApplicationOptions {
  readonly chain: Chain;
  readonly bodies: Bodies;
  readonly mempool: Mempool;
  readonly peers: Peers;
  readonly sync: RangeSync;
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  readonly verifier: SignatureVerifier;
  /** Index of this validator; undefined for a follower. */
  readonly self: number | undefined;
  readonly maxBlockBytes: number;
  readonly executionBudget: number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Milliseconds on a clock that never goes back: how long building takes. */
  readonly now?: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Finalisation failed for good: the process has to end. */
  readonly onFatal: (error: unknown) => void;
  readonly onDurable: (view: number) => void;
  readonly onBuildFailed: (error: unknown) => void;
}

const LONGEST_SLEEP_MS = 10_000;
/** A finalised block so far ahead is reached by ranges, not block by block. */
const STEP_BY_STEP = 4;
/** Finalizations that wait, and nullifications that one of them keeps for others to ask for. */
const MOST_WAITING = 32;
const MOST_NULLIFICATIONS = 1_024;

/** One finalization in the place of two that follow one another. */
function joined(older: Finalization, newer: Finalization): Finalization {
  const nullifications = [...older.nullifications, ...newer.nullifications].slice(-MOST_NULLIFICATIONS);
  return { ...newer, gap: true, nullifications };
}

export class NodeApplication implements Application {
  readonly #o: NodeApplicationOptions;
  readonly #stop = new AbortController();
  #finalising: Promise<void> | undefined;
  #waiting: Finalization[] = [];

  constructor(options: NodeApplicationOptions) {
    this.#o = options;
  }

  /** Finalizations that wait for their blocks or for the disk. */
  get finalisationsQueued(): number {
    return this.#waiting.length + (this.#finalising === undefined ? 0 : 1);
  }

  /** Ends all waiting and resolves when the last write is done. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#finalising;
  }

  async recover(recovered: readonly RecoveredBody[]): Promise<void> {
    const { bodies, maxBlockBytes } = this.#o;
    for (const { body } of recovered) await bodies.adopt(decodeBlock(body, maxBlockBytes));
  }

  /** Whatever goes wrong costs this node its view, not its life: others lead next. */
  async build(request: BuildRequest): Promise<{ payload: Bytes; body: Bytes } | undefined> {
    try {
      return await this.#build(request);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#o.onBuildFailed(error);
      return undefined;
    }
  }

  async #build(request: BuildRequest): Promise<{ payload: Bytes; body: Bytes } | undefined> {
    const { chain, mempool, set, self, executionBudget, wallClock, now = () => performance.now() } = this.#o;
    if (self === undefined) return undefined;
    await this.#materialise(request.parent.payload, this.#stop.signal);
    const { parent, parentCertificate } = request;
    const executed = chain.build({
      parent: parent.payload,
      epoch: set.epoch,
      view: request.view,
      parentView: parent.view,
      proposer: set.validators[self]!.publicKey,
      parentCertificate: parentCertificate && encodeCertificate(parentCertificate),
      now: wallClock(),
      candidates: mempool.candidates(),
      stopwatch: () => {
        const started = now();
        return () => now() - started > executionBudget;
      },
      onRefused: (tx, why) => mempool.discard(tx, why),
    });
    if (executed === undefined) return undefined;
    const { block, transactions } = executed;
    this.#o.bodies.remember({ block, transactions, invalid: undefined });
    return { payload: block.hash, body: block.bytes };
  }

  async verify({ proposal, parent, leader, signal }: VerifyRequest): Promise<VerifyResult> {
    const { bodies, chain, peers, set, genesisHash, verifier, wallClock, sleep } = this.#o;
    const leaderPeer = peers.validator(leader);
    const assembled = await bodies.want(
      proposal.payload,
      leaderPeer === undefined ? [] : [leaderPeer],
      signal,
    );
    const { block } = assembled;
    try {
      checkProposal(block.header, block.hash, proposal);
      await chain.until(
        () => chain.link(parent.payload) !== undefined || this.#superseded(parent.view),
        signal,
      );
      const link = chain.link(parent.payload);
      if (link === undefined) throw new ProtocolError('BLOCK_STALE', 'its parent lost');
      checkHeader(block.header, link, set, chain.validatorsHash);
      checkParentCertificate(block.header, block.parentCertificate, set, genesisHash, verifier);
      if (assembled.invalid !== undefined) throw assembled.invalid;
    } catch (error) {
      if (!(error instanceof ProtocolError) || isProtocolError(error, 'WAIT_CANCELLED')) throw error;
      return { outcome: 'invalid', reason: error.code };
    }
    // In slices: timers do not reach further than 24 days, and a clock may be set meanwhile.
    for (;;) {
      const ahead = block.header.time - MAX_CLOCK_LEAD_MS - wallClock();
      if (ahead <= 0) break;
      await sleep(Math.min(ahead, LONGEST_SLEEP_MS), signal);
    }
    return { outcome: 'valid', body: block.bytes };
  }

  #superseded(view: number): boolean {
    return view < this.#o.chain.tip.view;
  }

  async certify({ proposal, parent, signal }: CertifyRequest): Promise<CertifyResult> {
    const { bodies, chain, set, genesisHash, verifier } = this.#o;
    const assembled = await bodies.want(proposal.payload, [], signal);
    const { block } = assembled;
    const refuse = (error: ProtocolError): CertifyResult => ({
      ok: false,
      body: block.bytes,
      reason: error.code,
    });
    try {
      checkProposal(block.header, block.hash, proposal);
      const link = await this.#materialise(parent.payload, signal);
      checkHeader(block.header, link, set, chain.validatorsHash);
      checkParentCertificate(block.header, block.parentCertificate, set, genesisHash, verifier);
    } catch (error) {
      if (!(error instanceof ProtocolError) || isProtocolError(error, 'WAIT_CANCELLED')) throw error;
      return refuse(error);
    }
    const executed = chain.execute(assembled);
    return executed instanceof ProtocolError ? refuse(executed) : { ok: true, body: block.bytes };
  }

  /** Waits until the state after a block is here: bodies that were recovered are executed, missing ones fetched. */
  async #materialise(hash: Bytes, signal: AbortSignal): Promise<ParentLink> {
    const { chain, bodies } = this.#o;
    const path: AssembledBlock[] = [];
    for (let cursor = hash; chain.link(cursor) === undefined; ) {
      const assembled = bodies.get(cursor) ?? (await bodies.want(cursor, [], signal));
      if (assembled.block.header.height <= chain.tip.height) break;
      path.unshift(assembled);
      cursor = assembled.block.header.parent;
    }
    for (const assembled of path) {
      if (chain.link(assembled.block.header.parent) === undefined) break;
      if (chain.execute(assembled) instanceof ProtocolError) break;
    }
    for (;;) {
      await chain.until(() => chain.link(hash) !== undefined, signal);
      // Looked up again: a block may have become final, and this one lost, before it was our turn.
      const link = chain.link(hash);
      if (link !== undefined) return link;
    }
  }

  finalize(finalization: Finalization): void {
    const last = this.#waiting.at(-1);
    // While the node catches up, blocks become final faster than it gets to them: the newest stands for all.
    if (last !== undefined && this.#waiting.length >= MOST_WAITING) {
      this.#waiting[this.#waiting.length - 1] = joined(last, finalization);
    } else this.#waiting.push(finalization);
    this.#finalising ??= Promise.resolve()
      .then(() => this.#finaliseWaiting())
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#o.onFatal(error);
      });
  }

  async #finaliseWaiting(): Promise<void> {
    try {
      while (!this.#stop.signal.aborted) {
        const next = this.#waiting.shift();
        if (next === undefined) return;
        await this.#finalise(next);
      }
    } finally {
      // In the same breath as the last look at what waits: what came between the two would lie there.
      this.#finalising = undefined;
    }
  }

  async #finalise({ certificate, nullifications }: Finalization): Promise<void> {
    if (certificate.subject.kind === NULLIFY) throw new Error('a nullification finalises nothing');
    const { chain, sync } = this.#o;
    const { signal } = this.#stop;
    const target = certificate.subject.proposal;
    if (target.view <= chain.tip.view) return;
    let path = await this.#path(target.payload, signal);
    if (path === undefined) {
      await sync.reach(target.view, signal);
      if (target.view <= chain.tip.view) {
        this.#o.onDurable(chain.tip.view);
        return;
      }
      path = await this.#path(target.payload, signal);
    }
    if (path === undefined) throw new Error(`no way from the finalised block to ${toHex(target.payload)}`);
    const encoded = encodeCertificate(certificate);
    const skipped = nullifications.map((x) => ({
      view: x.subject.kind === NULLIFY ? x.subject.view : 0,
      certificate: encodeCertificate(x),
    }));
    const executed = path.map((assembled) => this.#execute(assembled));
    for (let i = 0; i < executed.length; i++) {
      await chain.commit(executed[i]!, {
        finality: { headers: executed.slice(i).map(({ block }) => block.headerBytes), certificate: encoded },
        nullifications: i === executed.length - 1 ? skipped : [],
      });
    }
    this.#o.onDurable(target.view);
  }

  #execute(assembled: AssembledBlock): ExecutedBlock {
    const executed = this.#o.chain.execute(assembled);
    if (executed instanceof ProtocolError) {
      throw new Error(
        `a finalised block is invalid here (${executed.code}: ${executed.message}); this node disagrees with two thirds of the stake`,
      );
    }
    return executed;
  }

  /** The blocks from above the tip to `hash`, oldest first; undefined when too many of them are not here. */
  async #path(hash: Bytes, signal: AbortSignal): Promise<AssembledBlock[] | undefined> {
    const { chain, bodies } = this.#o;
    const path: AssembledBlock[] = [];
    let cursor = hash;
    while (!equal(cursor, chain.tip.hash)) {
      const child = path[0]?.block.header;
      const near = child === undefined || child.height - 1 - chain.tip.height <= STEP_BY_STEP;
      const here = this.#assembled(cursor);
      if (here === undefined && !near) return undefined;
      const assembled = here ?? (await bodies.want(cursor, [], signal));
      const { header } = assembled.block;
      if (header.height <= chain.tip.height) {
        throw new Error(
          `two conflicting blocks are final: ${toHex(cursor)} does not stand on ${toHex(chain.tip.hash)}`,
        );
      }
      path.unshift(assembled);
      cursor = header.parent;
    }
    return path;
  }

  #assembled(hash: Bytes): AssembledBlock | undefined {
    const executed = this.#o.chain.executed(hash);
    return executed === undefined ? this.#o.bodies.get(hash) : { ...executed, invalid: undefined };
  }
}
