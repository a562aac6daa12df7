/**
 * Signed transfers for benchmarks: many senders, each paying the next, all signed beforehand. The keys follow
 * from their index, so every process of a benchmark can make them again.
 */
import { type Bytes, u64 } from '../src/codec/bytes.ts';
import { sha256 } from '../src/codec/hash.ts';
import type { SigningKey } from '../src/crypto/interfaces.ts';
import type { SigningKeyFactory } from '../src/crypto/keys.ts';
import { encodeBody, encodeTransaction, signedMessage, transactionId } from '../src/tx/encode.ts';
import { KIND_TRANSFER, OUTPUT_PAY } from '../src/tx/types.ts';

export interface SignedTransfer {
  readonly id: Bytes;
  readonly bytes: Bytes;
}

/** Key of sender `index`. */
export function senderKey(factory: SigningKeyFactory, index: number): SigningKey {
  return factory(sha256(new TextEncoder().encode('benchmark sender'), u64(index)));
}

const FEE = 1_000n;
const AMOUNT = 1_000n;

/** Transfer number `serial` from `from` to `to`. */
export function signTransfer(
  from: SigningKey,
  to: Bytes,
  serial: number,
  validUntil: number,
  genesisHash: Bytes,
): SignedTransfer {
  const body = {
    kind: KIND_TRANSFER,
    validUntil,
    salt: u64(serial),
    inputs: [{ address: from.publicKey, amount: AMOUNT + FEE }],
    outputs: [{ type: OUTPUT_PAY, to, amount: AMOUNT }],
    fee: FEE,
    comment: undefined,
  } as const;
  const id = transactionId(encodeBody(body));
  const signature = from.sign(signedMessage(genesisHash, id));
  return { id, bytes: encodeTransaction({ body, signatures: [signature] }) };
}
