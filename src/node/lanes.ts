/**
 * Between network and consensus: decodes what peers send, hands it to the replica, and turns the replica's
 * judgement into a verdict on the peer; encodes what the replica sends. Also answers requests on the bulk lane.
 */
import { type Block, decodeBlock } from '../chain/block.ts';
import { decodeCompactProposal, encodeCompactProposal, shortIds } from '../chain/compact.ts';
import { decodeHeader, headerHash } from '../chain/header.ts';
import { type Bytes, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { decodeCertificate, encodeCertificate } from '../consensus/certificate.ts';
import type { CertificateQuery, Judgement } from '../consensus/events.ts';
import type { ConsensusNetwork } from '../consensus/host.ts';
import type { Replica } from '../consensus/replica.ts';
import { type Certificate, NOTARIZE, NULLIFY, type ValidatorSet, type Vote } from '../consensus/types.ts';
import { decodeVote, encodeVote } from '../consensus/vote.ts';
import type { Network, NetworkHandlers, Verdict } from '../p2p/types.ts';
import type { ChainDatabase } from '../storage/database.ts';
import type { Bodies } from './bodies.ts';
import type { Chain } from './chain.ts';
import type { TransactionRelay } from './gossip.ts';
import {
  decodeCertificateRequest,
  decodeRangeRequest,
  decodeTransactionsRequest,
  encodeCertificateRequest,
  encodeRangeAnswer,
  encodeTransactionList,
  MAX_ANSWER_BYTES,
  MAX_RANGE_BLOCKS,
  MAX_RANGE_HEADERS,
  METHOD,
} from './requests.ts';

const REQUEST_TIMEOUT_MS = 3_000;

export interface LaneParts {
  readonly set: ValidatorSet;
  readonly maxBlockBytes: number;
  readonly chain: Chain;
  readonly bodies: Bodies;
  readonly database: ChainDatabase;
  readonly replica: Replica;
  readonly relay: TransactionRelay;
  readonly network: Network;
}

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
export function networkHandlers(parts: () => LaneParts | undefined): NetworkHandlers {
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
      return guarded(() => verdictOf(p.replica.onCertificate(decodeCertificate(bytes, p.set), peer)));
    },
    onProposal: (bytes, peer) => {
      const p = parts();
      return p === undefined ? 'ignore' : guarded(() => onProposal(p, bytes, peer));
    },
    onTransactions: async (batch) => (await parts()?.relay.receive(batch)) ?? 'ignore',
    onRequest: async (method, payload, peer) => {
      const p = parts();
      if (p === undefined) throw new ProtocolError('NOT_READY', 'the node is starting');
      return answer(p, method, payload, peer);
    },
    onPeer: () => undefined,
  };
}

function onProposal(p: LaneParts, bytes: Bytes, peer: string): Verdict {
  const proposal = decodeCompactProposal(bytes, p.maxBlockBytes);
  const vote = decodeVote(proposal.vote, p.set.validators.length);
  const hash = headerHash(proposal.headerBytes);
  if (vote.subject.kind !== NOTARIZE || !equal(vote.subject.proposal.payload, hash)) return 'reject';
  decodeHeader(proposal.headerBytes);
  const judgement = p.replica.onProposal(vote);
  if (!judgement.ok) return 'reject';
  const fresh = p.bodies.offer(hash, proposal, peer);
  if (fresh && judgement.useful) {
    for (const other of p.network.peers()) {
      if (other.validator === undefined && other.id !== peer) p.network.sendProposalTo(other.id, bytes);
    }
  }
  return judgement.useful ? 'accept' : 'ignore';
}

