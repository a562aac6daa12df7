import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { Writer } from '../../src/codec/writer.ts';
import { decodeBody, decodeTransaction } from '../../src/tx/decode.ts';
import { encodeBody, encodeTransaction, transactionId } from '../../src/tx/encode.ts';
import {
  KIND_TRANSFER,
  MAX_TRANSACTION_BYTES,
  OUTPUT_ADVERT,
  OUTPUT_PAY,
  type SignedTransaction,
  type TransferBody,
} from '../../src/tx/types.ts';
import { claimsBody, signedTransaction, transferBody } from './arbitrary.ts';
import { goldenClaims, goldenTransfer } from './golden.ts';

const code = (name: string) => expect.objectContaining({ code: name });

describe('encoding of transactions', () => {
  test('what is encoded is decoded to the same value', () => {
    fc.assert(
      fc.property(signedTransaction, (tx) => {
        const bytes = encodeTransaction(tx);
        const { bodyBytes, ...decoded } = decodeTransaction(bytes);
        expect(decoded).toEqual(tx);
        expect(bodyBytes).toEqual(encodeBody(tx.body));
        expect(decodeBody(bodyBytes)).toEqual(tx.body);
      }),
    );
  });

  test('bytes are accepted exactly if re-encoding gives the same bytes', () => {
    const mutation = fc.record({ at: fc.nat(), xor: fc.integer({ min: 1, max: 255 }) });
    const cut = fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 3 }));
    let accepted = 0;
    fc.assert(
      fc.property(
        signedTransaction,
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        cut,
        (tx, mutations, extra) => {
          const honest = encodeTransaction(tx);
          const bytes = new Uint8Array(Math.max(0, honest.length + extra));
          bytes.set(honest.subarray(0, bytes.length));
          // Most bytes are opaque, so half of the changes go to the first bytes of the body.
          mutations.forEach(({ at, xor }, i) => {
            const limit = i % 2 === 0 ? Math.min(40, bytes.length) : bytes.length;
            bytes[at % limit]! ^= xor;
          });
          let decoded: SignedTransaction;
          try {
            decoded = decodeTransaction(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
            return;
          }
          accepted++;
          expect(encodeTransaction(decoded)).toEqual(bytes);
        },
      ),
      { numRuns: 3_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  test('random bytes never do more than throw a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(() => decodeTransaction(bytes)).toThrow(ProtocolError);
      }),
    );
  });

  test('golden encodings', () => {
    const summary = ({ bytes, id }: { bytes: Uint8Array; id: Uint8Array }) => ({
      length: bytes.length,
      sha256: toHex(sha256(bytes)),
      id: toHex(id),
    });
    expect({ transfer: summary(goldenTransfer()), claims: summary(goldenClaims()) }).toMatchInlineSnapshot(`
      {
        "claims": {
          "id": "c8ec3283f2d2e02ea42ab5c2b919d4fd8b9cfc573895f5b92b00f482870a2423",
          "length": 221,
          "sha256": "c4f24506d60807458ad9c47ee1fa55b76624300cfac1001680ac7c6066f4549c",
        },
        "transfer": {
          "id": "a1fa82e2507eee64583abfea1984d962ce1b11eda240add95f963934a52a5974",
          "length": 439,
          "sha256": "83cbb97eb92f7d4302a677cbb03d765c1b9efb555b03e403b8dd0ef558b89744",
        },
      }
    `);
  });

  test('the id is of the body alone', () => {
    fc.assert(
      fc.property(transferBody, claimsBody, (a, b) => {
        expect(transactionId(encodeBody(a))).not.toEqual(transactionId(encodeBody(b)));
      }),
      { numRuns: 20 },
    );
    const { body, bytes, id } = goldenTransfer();
    const { signatures, bodyBytes } = decodeTransaction(bytes);
    const other = encodeTransaction({ body, signatures: signatures.map(() => new Uint8Array(64)) });
    expect(transactionId(decodeTransaction(other).bodyBytes)).toEqual(id);
    expect(transactionId(bodyBytes)).toEqual(id);
  });
});

