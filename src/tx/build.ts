/**
 * Building and signing transactions, for wallets, stewards and tests. Pure: keys and the random salt come
 * in. What leaves here has been read back by the strict decoder, so a bound that a caller overlooked is an
 * error here and not a refusal by the network.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { SigningKey } from '../crypto/interfaces.ts';
import { SIGNATURE_BYTES } from '../crypto/strict.ts';
import type { TransactionParameters } from './check.ts';
import { decodeTransaction } from './decode.ts';
import { encodeBody, encodeTransaction, signedMessage, transactionId } from './encode.ts';
import {
  type Claim,
  type Comment,
  KIND_CLAIMS,
  KIND_TRANSFER,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type Output,
  type TransactionBody,
  type TransferBody,
} from './types.ts';

export interface BuiltTransaction {
  readonly body: TransactionBody;
  /** Full bytes, ready to submit. */
  readonly bytes: Bytes;
  readonly id: Bytes;
}

/** The keys that must sign, in the order of the signatures. */
export function signersOf(body: TransactionBody): Bytes[] {
  return body.kind === KIND_TRANSFER
    ? body.inputs.map((input) => input.address)
    : body.claims.map((claim) => claim.claimKey);
}

/**
 * Signs `body` for the chain with `genesisHash`; `keys` may be in any order and hold more than is needed.
 * Throws `KEY_MISSING`, or what `decodeTransaction` throws for a body that breaks a bound.
 */
export function signTransaction(
  body: TransactionBody,
  genesisHash: Bytes,
  keys: readonly SigningKey[],
): BuiltTransaction {
  const byPublicKey = new Map(keys.map((key) => [keyOf(key.publicKey), key]));
  const id = transactionId(encodeBody(body));
  const message = signedMessage(genesisHash, id);
  const made = new Map<string, Bytes>();
  const signatures = signersOf(body).map((publicKey, index) => {
    const name = keyOf(publicKey);
    const key = byPublicKey.get(name);
    if (key === undefined) {
      throw new ProtocolError('KEY_MISSING', `the key of signature ${index} was not given`);
    }
    const signature = made.get(name) ?? key.sign(message);
    made.set(name, signature);
    return signature;
  });
  const bytes = encodeTransaction({ body, signatures });
  decodeTransaction(bytes);
  return { body, bytes, id };
}

/** One answered challenge, with the key that was derived from the data. */
export interface AnsweredClaim extends Omit<Claim, 'claimKey'> {
  readonly key: SigningKey;
}

export interface ClaimsPlan {
  readonly validUntil: number;
  /** 8 random bytes. */
  readonly salt: Bytes;
  readonly claims: readonly AnsweredClaim[];
}

/** A signed claims transaction. Throws a bound error of `decodeTransaction`. */
export function signClaims(plan: ClaimsPlan, genesisHash: Bytes): BuiltTransaction {
  const { validUntil, salt } = plan;
  const claims = plan.claims.map(({ tag, bountyId, key, destination }) => {
    return { tag, bountyId, claimKey: key.publicKey, destination };
  });
  const keys = plan.claims.map((claim) => claim.key);
  return signTransaction({ kind: KIND_CLAIMS, validUntil, salt, claims }, genesisHash, keys);
}

/** Length in bytes of the full transaction that this body becomes when it is signed. */
export function signedLength(body: TransactionBody): number {
  const empty = new Uint8Array(SIGNATURE_BYTES);
  return encodeTransaction({ body, signatures: signersOf(body).map(() => empty) }).length;
}

/** What the outputs take from the inputs: amounts, bounty deposits, advert fees. */
function costOfOutputs(outputs: readonly Output[], parameters: TransactionParameters): bigint {
  let cost = 0n;
  for (const output of outputs) {
    if (output.type === OUTPUT_PAY) cost += output.amount;
    else if (output.type === OUTPUT_BOUNTY) cost += output.amount + parameters.bountyDeposit;
    else cost += parameters.advertFee;
  }
  return cost;
}

export interface TransferPlan {
  /** The one address that pays for everything. */
  readonly from: Bytes;
  readonly outputs: readonly Output[];
  readonly validUntil: number;
  /** 8 random bytes; the same ones, with a higher base fee, make a replacement. */
  readonly salt: Bytes;
  readonly comment?: Comment | undefined;
}

/**
 * The cheapest balanced transfer from one address at `baseFee` µKRY a byte. The fee depends on the length,
 * and the length on the fee's own encoding and that of the input; both only grow, so this finds the least fee
 * that pays for itself.
 */
export function planTransfer(
  plan: TransferPlan,
  parameters: TransactionParameters,
  baseFee: bigint,
): TransferBody {
  const cost = costOfOutputs(plan.outputs, parameters);
  const withFee = (fee: bigint): TransferBody => ({
    kind: KIND_TRANSFER,
    validUntil: plan.validUntil,
    salt: plan.salt,
    inputs: [{ address: plan.from, amount: cost + fee }],
    outputs: plan.outputs,
    fee,
    comment: plan.comment,
  });
  let body = withFee(0n);
  for (;;) {
    const fee = BigInt(signedLength(body)) * baseFee;
    if (fee === body.fee) return body;
    body = withFee(fee);
  }
}
