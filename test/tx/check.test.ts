import { describe, expect, test } from 'vitest';
import { readU64, U64_MAX } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { nobleVerifier } from '../../src/crypto/noble.ts';
import { planTransfer, signedLength, signTransaction } from '../../src/tx/build.ts';
import { CheckedTransaction, checkTransaction } from '../../src/tx/check.ts';
import { accountHash, encodeTransaction, replayKey } from '../../src/tx/encode.ts';
import {
  type ClaimsBody,
  KIND_CLAIMS,
  KIND_TRANSFER,
  OUTPUT_ADVERT,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type TransferBody,
} from '../../src/tx/types.ts';
import {
  claimKey,
  filled,
  GENESIS,
  goldenClaims,
  goldenTransfer,
  NONCE,
  owner,
  PARAMETERS,
  steward,
  TAG,
} from './golden.ts';

const context = { genesisHash: GENESIS, parameters: PARAMETERS, verifier: nobleVerifier };
const code = (name: string) => expect.objectContaining({ code: name });

const bounty = {
  type: OUTPUT_BOUNTY,
  tag: TAG,
  nonce: NONCE,
  claimKey: claimKey.publicKey,
  payee: undefined,
  amount: 50_000n,
  claimFrom: 5,
  claimUntil: 6,
  refundTo: owner.publicKey,
} as const;

const base: TransferBody = {
  kind: KIND_TRANSFER,
  validUntil: 100,
  salt: filled(0, 8),
  inputs: [{ address: owner.publicKey, amount: 60_000n + 10_000n + 20n }],
  outputs: [bounty, { type: OUTPUT_ADVERT, tag: TAG, size: 1n, offer: filled(1, 256) }],
  fee: 20n,
  comment: undefined,
};

const judge = (change: Partial<TransferBody>) => () =>
  checkTransaction(signTransaction({ ...base, ...change }, GENESIS, [owner, steward]).bytes, context);

describe('stateless rules for transfers', () => {
  test('a balanced one passes', () => {
    expect(judge({})().fee).toBe(20n);
  });

  test.each<[string, Partial<TransferBody>, string]>([
    [
      'an input of zero',
      { inputs: [...base.inputs, { address: steward.publicKey, amount: 0n }] },
      'TX_AMOUNT',
    ],
    [
      'an address twice',
      {
        inputs: [
          { address: owner.publicKey, amount: 70_000n },
          { address: owner.publicKey, amount: 20n },
        ],
      },
      'TX_DUPLICATE_INPUT',
    ],
    ['one µKRY too much', { fee: 19n }, 'TX_UNBALANCED'],
    ['one µKRY too little', { fee: 21n }, 'TX_UNBALANCED'],
    ['a payment of zero', { outputs: [{ type: OUTPUT_PAY, to: filled(1), amount: 0n }] }, 'TX_AMOUNT'],
    ['a small bounty', { outputs: [{ ...bounty, amount: 49_999n }] }, 'TX_BOUNTY_AMOUNT'],
    ['an empty window', { outputs: [{ ...bounty, claimUntil: 5 }] }, 'TX_BOUNTY_WINDOW'],
    [
      'inputs that pass 2^64',
      {
        inputs: [
          { address: owner.publicKey, amount: U64_MAX },
          { address: steward.publicKey, amount: 1n },
        ],
        outputs: [{ type: OUTPUT_PAY, to: filled(1), amount: U64_MAX }],
        fee: 1n,
      },
      'TX_AMOUNT',
    ],
  ])('%s is refused', (_, change, expected) => {
    expect(judge(change)).toThrow(code(expected));
  });

  test('signatures of another chain, key or body are refused', () => {
    const { bytes, body } = signTransaction(base, GENESIS, [owner]);
    expect(() => checkTransaction(bytes, { ...context, genesisHash: filled(1) })).toThrow(
      code('TX_SIGNATURE'),
    );
    const forged = encodeTransaction({ body, signatures: [steward.sign(filled(0))] });
    expect(() => checkTransaction(forged, context)).toThrow(code('TX_SIGNATURE'));
    const raised = encodeTransaction({
      body: { ...base, validUntil: 101 },
      signatures: [bytes.subarray(bytes.length - 64)],
    });
    expect(() => checkTransaction(raised, context)).toThrow(code('TX_SIGNATURE'));
  });

  test('every input signs, in its place', () => {
    const inputs = [
      { address: owner.publicKey, amount: 70_000n },
      { address: steward.publicKey, amount: 20n },
    ];
    const { body, bytes } = signTransaction({ ...base, inputs }, GENESIS, [steward, owner]);
    expect(checkTransaction(bytes, context).debits()).toHaveLength(2);
    const [a, b] = [
      bytes.subarray(bytes.length - 130 + 0, bytes.length - 66),
      bytes.subarray(bytes.length - 64),
    ];
    expect(() => checkTransaction(encodeTransaction({ body, signatures: [b, a] }), context)).toThrow(
      code('TX_SIGNATURE'),
    );
  });
});