describe('what the decoder refuses', () => {
  const key = new Uint8Array(32).fill(7);
  const base: TransferBody = {
    kind: KIND_TRANSFER,
    validUntil: 100,
    salt: new Uint8Array(8),
    inputs: [{ address: key, amount: 10n }],
    outputs: [{ type: OUTPUT_PAY, to: key, amount: 9n }],
    fee: 1n,
    comment: undefined,
  };
  const decode = (change: Partial<TransferBody>) => () => decodeBody(encodeBody({ ...base, ...change }));

  test('the base itself is fine', () => {
    expect(decode({})()).toEqual(base);
  });

  test.each<[string, Partial<TransferBody>, string]>([
    ['no inputs', { inputs: [] }, 'CODEC_BOUNDS'],
    ['65 inputs', { inputs: Array.from({ length: 65 }, () => base.inputs[0]!) }, 'CODEC_BOUNDS'],
    ['257 outputs', { outputs: Array.from({ length: 257 }, () => base.outputs[0]!) }, 'CODEC_BOUNDS'],
    ['a short salt', { salt: new Uint8Array(7) }, 'CODEC_BOUNDS'],
    ['a short address', { inputs: [{ address: key.subarray(1), amount: 1n }] }, 'CODEC_BOUNDS'],
    [
      'a comment of nothing',
      { comment: { tag: undefined, nonce: undefined, memo: undefined } },
      'TX_COMMENT',
    ],
    ['an empty memo', { comment: { tag: key, nonce: undefined, memo: new Uint8Array(0) } }, 'CODEC_BOUNDS'],
    [
      'a comment over 1 KiB',
      { comment: { tag: undefined, nonce: undefined, memo: new Uint8Array(1_019) } },
      'TX_COMMENT',
    ],
    [
      'a memo over 1 KiB',
      { comment: { tag: undefined, nonce: undefined, memo: new Uint8Array(1_025) } },
      'CODEC_BOUNDS',
    ],
  ])('%s', (_, change, expected) => {
    expect(decode(change)).toThrow(code(expected));
  });

  test('a comment of exactly 1 KiB is fine', () => {
    expect(
      decode({ comment: { tag: undefined, nonce: undefined, memo: new Uint8Array(1_018) } }),
    ).not.toThrow();
  });

  test('an unknown kind, and fields too many or too few', () => {
    const body = encodeBody(base);
    const fields = body.subarray(2);
    const rebuilt = (count: number, kind: number) =>
      new Writer().array(count).uint(kind).raw(fields).finish();
    expect(() => decodeBody(rebuilt(7, 1))).not.toThrow();
    expect(() => decodeBody(rebuilt(7, 3))).toThrow(code('TX_KIND'));
    expect(() => decodeBody(rebuilt(7, 70_000))).toThrow(code('TX_KIND'));
    expect(() => decodeBody(rebuilt(6, 1))).toThrow(code('TX_SHAPE'));
    expect(() => decodeBody(rebuilt(5, 2))).toThrow(code('TX_SHAPE'));
    const bounty = new Writer().array(9).uint(OUTPUT_PAY).bin(key).uint(1).finish();
    const wrong = new Writer().array(7).uint(1).uint(1).bin(new Uint8Array(8));
    wrong.array(1).array(2).bin(key).uint(1).array(1).raw(bounty);
    expect(() => decodeBody(wrong.finish())).toThrow(code('TX_SHAPE'));
  });

  test('more or fewer signatures than signers, or longer ones', () => {
    const body = encodeBody(base);
    const signed = (...lengths: number[]) => {
      const w = new Writer().array(2).raw(body).array(lengths.length);
      for (const length of lengths) w.bin(new Uint8Array(length));
      return () => decodeTransaction(w.finish());
    };
    expect(signed(64)).not.toThrow();
    for (const wrong of [signed(), signed(64, 64), signed(63), signed(65)]) {
      expect(wrong).toThrow(code('CODEC_BOUNDS'));
    }
  });

  test('bytes over the limit, before they are looked at', () => {
    expect(() => decodeTransaction(new Uint8Array(MAX_TRANSACTION_BYTES + 1))).toThrow(code('TX_SIZE'));
    expect(() => decodeBody(new Uint8Array(MAX_TRANSACTION_BYTES + 1))).toThrow(code('TX_SIZE'));
  });

  test('strings, maps, floats, booleans and extensions anywhere', () => {
    const filler = new Uint8Array(8);
    for (const hex of [
      'a161',
      '80',
      'ca00000000',
      'cb0000000000000000',
      'c2',
      'c3',
      'd6ff00000000',
      'c1',
      'e0',
    ]) {
      expect(() => decodeBody(new Writer().array(7).uint(1).raw(fromHex(hex)).raw(filler).finish())).toThrow(
        code('CODEC_TYPE'),
      );
    }
    expect(() => decodeTransaction(utf8('{"kind":1}'))).toThrow(code('CODEC_TYPE'));
  });
});

test('the size of an advert is a safe integer', () => {
  const advert = (size: bigint) => ({
    body: {
      kind: KIND_TRANSFER,
      validUntil: 1,
      salt: new Uint8Array(8),
      inputs: [{ address: new Uint8Array(32), amount: 1n }],
      outputs: [{ type: OUTPUT_ADVERT, tag: new Uint8Array(32), size, offer: new Uint8Array(0) }],
      fee: 1n,
      comment: undefined,
    } as const,
    signatures: [new Uint8Array(64)],
  });
  decodeTransaction(encodeTransaction(advert(2n ** 53n - 1n)));
  expect(() => decodeTransaction(encodeTransaction(advert(2n ** 53n)))).toThrow(
    expect.objectContaining({ code: 'CODEC_BOUNDS' }),
  );
});
