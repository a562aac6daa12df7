/** Transactions of every shape, in bounds, for property tests. */
import fc from 'fast-check';
import { U64_MAX } from '../../src/codec/bytes.ts';
import {
  type Claim,
  type ClaimsBody,
  type Comment,
  KIND_CLAIMS,
  KIND_TRANSFER,
  OUTPUT_ADVERT,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type Output,
  type SignedTransaction,
  type Spend,
  type TransferBody,
} from '../../src/tx/types.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const key = bytes(32);
const amount = fc.bigInt({ min: 0n, max: U64_MAX });
const height = fc.maxSafeNat();

const output: fc.Arbitrary<Output> = fc.oneof(
  fc.record({ type: fc.constant(OUTPUT_PAY), to: key, amount }),
  fc.record({
    type: fc.constant(OUTPUT_BOUNTY),
    tag: key,
    nonce: key,
    claimKey: key,
    payee: fc.option(key, { nil: undefined }),
    amount,
    claimFrom: height,
    claimUntil: height,
    refundTo: key,
  }),
  fc.record({
    type: fc.constant(OUTPUT_ADVERT),
    tag: key,
    size: fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }),
    offer: fc.uint8Array({ maxLength: 256 }),
  }),
);

const comment: fc.Arbitrary<Comment | undefined> = fc
  .record({
    tag: fc.option(key, { nil: undefined }),
    nonce: fc.option(key, { nil: undefined }),
    memo: fc.option(fc.uint8Array({ minLength: 1, maxLength: 900 }), { nil: undefined }),
  })
  .map((c) => (c.tag ?? c.nonce ?? c.memo) && c);

export const transferBody: fc.Arbitrary<TransferBody> = fc.record({
  kind: fc.constant(KIND_TRANSFER),
  validUntil: height,
  salt: bytes(8),
  inputs: fc.array(fc.record<Spend>({ address: key, amount }), { minLength: 1, maxLength: 20 }),
  outputs: fc.array(output, { maxLength: 20 }),
  fee: amount,
  comment,
});

const claim: fc.Arbitrary<Claim> = fc.record({ tag: key, bountyId: key, claimKey: key, destination: key });

export const claimsBody: fc.Arbitrary<ClaimsBody> = fc.record({
  kind: fc.constant(KIND_CLAIMS),
  validUntil: height,
  salt: bytes(8),
  claims: fc.array(claim, { minLength: 1, maxLength: 20 }),
});

/** Signatures are random bytes: right in number and length alone. */
export const signedTransaction: fc.Arbitrary<SignedTransaction> = fc
  .oneof(transferBody, claimsBody)
  .chain((body) => {
    const count = body.kind === KIND_TRANSFER ? body.inputs.length : body.claims.length;
    return fc.record({
      body: fc.constant(body),
      signatures: fc.array(bytes(64), { minLength: count, maxLength: count }),
    });
  });
