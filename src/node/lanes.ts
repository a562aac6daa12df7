/**
 * Between network and consensus: decodes what peers send, hands it to the replica, and turns the replica's
 * judgement into a verdict on the peer; encodes what the replica sends. Requests are answered in answers.ts.
 */

import { decodeCompactProposal, encodeCompactProposal, shortIds } from '../chain/compact.ts';
import { decodeHeader, headerHash } from '../chain/header.ts';
import { type Bytes, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { decodeCertificate, encodeCertificate } from '../consensus/certificate.ts';
import type { CertificateQuery, Judgement } from '../consensus/events.ts';
import type { ConsensusNetwork } from '../consensus/host.ts';
import { leaderOf } from '../consensus/leader.ts';
import { type Certificate, NOTARIZE, NULLIFY, type Vote } from '../consensus/types.ts';
import { decodeVote, encodeVote, subjectEpoch, subjectView, verifyVote } from '../consensus/vote.ts';
import type { NetworkHandlers, Verdict } from '../p2p/types.ts';
import { Answers } from './answers.ts';
import type { LaneParts } from './lane-parts.ts';
import { encodeCertificateRequest, MAX_ANSWER_BYTES, METHOD } from './requests.ts';

/** How far beyond the replica's view a proposal may be: this node enters a view a little later than others. */
const VIEWS_AHEAD = 2;
const PROPOSALS_PER_VIEW = 2;
const VIEWS_REMEMBERED = 1_024;
const REQUEST_TIMEOUT_MS = 3_000;

function verdictOf(judgement: Judgement): Verdict {
  if (!judgement.ok) return 'reject';
  return judgement.useful ? 'accept' : 'ignore';
}

/** Runs `handle`; bytes that do not decode are the sender's fault. */
function guarded(handle: () => Verdict): Verdict {
  try {
    return handle();
  } catch (error) {
    if (error instanceof ProtocolError) return 'reject';
    throw error;
  }
}

/** The handlers that the network calls; `parts` is set once everything has been put together. */
export function networkHandlers(
  parts: () => LaneParts | undefined,
  now: () => number = () => performance.now(),
): NetworkHandlers {
  const answers = new Answers(now);
  const early = new EarlyProposals();
  return {
    onVote: (bytes, fromValidator) => {
      const p = parts();
      if (p === undefined) return 'ignore';
      return guarded(() =>
        verdictOf(p.replica.onVote(decodeVote(bytes, p.set.validators.length), fromValidator)),
      );
    },
    onCertificate: (bytes, peer) => {
      const p = parts();
      if (p === undefined) return 'ignore';
      return guarded(() => {
        const certificate = decodeCertificate(bytes, p.set);
        const judgement = p.replica.onCertificate(certificate, peer);
        if (judgement.ok) p.exchanged.note(peer, certificate);
        return verdictOf(judgement);
      });
    },
    onProposal: (bytes, peer, fromValidator) => {
      const p = parts();
      return p === undefined ? 'ignore' : guarded(() => onProposal(p, early, bytes, peer, fromValidator));
    },
    onTransactions: async (batch, peer, fromValidator) =>
      (await parts()?.relay.receive(batch, peer, fromValidator !== undefined)) ?? 'ignore',
    onRequest: async (method, payload, peer, maxResponseBytes, charge) => {
      const p = parts();
      if (p === undefined) throw new ProtocolError('NOT_READY', 'the node is starting');
      const most = Math.min(maxResponseBytes, MAX_ANSWER_BYTES);
      return answers.answer(p, { method, payload, peer, most, charge });
    },
    onPeer: (peer, event) => {
      if (event === 'gone') answers.forget(peer);
    },
  };
}

/**
 * Proposals that the replica has no use for, or not yet, but whose blocks it may want: those of the views above the
 * last final one up to the one after the next. Their leader's signature is checked here, and of each view only the
 * first few are taken, so that a leader who signs without end fills no table.
 */
class EarlyProposals {
  readonly #taken = new Map<number, number>();

  /** Verdict `accept` when the block may be taken note of. */
  judge(p: LaneParts, vote: Vote): Verdict {
    const view = subjectView(vote.subject);
    const floor = p.replica.lastFinal?.view;
    if (floor === undefined || subjectEpoch(vote.subject) !== p.set.epoch) return 'ignore';
    if (view <= floor || view > p.replica.view + VIEWS_AHEAD) return 'ignore';
    const taken = this.#taken.get(view) ?? 0;
    if (taken >= PROPOSALS_PER_VIEW) return 'ignore';
    if (vote.signer !== leaderOf(p.set, view)) return 'reject';
    if (!verifyVote(vote, p.set, p.genesisHash, p.verifier)) return 'reject';
    this.#taken.set(view, taken + 1);
    for (const oldest of this.#taken.keys()) {
      if (this.#taken.size <= VIEWS_REMEMBERED) break;
      this.#taken.delete(oldest);
    }
    return 'accept';
  }
}

function onProposal(
  p: LaneParts,
  early: EarlyProposals,
  bytes: Bytes,
  peer: string,
  fromValidator: number | undefined,
): Verdict {
  const proposal = decodeCompactProposal(bytes, p.maxBlockBytes);
  const vote = decodeVote(proposal.vote, p.set.validators.length);
  const hash = headerHash(proposal.headerBytes);
  if (vote.subject.kind !== NOTARIZE || !equal(vote.subject.proposal.payload, hash)) return 'reject';
  const header = decodeHeader(proposal.headerBytes);
  const judgement = p.replica.onProposal(vote);
  if (!judgement.ok) return 'reject';
  // Without use the signature was not looked at: only a block that is known from one that was may get more sources.
  if (!judgement.useful && !p.bodies.offered(hash)) {
    const verdict = p.bodies.get(hash) === undefined ? early.judge(p, vote) : 'ignore';
    if (verdict !== 'accept') return verdict;
  }
  const fresh = p.bodies.offer(hash, proposal, peer, fromValidator === vote.signer);
  if (fresh && judgement.useful) {
    // A time that had to be pushed past the parent's says nothing about the leader's clock.
    const parent = p.chain.link(header.parent);
    if (parent !== undefined && header.time > parent.time + 1) p.onProposalTime?.(vote.signer, header.time);
    for (const other of p.network.peers()) {
      if (other.validator === undefined && other.id !== peer) p.network.sendProposalTo(other.id, bytes);
    }
  }
  return judgement.useful ? 'accept' : 'ignore';
}

/** The replica's way out. */
export class ConsensusLanes implements ConsensusNetwork {
  readonly #parts: () => LaneParts | undefined;
  readonly #random: () => number;

  constructor(parts: () => LaneParts | undefined, random: () => number = Math.random) {
    this.#parts = parts;
    this.#random = random;
  }

  broadcastVote(vote: Vote): void {
    this.#parts()?.network.broadcastVote(encodeVote(vote));
  }

  sendProposal(vote: Vote): void {
    const p = this.#parts();
    if (p === undefined || vote.subject.kind === NULLIFY) return;
    const hash = vote.subject.proposal.payload;
    // Gone only where a recovered body proved to be a bad copy: then there is nothing to propose.
    const assembled = p.bodies.get(hash);
    if (assembled === undefined) return;
    const { block, transactions } = assembled;
    p.network.sendProposal(
      encodeCompactProposal({
        vote: encodeVote(vote),
        headerBytes: block.headerBytes,
        parentCertificate: block.parentCertificate,
        shortIds: shortIds(
          hash,
          transactions.map((tx) => tx.wireHash),
        ),
      }),
    );
  }

  broadcastCertificate(certificate: Certificate, except: string | undefined): void {
    const p = this.#parts();
    if (p === undefined) return;
    const bytes = encodeCertificate(certificate);
    for (const { id, status } of p.network.peers()) {
      if (status !== 'ready' || id === except || p.exchanged.has(id, certificate)) continue;
      if (p.network.sendCertificate(id, bytes)) p.exchanged.note(id, certificate);
    }
  }

  sendCertificate(peer: string, certificate: Certificate): void {
    this.#parts()?.network.sendCertificate(peer, encodeCertificate(certificate));
  }

  requestCertificate(query: CertificateQuery, preferredValidator: number | undefined): void {
    const p = this.#parts();
    if (p === undefined) return;
    const ready = p.network.peers().filter((peer) => peer.status === 'ready');
    const preferred =
      preferredValidator === undefined ? undefined : p.network.validatorPeer(preferredValidator);
    const peer = preferred ?? ready[Math.floor(this.#random() * ready.length)]?.id;
    if (peer === undefined) return;
    p.network
      .request(peer, METHOD.certificate, encodeCertificateRequest(query), {
        timeoutMs: REQUEST_TIMEOUT_MS,
        maxResponseBytes: 16,
      })
      .catch(() => undefined);
  }
}
