import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, toHex } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { Writer } from '../../src/codec/writer.ts';
import { FrameDecoder } from '../../src/p2p/framing.ts';
import { OFFENCES } from '../../src/p2p/offences.ts';
import {
  decodeHelloMessage,
  decodeToClient,
  decodeToServer,
  decodeVoteMessage,
  encodeCancel,
  encodeCertificate,
  encodeFailure,
  encodeHello,
  encodePartHeader,
  encodeRecords,
  encodeRequest,
  encodeVote,
  type Hello,
} from '../../src/p2p/wire.ts';
import { bytes } from './harness.ts';

function payloadOf(framed: Bytes): Bytes {
  const decoder = new FrameDecoder(1 << 24);
  decoder.push(framed);
  const payload = decoder.next();
  expect(decoder.buffered).toBe(0);
  return payload ?? bytes();
}

const hello: Hello = {
  version: 1,
  genesisHash: new Uint8Array(32).fill(1),
  instance: new Uint8Array(8).fill(2),
  own: bytes(3),
  records: [bytes(4), bytes(5, 6)],
};

describe('envelopes', () => {
  it('reads back what it writes', () => {
    expect(decodeHelloMessage(payloadOf(encodeHello(hello)))).toEqual({ type: 'hello', hello });
    expect(decodeHelloMessage(payloadOf(encodeHello({ ...hello, own: undefined })))).toMatchObject({
      hello: { own: undefined },
    });
    expect(decodeHelloMessage(payloadOf(encodeRecords([bytes(1)])))).toEqual({
      type: 'records',
      records: [bytes(1)],
    });
    expect(decodeVoteMessage(payloadOf(encodeVote(bytes(1, 2))))).toEqual({
      type: 'vote',
      body: bytes(1, 2),
    });
    expect(decodeVoteMessage(payloadOf(encodeCertificate(bytes(1))))).toEqual({
      type: 'certificate',
      body: bytes(1),
    });
    expect(decodeToServer(payloadOf(encodeRequest(0xffffffff, 3, 77, bytes(8))))).toEqual({
      type: 'request',
      id: 0xffffffff,
      method: 3,
      maxResponseBytes: 77,
      payload: bytes(8),
    });
    expect(decodeToServer(payloadOf(encodeCancel(9)))).toEqual({ type: 'cancel', id: 9 });
    expect(decodeToClient(payloadOf(concat(encodePartHeader(9, true, 2), bytes(7, 8))))).toEqual({
      type: 'part',
      id: 9,
      last: true,
      data: bytes(7, 8),
    });
    expect(decodeToClient(payloadOf(encodeFailure(9, 'NOT_FOUND', 'no such block')))).toEqual({
      type: 'failure',
      id: 9,
      code: 'NOT_FOUND',
      message: 'no such block',
    });
  });

  it('pins the bytes of one envelope of each kind', () => {
    expect(toHex(encodeHello({ ...hello, records: [] }))).toBe(
      `00000033019501c420${'01'.repeat(32)}c408${'02'.repeat(8)}c4010390`,
    );
    expect(toHex(encodeVote(bytes(0xaa)))).toBe('0000000201aa');
    expect(toHex(encodeRequest(2, 5, 1024, bytes(0xbb)))).toBe('0000000c0100000002000500000400bb');
    expect(toHex(encodePartHeader(2, true, 1))).toBe('00000007030000000201');
    expect(toHex(encodeFailure(2, 'BUSY', 'no'))).toBe('0000000c040000000204425553596e6f');
  });

  it('never lets an error carry a code that is none, or a message without end', () => {
    expect(decodeToClient(payloadOf(encodeFailure(1, 'not a code\u0000', 'x'.repeat(10_000))))).toMatchObject(
      {
        code: 'INTERNAL',
        message: 'x'.repeat(512),
      },
    );
  });

  it('tells another version from garbage', () => {
    const later = encodeHello({ ...hello, version: 2 });
    expect(() => decodeHelloMessage(payloadOf(later))).toThrow(
      expect.objectContaining({ code: 'CHAIN_MISMATCH' }),
    );
  });

  it.each([
    ['a hello of unknown type', decodeHelloMessage, bytes(3)],
    ['an empty hello', decodeHelloMessage, bytes(1)],
    ['a hello with something behind it', decodeHelloMessage, concat(payloadOf(encodeHello(hello)), bytes(0))],
    [
      'too many records',
      decodeHelloMessage,
      concat(bytes(2), new Writer().array(257).finish(), new Uint8Array(600)),
    ],
    ['a vote without a body', decodeVoteMessage, bytes(1)],
    ['a vote of unknown type', decodeVoteMessage, bytes(3, 3)],
    ['a request cut short', decodeToServer, bytes(1, 0, 0, 0, 1, 0, 1, 0, 0, 0)],
    ['a cancellation with something behind it', decodeToServer, bytes(2, 0, 0, 0, 1, 0)],
    ['a response sent to the server', decodeToServer, bytes(3, 0, 0, 0, 1, 1)],
    ['an empty part that is not the last', decodeToClient, bytes(3, 0, 0, 0, 1, 0)],
    ['a part with an unknown flag', decodeToClient, bytes(3, 0, 0, 0, 1, 2, 9)],
    [
      'a part that is too large',
      decodeToClient,
      concat(bytes(3, 0, 0, 0, 1, 1), new Uint8Array(1024 * 1024 + 1)),
    ],
    ['an error whose code is no code', decodeToClient, bytes(4, 0, 0, 0, 1, 1, 0x61)],
    ['an error cut short in its code', decodeToClient, bytes(4, 0, 0, 0, 1, 9)],
  ])('refuses %s with an offence', (_name, decode: (payload: Bytes) => unknown, payload) => {
    expect(() => decode(payload)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(HELLO|ENVELOPE)_INVALID$/) }),
    );
  });

  it('answers any bytes at all with a message or an offence', () => {
    const decoders = [decodeHelloMessage, decodeVoteMessage, decodeToServer, decodeToClient];
    const seeds = [encodeHello(hello), encodeRequest(1, 2, 3, bytes(4)), encodeFailure(1, 'BUSY', 'no')].map(
      payloadOf,
    );
    const mutated = fc
      .tuple(fc.constantFrom(...seeds), fc.nat(), fc.nat(255))
      .map(([seed, at, value]) => seed.with(at % seed.length, value));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 80 }), mutated), (payload) => {
        for (const decode of decoders) {
          try {
            decode(payload);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
            expect(Object.keys(OFFENCES)).toContain((error as ProtocolError).code);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