describe('stateless rules for claims', () => {
  const claim =
    goldenClaims().body.kind === KIND_CLAIMS ? (goldenClaims().body as ClaimsBody).claims[0]! : undefined;

  test('a bounty twice is refused', () => {
    const body: ClaimsBody = {
      kind: KIND_CLAIMS,
      validUntil: 9,
      salt: filled(0, 8),
      claims: [claim!, claim!],
    };
    const { bytes } = signTransaction(body, GENESIS, [claimKey]);
    expect(() => checkTransaction(bytes, context)).toThrow(code('TX_DUPLICATE_CLAIM'));
  });

  test('every signature must verify, not only the first', () => {
    const other = { ...claim!, bountyId: filled(9), claimKey: steward.publicKey };
    const body: ClaimsBody = {
      kind: KIND_CLAIMS,
      validUntil: 9,
      salt: filled(0, 8),
      claims: [claim!, other],
    };
    const { bytes } = signTransaction(body, GENESIS, [claimKey, steward]);
    expect(checkTransaction(bytes, context).kind).toBe(KIND_CLAIMS);
    const broken = bytes.slice();
    broken[broken.length - 1]! ^= 1;
    expect(() => checkTransaction(broken, context)).toThrow(code('TX_SIGNATURE'));
  });
});

describe('the flat record', () => {
  test('says of a transfer what its body says', () => {
    const { bytes, body, id } = goldenTransfer();
    const first = checkTransaction(bytes, context);
    const tx = new CheckedTransaction(bytes, first.flat.slice());
    const transfer = body as TransferBody;
    expect(tx).toMatchObject({ kind: KIND_TRANSFER, validUntil: 600, fee: transfer.fee, rich: true });
    expect(tx.id).toEqual(id);
    expect(tx.wireHash).toEqual(sha256(bytes));
    expect(tx.replayKey).toEqual(replayKey(body, id));
    expect(tx.debits()).toEqual([
      { account: accountHash(owner.publicKey), amount: transfer.inputs[0]!.amount },
    ]);
    expect(tx.credits()).toEqual([{ account: accountHash(steward.publicKey), amount: 1_000_000n }]);
    expect(tx.decode().body).toEqual(body);
  });

  test('says of claims that they move nothing by themselves, and that their replay key is their id', () => {
    const { bytes, id } = goldenClaims();
    const tx = checkTransaction(bytes, context);
    expect(tx).toMatchObject({ kind: KIND_CLAIMS, fee: 0n, rich: true });
    expect(tx.replayKey).toEqual(id);
    expect([...tx.debits(), ...tx.credits()]).toEqual([]);
  });

  test('a plain payment is not rich', () => {
    const outputs = [{ type: OUTPUT_PAY, to: filled(1), amount: 70_000n }] as const;
    expect(judge({ outputs })().rich).toBe(false);
  });
});

describe('building', () => {
  const plan = { from: owner.publicKey, outputs: base.outputs, validUntil: 600, salt: filled(3, 8) };

  test.each([0n, 1n, 7n, 1_000n, 123_456_789n])(
    'at %s µKRY a byte the fee is exactly what it costs',
    (baseFee) => {
      const body = planTransfer(plan, PARAMETERS, baseFee);
      const { bytes } = signTransaction(body, GENESIS, [owner]);
      expect(bytes.length).toBe(signedLength(body));
      expect(body.fee).toBe(BigInt(bytes.length) * baseFee);
      expect(checkTransaction(bytes, context).fee).toBe(body.fee);
    },
  );

  test('a re-send with a higher fee has the same replay key and another id', () => {
    const [a, b] = [1n, 2n].map((fee) =>
      signTransaction(planTransfer(plan, PARAMETERS, fee), GENESIS, [owner]),
    );
    expect(a!.id).not.toEqual(b!.id);
    expect(replayKey(a!.body, a!.id)).toEqual(replayKey(b!.body, b!.id));
  });

  test('a missing key and a broken bound are told before anything is sent', () => {
    expect(() => signTransaction(base, GENESIS, [steward])).toThrow(code('KEY_MISSING'));
    expect(() => signTransaction({ ...base, salt: filled(0, 9) }, GENESIS, [owner])).toThrow(
      code('CODEC_BOUNDS'),
    );
  });

  test('a seed of another length makes no key', () => {
    expect(() => signingKey(filled(1, 31))).toThrow(code('KEY_INVALID'));
    expect(readU64(filled(0, 8), 0)).toBe(0n);
  });
});
