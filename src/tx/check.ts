/**
 * The stateless check of a transaction: everything that depends on its bytes, the genesis hash and the
 * parameters alone, signatures included. It is what a verification worker does; its result is flat, so that
 * it crosses threads as one buffer and the main thread never decodes a transfer again.
 */
import { type Bytes, keyOf, readU64, U64_MAX, writeU64 } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import { type DecodedTransaction, decodeTransaction } from './decode.ts';
import { accountHash, replayKey, signedMessage, transactionId } from './encode.ts';
import { type ClaimsBody, KIND_TRANSFER, OUTPUT_BOUNTY, OUTPUT_PAY, type TransferBody } from './types.ts';

/** The parameters that a stateless check needs (genesis file). */
export interface TransactionParameters {
  /** Taken with every bounty output, returned to `refundTo` when its entry is removed. */
  readonly bountyDeposit: bigint;
  readonly leastBounty: bigint;
  /** Price of one advert output: half burned, half to the fee pool. */
  readonly advertFee: bigint;
}

export interface CheckContext {
  readonly genesisHash: Bytes;
  readonly parameters: TransactionParameters;
  readonly verifier: SignatureVerifier;
}

function refuse(code: string, message: string): never {
  throw new ProtocolError(code, message);
}

function checkTransfer(body: TransferBody, p: TransactionParameters): void {
  const seen = new Set<string>();
  let taken = 0n;
  for (const { address, amount } of body.inputs) {
    if (amount === 0n) refuse('TX_AMOUNT', 'an input of zero');
    const key = keyOf(address);
    if (seen.has(key)) refuse('TX_DUPLICATE_INPUT', 'an address is spent from twice');
    seen.add(key);
    taken += amount;
  }
  let given = body.fee;
  for (const output of body.outputs) {
    if (output.type === OUTPUT_PAY) {
      if (output.amount === 0n) refuse('TX_AMOUNT', 'a payment of zero');
      given += output.amount;
    } else if (output.type === OUTPUT_BOUNTY) {
      if (output.amount < p.leastBounty)
        refuse('TX_BOUNTY_AMOUNT', `a bounty is at least ${p.leastBounty} µKRY`);
      if (output.claimFrom >= output.claimUntil)
        refuse('TX_BOUNTY_WINDOW', 'claimFrom is not before claimUntil');
      given += output.amount + p.bountyDeposit;
    } else given += p.advertFee;
  }
  if (taken > U64_MAX) refuse('TX_AMOUNT', 'inputs pass 2^64');
  if (taken !== given)
    refuse('TX_UNBALANCED', `inputs are ${taken} µKRY, outputs, deposits and fee ${given} µKRY`);
}

function checkClaims(body: ClaimsBody): void {
  const seen = new Set<string>();
  for (const { bountyId } of body.claims) {
    const key = keyOf(bountyId);
    if (seen.has(key)) refuse('TX_DUPLICATE_CLAIM', 'a bounty is claimed twice');
    seen.add(key);
  }
}

function checkSignatures(tx: DecodedTransaction, id: Bytes, context: CheckContext): void {
  const message = signedMessage(context.genesisHash, id);
  const { body, signatures } = tx;
  for (let i = 0; i < signatures.length; i++) {
    const key = body.kind === KIND_TRANSFER ? body.inputs[i]!.address : body.claims[i]!.claimKey;
    if (!context.verifier.verify(signatures[i]!, message, key)) {
      refuse('TX_SIGNATURE', `signature ${i} does not verify for this chain`);
    }
  }
}

const FIXED = 118;
const ENTRY = 40;
const FLAG_RICH = 1;
const FLAG_POSTS = 2;

/** A net-free list of (account hash, amount) inside a flat record. */
export interface Movement {
  /** `accountHash(address)`. */
  readonly account: Bytes;
  readonly amount: bigint;
}

/**
 * A transaction that passed `checkTransaction`. Backed by its full bytes and one flat record; `body` decodes
 * the bytes again and is needed only for what is rare (bounties, adverts, claims).
 */
export class CheckedTransaction {
  readonly bytes: Bytes;
  readonly kind: number;
  readonly validUntil: number;
  /** 0n for claims, whose fee comes out of each bounty. */
  readonly fee: bigint;
  readonly id: Bytes;
  /** SHA-256(bytes). */
  readonly wireHash: Bytes;
  readonly replayKey: Bytes;
  readonly #flat: Bytes;

