/**
 * Transactions that somebody tries on: the code of each refusal, from the very checks that stand before the mempool and
 * in every block: bytes and signatures first (whoever sends such a thing is punished), then the state.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bytes, concat, equal, fromHex } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { nobleVerifier } from '../../src/crypto/noble.ts';
import { signTransaction } from '../../src/tx/build.ts';
import { checkTransaction } from '../../src/tx/check.ts';
import { decodeTransaction } from '../../src/tx/decode.ts';
import { encodeTransaction } from '../../src/tx/encode.ts';
import { KIND_TRANSFER, OUTPUT_PAY, type TransferBody } from '../../src/tx/types.ts';
import { filled, owner, steward } from '../tx/golden.ts';
import { context, grow, startOn } from './chain.ts';
import { GENESIS_HASH, payment } from './samples.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kryder-hostile-tx-'));
  await startOn(directory, async (chain) => {
    for (let i = 0; i < 3; i++) await grow(chain);
  });
});
afterAll(() => rm(directory, { recursive: true }));

type Stage = 'bytes' | 'state' | 'taken';

/** Where a transaction ends at height 3, and by which code. */
async function judge(bytes: Bytes): Promise<[Stage, string?]> {
  return startOn(directory, async (chain) => {
    let stage: Stage = 'bytes';
    try {
      const tx = checkTransaction(bytes, context);
      stage = 'state';
      chain.judge().check(tx);
      return ['taken'];
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [stage, error.code];
    }
  });
}

const body = (change: Partial<TransferBody> = {}): TransferBody => ({
  kind: KIND_TRANSFER,
  validUntil: 50,
  salt: filled(0xaa, 8),
  inputs: [{ address: owner.publicKey, amount: 20_400n }],
  outputs: [{ type: OUTPUT_PAY, to: steward.publicKey, amount: 20_000n }],
  fee: 400n,
  comment: undefined,
  ...change,
});
const signed = (change: Partial<TransferBody> = {}, key = owner, genesis = GENESIS_HASH): Bytes =>
  signTransaction({ ...body(change) }, genesis, [key, steward]).bytes;

/** A transaction as it stands, with these signatures. */
const withSignatures = (change: Partial<TransferBody>, ...signatures: Bytes[]): Bytes =>
  encodeTransaction({ body: body(change), signatures });

const honest = decodeTransaction(signed()).signatures[0]!;
const IDENTITY = fromHex(`01${'00'.repeat(31)}`);
const ORDER_EIGHT = fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
/** A non-canonical form of the identity: y = p + 1. */
const LONG_IDENTITY = fromHex(`ee${'ff'.repeat(30)}7f`);

/** S + L: the same equation, another signature. */
function malleated(signature: Bytes): Bytes {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = order;
  for (let i = 31; i >= 0; i--) s += BigInt(signature[32 + i]!) << BigInt(8 * i);
  const out = signature.slice();
  for (let i = 0; i < 32; i++) out[32 + i] = Number((s >> BigInt(8 * i)) & 0xffn);
  return out;
}

describe('a transaction', () => {
  it('as it should be is taken', async () => {
    expect(await judge(signed())).toEqual(['taken']);
    expect(equal(signed(), withSignatures({}, honest))).toBe(true);
  });

  it.each<[string, Bytes, Stage, string]>([
    ['of another chain', signed({}, owner, filled(0x99)), 'bytes', 'TX_SIGNATURE'],
    [
      'signed by another key',
      withSignatures({}, signingKey(filled(9)).sign(filled(1))),
      'bytes',
      'TX_SIGNATURE',
    ],
    ['with a signature of zeros', withSignatures({}, new Uint8Array(64)), 'bytes', 'TX_SIGNATURE'],
    ['with a malleated signature', withSignatures({}, malleated(honest)), 'bytes', 'TX_SIGNATURE'],
    ...[IDENTITY, ORDER_EIGHT, LONG_IDENTITY, new Uint8Array(32)].flatMap(
      (point): [string, Bytes, Stage, string][] =>
        [IDENTITY, ORDER_EIGHT, point].map((r) => [
          `of a key of small order (${point[0]}, ${r[0]})`,
          withSignatures({ inputs: [{ address: point, amount: 20_400n }] }, concat(r, new Uint8Array(32))),
          'bytes',
          'TX_SIGNATURE',
        ]),
    ),
    [
      'with a signature of 65 bytes',
      withSignatures({}, concat(honest, Uint8Array.of(0))),
      'bytes',
      'CODEC_BOUNDS',
    ],
    ['with a signature of 63 bytes', withSignatures({}, honest.subarray(1)), 'bytes', 'CODEC_BOUNDS'],
    ['with one signature too many', withSignatures({}, honest, honest), 'bytes', 'CODEC_BOUNDS'],
    ['without signatures', withSignatures({}), 'bytes', 'CODEC_BOUNDS'],
    [
      'with an input twice',
      withSignatures(
        {
          inputs: [
            { address: owner.publicKey, amount: 10_200n },
            { address: owner.publicKey, amount: 10_200n },
          ],
        },
        honest,
        honest,
      ),
      'bytes',
      'TX_DUPLICATE_INPUT',
    ],
    ['that makes coins', signed({ fee: 399n }), 'bytes', 'TX_UNBALANCED'],
    [
      'whose sum passes 2^64',
      withSignatures(
        {
          inputs: [
            { address: owner.publicKey, amount: 2n ** 64n - 1n },
            { address: steward.publicKey, amount: 20_401n },
          ],
        },
        honest,
        honest,
      ),
      'bytes',
      'TX_AMOUNT',
    ],
    ['that expired', signed({ validUntil: 3 }), 'state', 'TX_EXPIRED'],
    ['that is valid too far ahead', signed({ validUntil: 65 }), 'state', 'TX_TOO_FAR'],
    ['valid for ever', signed({ validUntil: Number.MAX_SAFE_INTEGER }), 'state', 'TX_TOO_FAR'],
    ['that is in a block', payment(21).bytes, 'state', 'TX_REPLAY'],
    ['with address, salt and end of one in a block', payment(21, 30_000n).bytes, 'state', 'TX_REPLAY'],
    [
      'over its balance',
      signed({
        inputs: [{ address: owner.publicKey, amount: 2_000_000_400n }],
        outputs: [{ type: OUTPUT_PAY, to: steward.publicKey, amount: 2_000_000_000n }],
      }),
      'state',
      'TX_OVERSPENT',
    ],
    [
      'of an account that is not there',
      signed(
        { inputs: [{ address: signingKey(filled(8)).publicKey, amount: 20_400n }] },
        signingKey(filled(8)),
      ),
      'state',
      'TX_OVERSPENT',
    ],
    [
      'that pays less than the base fee',
      signed({ inputs: [{ address: owner.publicKey, amount: 20_001n }], fee: 1n }),
      'state',
      'TX_FEE_LOW',
    ],
  ])('%s ends with its code', async (_, bytes, stage, code) => {
    expect(await judge(bytes)).toEqual([stage, code]);
    if (stage !== 'bytes') return;
    // Every backend says the same: a chain would fork otherwise.
    expect(() => checkTransaction(bytes, { ...context, verifier: nobleVerifier })).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