async function answer(p: LaneParts, method: number, payload: Bytes, peer: string): Promise<Bytes> {
  switch (method) {
    case METHOD.block:
      return blockByHash(p, payload).bytes;
    case METHOD.transactions: {
      const { hash, indexes } = decodeTransactionsRequest(payload, p.maxBlockBytes);
      const { transactions } = blockByHash(p, hash);
      return encodeTransactionList(
        indexes.map((index) => {
          const tx = transactions[index];
          if (tx === undefined) throw new ProtocolError('NOT_FOUND', `the block has no transaction ${index}`);
          return tx;
        }),
      );
    }
    case METHOD.range:
      return range(p, payload);
    case METHOD.certificate:
      return certificate(p, payload, peer);
    default:
      throw new ProtocolError('METHOD_UNKNOWN', `there is no method ${method}`);
  }
}

function blockByHash(p: LaneParts, hash: Bytes): Block {
  if (hash.length !== 32) throw new ProtocolError('REQUEST_INVALID', 'a block hash has 32 bytes');
  const open = p.bodies.get(hash)?.block ?? p.chain.executed(hash)?.block;
  if (open !== undefined) return open;
  const height = p.database.heightOf(hash);
  const bytes = height === undefined ? undefined : p.database.block(height);
  if (bytes === undefined) throw new ProtocolError('NOT_FOUND', 'this node does not have the block');
  return decodeBlock(bytes, p.maxBlockBytes);
}

async function range(p: LaneParts, payload: Bytes): Promise<Bytes> {
  const { from, maxBytes } = decodeRangeRequest(payload);
  const budget = Math.min(maxBytes, MAX_ANSWER_BYTES >> 1);
  const blocks: Bytes[] = [];
  let size = 0;
  for (let height = from; blocks.length < MAX_RANGE_BLOCKS; height++) {
    const bytes = p.database.block(height);
    if (bytes === undefined || (blocks.length > 0 && size + bytes.length > budget)) break;
    blocks.push(bytes);
    size += bytes.length;
  }
  if (blocks.length === 0) throw new ProtocolError('NOT_FOUND', `this node has no block ${from}`);
  const last = from + blocks.length - 1;
  const certified = await p.database.firstFinality(last, last + MAX_RANGE_HEADERS);
  const finality = certified === undefined ? undefined : p.database.finality(certified);
  if (certified === undefined || finality === undefined) {
    throw new ProtocolError('NOT_FOUND', `this node has no finality certificate near block ${last}`);
  }
  const headers: Bytes[] = [];
  for (let height = last + 1; height <= certified; height++) {
    const bytes = p.database.block(height);
    if (bytes === undefined) throw new ProtocolError('NOT_FOUND', `this node has no block ${height}`);
    headers.push(decodeBlock(bytes, p.maxBlockBytes).headerBytes);
  }
  return encodeRangeAnswer({ blocks, headers, finality });
}

/** The certificate itself goes out on its own lane, where it is judged like any other. */
function certificate(p: LaneParts, payload: Bytes, peer: string): Bytes {
  const { kind, view } = decodeCertificateRequest(payload);
  if (kind !== 1 && kind !== 2 && kind !== 3)
    throw new ProtocolError('REQUEST_INVALID', `no certificate is of kind ${kind}`);
  const stored = kind === NULLIFY ? p.database.nullification(view) : undefined;
  if (stored !== undefined) p.network.sendCertificate(peer, stored);
  else p.replica.onCertificateRequest({ kind, view }, peer);
  return new Uint8Array(0);
}

/** The replica's way out. */
export class ConsensusLanes implements ConsensusNetwork {
  readonly #parts: () => LaneParts | undefined;

  constructor(parts: () => LaneParts | undefined) {
    this.#parts = parts;
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
    this.#parts()?.network.broadcastCertificate(encodeCertificate(certificate), except);
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
    const peer = preferred ?? ready[Math.floor(Math.random() * ready.length)]?.id;
    if (peer === undefined) return;
    p.network
      .request(peer, METHOD.certificate, encodeCertificateRequest(query), {
        timeoutMs: REQUEST_TIMEOUT_MS,
        maxResponseBytes: 16,
      })
      .catch(() => undefined);
  }
}