  constructor(bytes: Bytes, flat: Bytes) {
    this.bytes = bytes;
    this.#flat = flat;
    this.kind = flat[0]!;
    this.validUntil = Number(readU64(flat, 6));
    this.fee = readU64(flat, 14);
    this.id = flat.subarray(22, 54);
    this.wireHash = flat.subarray(54, 86);
    this.replayKey = flat.subarray(86, 118);
  }

  /** The flat record, for the way between threads. */
  get flat(): Bytes {
    return this.#flat;
  }

  /** True when it has bounty or advert outputs, or claims: then `body` says the rest. */
  get rich(): boolean {
    return (this.#flat[1]! & FLAG_RICH) !== 0;
  }

  /** True when it has bounty outputs, of which a block takes a bounded number. */
  get posts(): boolean {
    return (this.#flat[1]! & FLAG_POSTS) !== 0;
  }

  /** The same on memory of its own: a batch's results share one buffer, which a view would keep alive. */
  owned(): CheckedTransaction {
    return new CheckedTransaction(this.bytes.slice(), this.#flat.slice());
  }

  #movements(first: number, count: number): Movement[] {
    const out: Movement[] = [];
    for (let i = 0, at = FIXED + first * ENTRY; i < count; i++, at += ENTRY) {
      out.push({ account: this.#flat.subarray(at, at + 32), amount: readU64(this.#flat, at + 32) });
    }
    return out;
  }

  get #debits(): number {
    return this.#flat[2]! * 256 + this.#flat[3]!;
  }

  /** What it takes from accounts, one entry an input. */
  debits(): Movement[] {
    return this.#movements(0, this.#debits);
  }

  /** What its pay outputs give, in their order. */
  credits(): Movement[] {
    return this.#movements(this.#debits, this.#flat[4]! * 256 + this.#flat[5]!);
  }

  decode(): DecodedTransaction {
    return decodeTransaction(this.bytes);
  }
}

function flatten(bytes: Bytes, tx: DecodedTransaction, id: Bytes): Bytes {
  const { body } = tx;
  const inputs = body.kind === KIND_TRANSFER ? body.inputs : [];
  const outputs = body.kind === KIND_TRANSFER ? body.outputs : [];
  const pays = outputs.filter((output) => output.type === OUTPUT_PAY);
  const flat = new Uint8Array(FIXED + ENTRY * (inputs.length + pays.length));
  flat[0] = body.kind;
  flat[1] = body.kind !== KIND_TRANSFER || pays.length !== outputs.length ? FLAG_RICH : 0;
  if (outputs.some(({ type }) => type === OUTPUT_BOUNTY)) flat[1] |= FLAG_POSTS;
  flat[2] = inputs.length >> 8;
  flat[3] = inputs.length & 0xff;
  flat[4] = pays.length >> 8;
  flat[5] = pays.length & 0xff;
  writeU64(flat, 6, BigInt(body.validUntil));
  writeU64(flat, 14, body.kind === KIND_TRANSFER ? body.fee : 0n);
  flat.set(id, 22);
  flat.set(sha256(bytes), 54);
  flat.set(replayKey(body, id), 86);
  let at = FIXED;
  const put = (address: Bytes, amount: bigint): void => {
    flat.set(accountHash(address), at);
    writeU64(flat, at + 32, amount);
    at += ENTRY;
  };
  for (const input of inputs) put(input.address, input.amount);
  for (const pay of pays) put(pay.to, pay.amount);
  return flat;
}

/**
 * Judges full transaction bytes: encoding, bounds, duplicates, balance of inputs and outputs, then every
 * signature. Throws a `ProtocolError` (`CODEC_*`, `TX_*`). Its verdict never changes, so it is reached once
 * in a process's life.
 */
export function checkTransaction(bytes: Bytes, context: CheckContext): CheckedTransaction {
  const tx = decodeTransaction(bytes);
  if (tx.body.kind === KIND_TRANSFER) checkTransfer(tx.body, context.parameters);
  else checkClaims(tx.body);
  const id = transactionId(tx.bodyBytes);
  checkSignatures(tx, id, context);
  return new CheckedTransaction(bytes, flatten(bytes, tx, id));
}
