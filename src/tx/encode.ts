/**
 * Transactions to bytes: `[body, [signature, …]]` in canonical MessagePack, and the hashes made from it.
 * docs/protocol.md §4 says every field; golden hashes pin the result.
 */
import { type Bytes, concat, u64 } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { sha256 } from '../codec/hash.ts';
import { Writer } from '../codec/writer.ts';
import {
  type Comment,
  KIND_TRANSFER,
  OUTPUT_ADVERT,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type Output,
  type SignedTransaction,
  type TransactionBody,
} from './types.ts';

function writeOutput(w: Writer, output: Output): void {
  switch (output.type) {
    case OUTPUT_PAY:
      w.array(3).uint(OUTPUT_PAY).bin(output.to).uint(output.amount);
      return;
    case OUTPUT_BOUNTY:
      w.array(9).uint(OUTPUT_BOUNTY).bin(output.tag).bin(output.nonce).bin(output.claimKey);
      w.optionalBin(output.payee).uint(output.amount).uint(output.claimFrom).uint(output.claimUntil);
      w.bin(output.refundTo);
      return;
    case OUTPUT_ADVERT:
      w.array(4).uint(OUTPUT_ADVERT).bin(output.tag).uint(output.size).bin(output.offer);
      return;
  }
}

function writeComment(w: Writer, comment: Comment | undefined): void {
  if (comment === undefined) w.nil();
  else w.array(3).optionalBin(comment.tag).optionalBin(comment.nonce).optionalBin(comment.memo);
}

/** The canonical encoding of a body: what the id is the hash of. */
export function encodeBody(body: TransactionBody): Bytes {
  const w = new Writer();
  if (body.kind === KIND_TRANSFER) {
    w.array(7).uint(body.kind).uint(body.validUntil).bin(body.salt).array(body.inputs.length);
    for (const input of body.inputs) w.array(2).bin(input.address).uint(input.amount);
    w.array(body.outputs.length);
    for (const output of body.outputs) writeOutput(w, output);
    w.uint(body.fee);
    writeComment(w, body.comment);
  } else {
    w.array(4).uint(body.kind).uint(body.validUntil).bin(body.salt).array(body.claims.length);
    for (const claim of body.claims) {
      w.array(4).bin(claim.tag).bin(claim.bountyId).bin(claim.claimKey).bin(claim.destination);
    }
  }
  return w.finish();
}

/** The full bytes: what travels, is stored and is paid for. */
export function encodeTransaction(tx: SignedTransaction): Bytes {
  const w = new Writer().array(2).raw(encodeBody(tx.body)).array(tx.signatures.length);
  for (const signature of tx.signatures) w.bin(signature);
  return w.finish();
}

/** Id of a transaction: SHA-256(tag ‖ body). Signatures take no part. */
export function transactionId(bodyBytes: Bytes): Bytes {
  return sha256(DOMAIN.transactionId, bodyBytes);
}

/** What every signer of a transaction signs: tag ‖ genesis hash ‖ id. */
export function signedMessage(genesisHash: Bytes, id: Bytes): Bytes {
  return concat(DOMAIN.transactionSignature, genesisHash, id);
}

/** Key of an address's account entry: SHA-256(tag ‖ address), 32 bytes. */
export function accountHash(address: Bytes): Bytes {
  return sha256(DOMAIN.account, address);
}

/**
 * What replay protection remembers until `validUntil`. For a transfer it is made of first address, salt and
 * validUntil, so a transaction and its replacement share it; for claims it is the id.
 */
export function replayKey(body: TransactionBody, id: Bytes): Bytes {
  if (body.kind !== KIND_TRANSFER) return id;
  return sha256(DOMAIN.replayKey, body.inputs[0]!.address, body.salt, u64(body.validUntil));
}

/** Id of the bounty made by output `index` of a transaction. */
export function bountyId(txId: Bytes, index: number): Bytes {
  return sha256(DOMAIN.bountyId, txId, u64(index));
}

/** H(tag): the subtree that holds all bounties of a tag. */
export function bountyTagHash(tag: Bytes): Bytes {
  return sha256(DOMAIN.bountyTag, tag);
}
