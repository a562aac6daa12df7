/** JSON forms of chain objects: bytes in hex, addresses as text, amounts as decimal strings. */
import type { Block } from '../chain/block.ts';
import { type Genesis, PARAMETER_RULES } from '../chain/genesis.ts';
import type { Header } from '../chain/header.ts';
import { encodeAddress } from '../codec/address.ts';
import { type Bytes, toHex } from '../codec/bytes.ts';
import { decodeTransaction } from '../tx/decode.ts';
import { bountyId, transactionId } from '../tx/encode.ts';
import { type Comment, KIND_TRANSFER, OUTPUT_BOUNTY, OUTPUT_PAY, type Output } from '../tx/types.ts';
import type {
  BountyView,
  FinalEvent,
  FinalityProof,
  NodeStatus,
  SubmitOutcome,
  SupplyView,
} from './backend.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

const optionalHex = (bytes: Bytes | undefined): string | null => (bytes === undefined ? null : toHex(bytes));

export function headerJson(h: Header): Record<string, unknown> {
  return {
    version: h.version,
    parent: toHex(h.parent),
    height: h.height,
    epoch: h.epoch,
    view: h.view,
    parentView: h.parentView,
    proposer: toHex(h.proposer),
    time: h.time,
    transactionRoot: toHex(h.transactionRoot),
    parentCertificateHash: toHex(h.parentCertificateHash),
    stateRoot: toHex(h.stateRoot),
    validatorsHash: toHex(h.validatorsHash),
    epochHeadersRoot: toHex(h.epochHeadersRoot),
    mmrRoot: toHex(h.mmrRoot),
  };
}

function outputJson(output: Output, txId: Bytes, index: number): Record<string, unknown> {
  if (output.type === OUTPUT_PAY) {
    return { type: 'pay', to: encodeAddress(output.to), amount: output.amount.toString() };
  }
  if (output.type === OUTPUT_BOUNTY) {
    return {
      type: 'bounty',
      id: toHex(bountyId(txId, index)),
      tag: toHex(output.tag),
      nonce: toHex(output.nonce),
      claimKey: toHex(output.claimKey),
      payee: output.payee === undefined ? null : encodeAddress(output.payee),
      amount: output.amount.toString(),
      claimFrom: output.claimFrom,
      claimUntil: output.claimUntil,
      refundTo: encodeAddress(output.refundTo),
    };
  }
  return { type: 'advert', tag: toHex(output.tag), size: output.size.toString(), offer: toHex(output.offer) };
}

function commentJson(comment: Comment | undefined): Record<string, unknown> | null {
  if (comment === undefined) return null;
  return {
    tag: optionalHex(comment.tag),
    nonce: optionalHex(comment.nonce),
    memo: optionalHex(comment.memo),
  };
}

/** A transaction of a final block, decoded. */
function transactionJson(bytes: Bytes): Record<string, unknown> {
  const { body, bodyBytes } = decodeTransaction(bytes);
  const id = transactionId(bodyBytes);
  const common = { id: toHex(id), bytes: bytes.length, validUntil: body.validUntil };
  if (body.kind === KIND_TRANSFER) {
    return {
      ...common,
      kind: 'transfer',
      inputs: body.inputs.map(({ address, amount }) => ({
        address: encodeAddress(address),
        amount: amount.toString(),
      })),
      outputs: body.outputs.map((output, i) => outputJson(output, id, i)),
      fee: body.fee.toString(),
      comment: commentJson(body.comment),
    };
  }
  return {
    ...common,
    kind: 'claims',
    claims: body.claims.map((claim) => ({
      tag: toHex(claim.tag),
      bountyId: toHex(claim.bountyId),
      claimKey: toHex(claim.claimKey),
      destination: encodeAddress(claim.destination),
    })),
  };
}

export function blockJson(block: Block): Record<string, unknown> {
  return {
    hash: toHex(block.hash),
    ...headerJson(block.header),
    bytes: block.bytes.length,
    transactions: block.transactions.map(transactionJson),
  };
}

export function finalityJson({ headers, certificate }: FinalityProof): Record<string, unknown> {
  return { headers: headers.map(toHex), certificate: toHex(certificate) };
}

export function bountyJson({ id, bounty: b }: BountyView): Record<string, unknown> {
  const common = {
    id: toHex(id),
    status: b.status,
    tag: toHex(b.tag),
    nonce: toHex(b.nonce),
    amount: b.amount.toString(),
    deposit: b.deposit.toString(),
    refundTo: encodeAddress(b.refundTo),
  };
  if (b.status === 'open') {
    return {
      ...common,
      claimKey: toHex(b.claimKey),
      payee: b.payee === undefined ? null : encodeAddress(b.payee),
      claimFrom: b.claimFrom,
      claimUntil: b.claimUntil,
      postedAt: b.postedAt,
    };
  }
  if (b.status === 'claimed') {
    return {
      ...common,
      destination: encodeAddress(b.destination),
      transaction: toHex(b.transaction),
      height: b.closedAt,
    };
  }
  return { ...common, burned: b.burned.toString(), height: b.closedAt };
}

export function submitJson(outcome: SubmitOutcome): Record<string, unknown> {
  const id = outcome.id === undefined ? null : toHex(outcome.id);
  if (outcome.status !== 'rejected') return { id, status: outcome.status };
  return { id, status: outcome.status, code: outcome.code, reason: outcome.reason };
}

export function statusJson(s: NodeStatus, genesis: Genesis): Record<string, unknown> {
  const parameters: Record<string, string | number> = {};
  for (const { name, kind } of PARAMETER_RULES) {
    parameters[name] =
      kind === 'amount' ? genesis.parameters[name].toString() : Number(genesis.parameters[name]);
  }
  return {
    chainName: s.chainName,
    genesisHash: toHex(s.genesisHash),
    version: s.version,
    height: s.height,
    blockHash: toHex(s.blockHash),
    time: s.blockTime,
    view: s.view,
    validators: s.validators,
    self: s.self ?? null,
    peers: s.peers.map((peer) => ({ ...peer, validator: peer.validator ?? null })),
    addresses: s.addresses,
    mempool: s.mempool,
    syncing: s.syncing,
    uptimeSeconds: s.uptimeSeconds,
    warnings: s.warnings,
    parameters,
  };
}

export function supplyJson(s: SupplyView): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(s))
    out[key] = typeof value === 'bigint' ? value.toString() : value;
  const sum = s.accounts + s.bounties + s.deposits + s.feePool + s.staked;
  return {
    ...out,
    sum: sum.toString(),
    balanced: s.findings.length === 0 && sum === s.genesis + s.minted - s.burned,
  };
}

export function finalEventJson(e: FinalEvent): Record<string, unknown> {
  return { ...e, hash: toHex(e.hash) };
}
