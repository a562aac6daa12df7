/**
 * Catching up by ranges: consecutive finalised blocks with the F certificate that proves them, from any peer,
 * checked before anything is executed: links from the own tip to the certified header, then the certificate,
 * then every block as usual. A peer whose answer does not hold is punished and another one is asked; one that lets
 * us wait is left alone for a while.
 */
import { decodeBlock } from '../chain/block.ts';
import { decodeHeader, headerHash } from '../chain/header.ts';
import { checkHeader, checkParentCertificate } from '../chain/rules.ts';
import { type Bytes, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { decodeCertificate, verifyCertificate } from '../consensus/certificate.ts';
import { type Certificate, FINALIZE, type ValidatorSet } from '../consensus/types.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import type { Bodies } from './bodies.ts';
import type { Chain } from './chain.ts';
import { PeerChoice } from './peer-choice.ts';
import type { Peers } from './peers.ts';
import {
  decodeRangeAnswer,
  encodeRangeRequest,
  MAX_ANSWER_BYTES,
  METHOD,
  type RangeAnswer,
} from './requests.ts';

export interface RangeSyncOptions {
  readonly chain: Chain;
  readonly bodies: Bodies;
  readonly peers: Peers;
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  readonly verifier: SignatureVerifier;
  readonly maxBlockBytes: number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** A certified block was imported together with all before it. */
  readonly onSynced: (certificate: Certificate) => void;
  readonly onProgress: (height: number, blocks: number) => void;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  /** Default: by the process's clock and chance. */
  readonly choice?: PeerChoice;
}

const RANGE_TIMEOUT_MS = 20_000;
/** A peer that sends nothing for so long is not waited for any longer. */
const RANGE_IDLE_MS = 5_000;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

export class RangeSync {
  readonly #o: RangeSyncOptions;
  readonly #choice: PeerChoice;
  readonly #now: () => number;
  #active = false;
  /** The last answer's certificate lies ahead of the tip: consensus can only go on from a certified block. */
  #between = false;

  constructor(options: RangeSyncOptions) {
    this.#o = options;
    this.#choice = options.choice ?? new PeerChoice();
    this.#now = options.now ?? (() => performance.now());
  }

  get active(): boolean {
    return this.#active;
  }

  /** Imports ranges until the tip's view is at least `view`. Rejects only when `signal` fires or on a bug. */
  async reach(view: number, signal: AbortSignal): Promise<void> {
    const { chain, peers, sleep } = this.#o;
    let wait = FIRST_WAIT_MS;
    this.#active = true;
    try {
      while (chain.tip.view < view || this.#between) {
        if (signal.aborted) throw new ProtocolError('WAIT_CANCELLED', 'the node is stopping');
        const peer = this.#choice.pick(peers.ready());
        if (peer !== undefined && (await this.#range(peer, signal))) {
          wait = FIRST_WAIT_MS;
          continue;
        }
        await sleep(wait, signal);
        wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      }
    } finally {
      this.#active = false;
    }
  }

  /** One range from one peer; true when the tip has moved. */
  async #range(peer: string, signal: AbortSignal): Promise<boolean> {
    const { chain, peers, maxBlockBytes } = this.#o;
    const before = chain.tip.height;
    try {
      const payload = encodeRangeRequest({ from: before + 1, maxBytes: MAX_ANSWER_BYTES >> 1 });
      const asked = this.#now();
      const answer = await peers.request(peer, METHOD.range, payload, {
        timeoutMs: RANGE_TIMEOUT_MS,
        idleMs: RANGE_IDLE_MS,
        maxResponseBytes: MAX_ANSWER_BYTES,
        signal,
      });
      const tookMs = this.#now() - asked;
      await this.#import(decodeRangeAnswer(answer, maxBlockBytes));
      this.#choice.answered(peer, chain.tip.height - before, tookMs);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (!signal.aborted) this.#choice.failed(peer);
      if (/^(CODEC|RANGE|BLOCK|CERTIFICATE|HEADER)_/.test(error.code))
        peers.penalise(peer, 'RESPONSE_INVALID');
    }
    return chain.tip.height > before;
  }

  async #import(answer: RangeAnswer): Promise<void> {
    const { chain, bodies, set, genesisHash, verifier, maxBlockBytes } = this.#o;
    const blocks = answer.blocks.map((bytes) => decodeBlock(bytes, maxBlockBytes));
    const headers = [...blocks.map((block) => block.headerBytes), ...answer.headers];
    const certificate = decodeCertificate(answer.finality, set);
    this.#checkLinks(headers, certificate);
    verifyCertificate(certificate, set, genesisHash, verifier);
    for (let i = 0; i < blocks.length; i++) {
      const block = blocks[i]!;
      checkHeader(block.header, chain.tip, set, chain.validatorsHash);
      checkParentCertificate(block.header, block.parentCertificate, set, genesisHash, verifier);
      const assembled = await bodies.adopt(block);
      if (assembled === undefined) throw new ProtocolError('RANGE_BODY', 'a body does not match its header');
      const executed = chain.execute(assembled);
      if (executed instanceof ProtocolError) {
        throw new Error(
          `a finalised block is invalid here (${executed.code}: ${executed.message}); this node disagrees with two thirds of the stake`,
        );
      }
      await chain.commit(executed, {
        finality: { headers: headers.slice(i), certificate: answer.finality },
        nullifications: [],
      });
      this.#o.onProgress(block.header.height, blocks.length);
    }
    this.#between = answer.headers.length > 0;
    if (!this.#between) this.#o.onSynced(certificate);
  }

  #checkLinks(headers: readonly Bytes[], certificate: Certificate): void {
    let parent = this.#o.chain.tip.hash;
    for (const bytes of headers) {
      if (!equal(decodeHeader(bytes).parent, parent))
        throw new ProtocolError('RANGE_LINK', 'the range does not follow the tip');
      parent = headerHash(bytes);
    }
    const { subject } = certificate;
    if (subject.kind !== FINALIZE || !equal(subject.proposal.payload, parent)) {
      throw new ProtocolError('RANGE_CERTIFICATE', 'the certificate does not finalise the range');
    }
  }
}
