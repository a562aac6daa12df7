/**
 * The worked examples of docs/protocol.md as text, one field a line, made by the code that they document. A
 * test compares the two.
 */
import { encodeAddress } from '../../src/codec/address.ts';
import { type Bytes, concat, toHex, u64 } from '../../src/codec/bytes.ts';
import { DOMAIN } from '../../src/codec/domains.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { Writer } from '../../src/codec/writer.ts';
import { challengeSeed, precomputedNonce } from '../../src/tx/challenge.ts';
import { decodeTransaction } from '../../src/tx/decode.ts';
import { bountyId, replayKey, signedMessage } from '../../src/tx/encode.ts';
import {
  type ClaimsBody,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type Output,
  type TransferBody,
} from '../../src/tx/types.ts';
import {
  claimKey,
  DATA,
  filled,
  GENESIS,
  goldenClaims,
  goldenTransfer,
  NONCE,
  owner,
  steward,
  TAG,
} from './golden.ts';

/** An encoding in pieces, each with what it says. */
export class Listing {
  readonly parts: { readonly bytes: Bytes; readonly label: string }[] = [];

  add(label: string, write: (w: Writer) => Writer): this {
    this.parts.push({ label, bytes: write(new Writer()).finish() });
    return this;
  }

  bytes(): Bytes {
    return concat(...this.parts.map(({ bytes }) => bytes));
  }

  text(): string {
    return this.parts.map(({ bytes, label }) => `${toHex(bytes)}  ${label}`).join('\n');
  }
}

function listOutput(l: Listing, output: Output): void {
  if (output.type === OUTPUT_PAY) {
    l.add('output: 3 fields', (w) => w.array(3)).add('  type: pay', (w) => w.uint(output.type));
    l.add('  to', (w) => w.bin(output.to)).add(`  amount ${output.amount}`, (w) => w.uint(output.amount));
  } else if (output.type === OUTPUT_BOUNTY) {
    l.add('output: 9 fields', (w) => w.array(9)).add('  type: bounty', (w) => w.uint(output.type));
    l.add('  tag', (w) => w.bin(output.tag)).add('  nonce', (w) => w.bin(output.nonce));
    l.add('  claimKey', (w) => w.bin(output.claimKey)).add('  payee', (w) => w.optionalBin(output.payee));
    l.add(`  amount ${output.amount}`, (w) => w.uint(output.amount));
    l.add(`  claimFrom ${output.claimFrom}`, (w) => w.uint(output.claimFrom));
    l.add(`  claimUntil ${output.claimUntil}`, (w) => w.uint(output.claimUntil));
    l.add('  refundTo', (w) => w.bin(output.refundTo));
  } else {
    l.add('output: 4 fields', (w) => w.array(4)).add('  type: advert', (w) => w.uint(output.type));
    l.add('  tag', (w) => w.bin(output.tag)).add(`  size ${output.size}`, (w) => w.uint(output.size));
    l.add('  offer "take it"', (w) => w.bin(output.offer));
  }
}

function listSignatures(l: Listing, bytes: Bytes): Listing {
  const { signatures } = decodeTransaction(bytes);
  l.add(`signatures: ${signatures.length}`, (w) => w.array(signatures.length));
  signatures.forEach((signature, i) => {
    l.add(`  signature ${i}`, (w) => w.bin(signature));
  });
  return l;
}

export function listTransfer(): Listing {
  const { body, bytes } = goldenTransfer();
  const { validUntil, salt, inputs, outputs, fee, comment } = body as TransferBody;
  const l = new Listing().add('transaction: body and signatures', (w) => w.array(2));
  l.add('body: 7 fields', (w) => w.array(7)).add('kind: transfer', (w) => w.uint(1));
  l.add(`validUntil ${validUntil}`, (w) => w.uint(validUntil)).add('salt', (w) => w.bin(salt));
  l.add(`inputs: ${inputs.length}`, (w) => w.array(inputs.length));
  for (const { address, amount } of inputs) {
    l.add('input: 2 fields', (w) => w.array(2)).add('  address', (w) => w.bin(address));
    l.add(`  amount ${amount}`, (w) => w.uint(amount));
  }
  l.add(`outputs: ${outputs.length}`, (w) => w.array(outputs.length));
  for (const output of outputs) listOutput(l, output);
  l.add(`fee ${fee}`, (w) => w.uint(fee)).add('comment: 3 fields', (w) => w.array(3));
  l.add('  tag', (w) => w.optionalBin(comment?.tag)).add('  nonce: absent', (w) =>
    w.optionalBin(comment?.nonce),
  );
  return listSignatures(
    l.add('  memo "hello"', (w) => w.optionalBin(comment?.memo)),
    bytes,
  );
}

export function listClaims(): Listing {
  const { body, bytes } = goldenClaims();
  const { validUntil, salt, claims } = body as ClaimsBody;
  const l = new Listing().add('transaction: body and signatures', (w) => w.array(2));
  l.add('body: 4 fields', (w) => w.array(4)).add('kind: claims', (w) => w.uint(2));
  l.add(`validUntil ${validUntil}`, (w) => w.uint(validUntil)).add('salt', (w) => w.bin(salt));
  l.add(`claims: ${claims.length}`, (w) => w.array(claims.length));
  for (const claim of claims) {
    l.add('claim: 4 fields', (w) => w.array(4)).add('  tag', (w) => w.bin(claim.tag));
    l.add('  bountyId', (w) => w.bin(claim.bountyId)).add('  claimKey', (w) => w.bin(claim.claimKey));
    l.add('  destination', (w) => w.bin(claim.destination));
  }
  return listSignatures(l, bytes);
}

const named = (rows: readonly (readonly [string, Bytes | string])[]): string =>
  rows
    .map(([name, value]) => `${name.padEnd(22)} ${typeof value === 'string' ? value : toHex(value)}`)
    .join('\n');

/** Every block of text that docs/protocol.md quotes, by its heading. */
export function workedExamples(): Record<string, string> {
  const transfer = goldenTransfer();
  const claims = goldenClaims();
  const secret = filled(0x55);
  return {
    parties: named([
      ['genesis hash', GENESIS],
      ['owner', owner.publicKey],
      ['owner as text', encodeAddress(owner.publicKey)],
      ['steward', steward.publicKey],
      ['steward as text', encodeAddress(steward.publicKey)],
    ]),
    transfer: listTransfer().text(),
    'transfer hashes': named([
      ['id', transfer.id],
      ['signed message', signedMessage(GENESIS, transfer.id)],
      ['SHA-256(bytes)', sha256(transfer.bytes)],
      ['replay key', replayKey(transfer.body, transfer.id)],
      ['bounty id, output 1', bountyId(transfer.id, 1)],
    ]),
    claims: listClaims().text(),
    'claims hashes': named([
      ['id', claims.id],
      ['signed message', signedMessage(GENESIS, claims.id)],
      ['SHA-256(bytes)', sha256(claims.bytes)],
    ]),
    challenge: named([
      ['data', DATA],
      ['length', u64(DATA.length)],
      ['tag = SHA-256(data)', TAG],
      ['nonce', NONCE],
      ['preimage', concat(DOMAIN.challenge, GENESIS, NONCE, TAG, u64(DATA.length), DATA)],
      ['seed', challengeSeed(GENESIS, NONCE, TAG, DATA)],
      ['claim key', claimKey.publicKey],
    ]),
    precomputed: named([
      ['secret', secret],
      ['tag', TAG],
      ['index', u64(7)],
      ['nonce', precomputedNonce(secret, TAG, 7)],
    ]),
  };
}
