/**
 * The worked examples of docs/protocol.md: one transfer with every kind of output and a comment, one claims
 * transaction, one challenge. Keys are made of seeds of one repeated byte.
 */
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { type BuiltTransaction, signClaims, signTransaction } from '../../src/tx/build.ts';
import { challengeSeed } from '../../src/tx/challenge.ts';
import { bountyId } from '../../src/tx/encode.ts';
import { KIND_TRANSFER, OUTPUT_ADVERT, OUTPUT_BOUNTY, OUTPUT_PAY } from '../../src/tx/types.ts';

export const filled = (byte: number, length = 32): Bytes => new Uint8Array(length).fill(byte);

export const GENESIS = filled(0x47);
export const NONCE = filled(0x4e);
export const DATA = utf8('the quick brown fox keeps the lazy dog’s data');
export const TAG = sha256(DATA);
export const owner = signingKey(filled(1));
export const steward = signingKey(filled(2));
export const claimKey = signingKey(challengeSeed(GENESIS, NONCE, TAG, DATA));

export const PARAMETERS = { bountyDeposit: 10_000n, leastBounty: 50_000n, advertFee: 10_000n };

export function goldenTransfer(): BuiltTransaction {
  const fee = 700n;
  return signTransaction(
    {
      kind: KIND_TRANSFER,
      validUntil: 600,
      salt: filled(0x53, 8),
      inputs: [{ address: owner.publicKey, amount: 1_000_000n + 2_000_000n + 10_000n + 10_000n + fee }],
      outputs: [
        { type: OUTPUT_PAY, to: steward.publicKey, amount: 1_000_000n },
        {
          type: OUTPUT_BOUNTY,
          tag: TAG,
          nonce: NONCE,
          claimKey: claimKey.publicKey,
          payee: steward.publicKey,
          amount: 2_000_000n,
          claimFrom: 0,
          claimUntil: 1_300,
          refundTo: owner.publicKey,
        },
        { type: OUTPUT_ADVERT, tag: TAG, size: BigInt(DATA.length), offer: utf8('take it') },
      ],
      fee,
      comment: { tag: TAG, nonce: undefined, memo: utf8('hello') },
    },
    GENESIS,
    [owner],
  );
}

export function goldenClaims(): BuiltTransaction {
  return signClaims(
    {
      validUntil: 700,
      salt: filled(0x54, 8),
      claims: [
        {
          tag: TAG,
          bountyId: bountyId(goldenTransfer().id, 1),
          key: claimKey,
          destination: steward.publicKey,
        },
      ],
    },
    GENESIS,
  );
}
