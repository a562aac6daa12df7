import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, toHex, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { Writer } from '../../src/codec/writer.ts';
import {
  assembleCertificate,
  certificateHash,
  decodeCertificate,
  encodeCertificate,
  signersOf,
  verifyCertificate,
} from '../../src/consensus/certificate.ts';
import { FINALIZE, NOTARIZE, NULLIFY, type Subject, type Vote } from '../../src/consensus/types.ts';
import {
  createValidatorSet,
  decodeValidatorSet,
  encodeValidatorSet,
  hasQuorum,
  indexOfKey,
  MAX_TOTAL_STAKE,
  validatorSetHash,
} from '../../src/consensus/validator-set.ts';
import {
  decodeVote,
  encodeVote,
  MAX_VIEW,
  sameSubject,
  verifyVote,
  voteMessage,
} from '../../src/consensus/vote.ts';
import { committee, F, GENESIS_HASH, N, proposal, X } from './support.ts';

const { set, vote, certificate, scheme } = committee([4, 3, 2, 1, 1]);
const bytes = (length: number): fc.Arbitrary<Bytes> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const view = fc.integer({ min: 1, max: MAX_VIEW });
const subject: fc.Arbitrary<Subject> = fc.oneof(
  fc
    .record({ epoch: fc.nat(), view, parentView: fc.integer({ min: 0, max: MAX_VIEW }), payload: bytes(32) })
    .chain((p) => fc.constantFrom<Subject>({ kind: NOTARIZE, proposal: p }, { kind: FINALIZE, proposal: p })),
  fc.record({ kind: fc.constant(NULLIFY), epoch: fc.nat(), view }),
);
const anyVote: fc.Arbitrary<Vote> = fc.record({
  subject,
  signer: fc.integer({ min: 0, max: 4 }),
  signature: bytes(64),
});
const code = (value: string): unknown => expect.objectContaining({ code: value });

describe('votes', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(anyVote, (original) => {
        const read = decodeVote(encodeVote(original), 5);
        expect(sameSubject(read.subject, original.subject)).toBe(true);
        expect([read.signer, toHex(read.signature)]).toEqual([original.signer, toHex(original.signature)]);
      }),
    );
  });

  it('are refused when any byte is missing or added', () => {
    for (const original of [vote(1, N(proposal(7, 5))), vote(2, X(300))]) {
      const encoded = encodeVote(original);
      for (let length = 0; length < encoded.length; length++) {
        expect(() => decodeVote(encoded.subarray(0, length), 5)).toThrow(code('CODEC_TRUNCATED'));
      }
      expect(() => decodeVote(concat(encoded, Uint8Array.of(0)), 5)).toThrow(code('CODEC_TRAILING'));
    }
  });

  it('never read as two different things, and never crash the reader', () => {
    fc.assert(
      fc.property(anyVote, fc.nat(), fc.integer({ min: 1, max: 255 }), (original, where, flip) => {
        const encoded = encodeVote(original);
        encoded[where % encoded.length]! ^= flip;
        try {
          expect(toHex(encodeVote(decodeVote(encoded, 5)))).toBe(toHex(encoded));
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^CODEC_/);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are bounded by the set, by the first view and by the last', () => {
    const raw = (kind: number, epoch: number, at: number, signer: number): Bytes =>
      new Writer().array(5).uint(kind).uint(epoch).uint(at).uint(signer).bin(new Uint8Array(64)).finish();
    expect(decodeVote(raw(NULLIFY, 0, 1, 4), 5).signer).toBe(4);
    expect(() => decodeVote(raw(NULLIFY, 0, 1, 5), 5)).toThrow(code('CODEC_BOUNDS'));
    expect(() => decodeVote(raw(NULLIFY, 0, 0, 0), 5)).toThrow(code('CODEC_BOUNDS'));
    expect(() => decodeVote(raw(NULLIFY, 0, MAX_VIEW + 1, 0), 5)).toThrow(code('CODEC_BOUNDS'));
    expect(() => decodeVote(raw(NOTARIZE, 0, 1, 0), 5)).toThrow(code('CODEC_BOUNDS'));
    expect(() => decodeVote(raw(0, 0, 1, 0), 5)).toThrow(code('CODEC_BOUNDS'));
    expect(() => decodeVote(raw(4, 0, 1, 0), 5)).toThrow(code('CODEC_BOUNDS'));
  });

  it('sign their kind, chain and subject', () => {
    const original = vote(0, N(proposal(7, 5)));
    expect(verifyVote(original, set, GENESIS_HASH, scheme.verifier)).toBe(true);
    const others: Vote[] = [
      { ...original, signer: 1 },
      { ...original, subject: F(proposal(7, 5)) },
      { ...original, subject: N(proposal(7, 6)) },
      { ...original, subject: N(proposal(8, 5)) },
      { ...original, subject: N(proposal(7, 5, 'other')) },
      { ...original, subject: N({ ...proposal(7, 5), epoch: 1 }) },
      { ...original, signer: 9 },
    ];
    for (const other of others) expect(verifyVote(other, set, GENESIS_HASH, scheme.verifier)).toBe(false);
    expect(verifyVote(original, set, sha256(utf8('another chain')), scheme.verifier)).toBe(false);
  });

  it('have preimages that no other subject has', () => {
    fc.assert(
      fc.property(subject, subject, (a, b) => {
        fc.pre(!sameSubject(a, b));
        expect(toHex(voteMessage(GENESIS_HASH, a))).not.toBe(toHex(voteMessage(GENESIS_HASH, b)));
      }),
    );
  });
});

describe('certificates', () => {
  const subjects: Subject[] = [N(proposal(7, 5)), X(300), F(proposal(2 ** 40, 5))];

  it('are read back as they were written, and verify', () => {
    for (const one of subjects) {
      for (const signers of [
        [0, 1, 2],
        [0, 1, 2, 3, 4],
        [0, 1, 3],
      ]) {
        const original = certificate(one, signers);
        const read = decodeCertificate(encodeCertificate(original), set);
        expect(signersOf(read)).toEqual(signers);
        expect(toHex(certificateHash(read))).toBe(toHex(certificateHash(original)));
        verifyCertificate(read, set, GENESIS_HASH, scheme.verifier);
      }
    }
  });

  it('need more than two thirds of the stake, not of the heads', () => {
    // 4 + 3 of 11 is not enough, 4 + 3 + 1 is (24 > 22); 3 + 2 + 1 + 1 are four of five heads and only 7 of 11.
    expect(() => certificate(X(1), [0, 1])).toThrow(code('CERTIFICATE_QUORUM'));
    expect(() => certificate(X(1), [1, 2, 3, 4])).toThrow(code('CERTIFICATE_QUORUM'));
    expect(signersOf(certificate(X(1), [0, 1, 4]))).toEqual([0, 1, 4]);
  });

  const patched = (change: (encoded: Bytes) => Bytes): (() => unknown) => {
    const encoded = encodeCertificate(certificate(X(1), [0, 1, 2]));
    return () => decodeCertificate(change(encoded), set);
  };
  // 95 02 00 01 c4 01 <bitmap> c4 c0 <192 bytes>
  const BITMAP_AT = 6;

  it('are refused for a malformed bitmap, before any signature is looked at', () => {
    const withBitmap = (bitmap: number) =>
      patched((encoded) => {
        const changed = encoded.slice();
        changed[BITMAP_AT] = bitmap;
        return changed;
      });
    expect(patched((encoded) => encoded)).not.toThrow();
    expect(withBitmap(0b0010_0011)).toThrow(code('CERTIFICATE_SIGNERS'));
    expect(withBitmap(0b1000_0111)).toThrow(code('CERTIFICATE_SIGNERS'));
    expect(withBitmap(0b0000_1111)).toThrow(code('CERTIFICATE_SIGNATURES'));
    expect(withBitmap(0b0000_0011)).toThrow(code('CERTIFICATE_SIGNATURES'));
    expect(withBitmap(0b0001_1100)).toThrow(code('CERTIFICATE_QUORUM'));
  });

  it('are refused for bitmaps and signatures of another length', () => {
    const raw = (bitmap: Bytes, signatures: Bytes): (() => unknown) => {
      const writer = new Writer().array(5).uint(NULLIFY).uint(0).uint(1).bin(bitmap).bin(signatures);
      return () => decodeCertificate(writer.finish(), set);
    };
    expect(raw(Uint8Array.of(7, 0), new Uint8Array(192))).toThrow(code('CODEC_BOUNDS'));
    expect(raw(Uint8Array.of(), new Uint8Array(192))).toThrow(code('CODEC_BOUNDS'));
    expect(raw(Uint8Array.of(7), new Uint8Array(191))).toThrow(code('CERTIFICATE_SIGNATURES'));
    expect(raw(Uint8Array.of(7), new Uint8Array(64 * 6))).toThrow(code('CODEC_BOUNDS'));
    expect(raw(Uint8Array.of(0), new Uint8Array(0))).toThrow(code('CODEC_BOUNDS'));
  });

  it('do not allocate from a declared length', () => {
    const declared = Uint8Array.of(0x95, NULLIFY, 0, 1, 0xc4, 1, 7, 0xc6, 0xff, 0xff, 0xff, 0xff);
    expect(() => decodeCertificate(declared, set)).toThrow(code('CODEC_BOUNDS'));
  });

  it('are refused for one wrong signature, another chain, another epoch or an impossible parent', () => {
    const original = certificate(N(proposal(7, 5)), [0, 1, 2]);
    const check = (changed: Partial<typeof original>, genesis = GENESIS_HASH): (() => void) => {
      return () => verifyCertificate({ ...original, ...changed }, set, genesis, scheme.verifier);
    };
    expect(check({})).not.toThrow();
    const [a, b, c] = original.signatures;
    expect(check({ signatures: [a!, c!, b!] })).toThrow(code('CERTIFICATE_SIGNATURE'));
    expect(check({ signatures: [a!, b!] })).toThrow(code('CERTIFICATE_SIGNATURES'));
    expect(check({}, sha256(utf8('another')))).toThrow(code('CERTIFICATE_SIGNATURE'));
    expect(check({ subject: N({ ...proposal(7, 5), epoch: 1 }) })).toThrow(code('CERTIFICATE_EPOCH'));
    expect(check({ subject: N(proposal(7, 7)) })).toThrow(code('CERTIFICATE_PARENT'));
    expect(check({ subject: F(proposal(7, 5)) })).toThrow(code('CERTIFICATE_SIGNATURE'));
  });

  it('skip only signatures that are known byte for byte', () => {
    const original = certificate(X(4), [0, 1, 2]);
    let verified = 0;
    const counting = {
      name: 'counting',
      verify: (...args: Parameters<typeof scheme.verifier.verify>): boolean => {
        verified++;
        return scheme.verifier.verify(...args);
      },
    };
    verifyCertificate(original, set, GENESIS_HASH, counting, (signer) => vote(signer, X(4)).signature);
    expect(verified).toBe(0);
    verifyCertificate(original, set, GENESIS_HASH, counting, () => vote(0, X(5)).signature);
    expect(verified).toBe(3);
  });
});

describe('validator sets', () => {
  const key = (name: string): Bytes => sha256(utf8(name));
  const seed = key('seed');

  it('are read back as they were written', () => {
    const read = decodeValidatorSet(encodeValidatorSet(set));
    expect(toHex(validatorSetHash(read))).toBe(toHex(validatorSetHash(set)));
    expect(read.totalStake).toBe(11n);
    expect(indexOfKey(read, set.validators[3]!.publicKey)).toBe(3);
    expect(indexOfKey(read, key('stranger'))).toBeUndefined();
  });

  it('are refused when anything is out of bounds', () => {
    const one = { publicKey: key('a'), stake: 1n };
    expect(() => createValidatorSet(0, seed, [])).toThrow(code('VALIDATOR_SET_SIZE'));
    expect(() => createValidatorSet(0, seed, [one, one])).toThrow(code('VALIDATOR_SET_DUPLICATE'));
    expect(() => createValidatorSet(0, seed, [{ ...one, stake: 0n }])).toThrow(code('VALIDATOR_SET_STAKE'));
    expect(() => createValidatorSet(0, seed.subarray(1), [one])).toThrow(code('VALIDATOR_SET_SEED'));
    expect(() => createValidatorSet(-1, seed, [one])).toThrow(code('VALIDATOR_SET_EPOCH'));
    expect(() => createValidatorSet(0, seed, [{ ...one, publicKey: seed.subarray(1) }])).toThrow(
      code('VALIDATOR_SET_KEY'),
    );
    const many = Array.from({ length: 1_025 }, (_, i) => ({ publicKey: key(`${i}`), stake: 1n }));
    expect(() => createValidatorSet(0, seed, many)).toThrow(code('VALIDATOR_SET_SIZE'));
    expect(createValidatorSet(0, seed, many.slice(1)).totalStake).toBe(1_024n);
    const huge = { publicKey: key('b'), stake: MAX_TOTAL_STAKE };
    expect(createValidatorSet(0, seed, [huge]).totalStake).toBe(MAX_TOTAL_STAKE);
    expect(() => createValidatorSet(0, seed, [huge, one])).toThrow(code('VALIDATOR_SET_STAKE'));
  });

  it('have a quorum of strictly more than two thirds', () => {
    for (const [stake, total, quorum] of [
      [2n, 3n, false],
      [3n, 3n, true],
      [3n, 4n, true],
      [66n, 99n, false],
      [67n, 99n, true],
      [MAX_TOTAL_STAKE, MAX_TOTAL_STAKE, true],
    ] as const) {
      expect(hasQuorum(stake, total)).toBe(quorum);
    }
  });
});

describe('golden encodings', () => {
  it('do not change', () => {
    // Signatures of their own: those of the simulator's scheme may become others.
    const signature = (signer: number, of: Subject): Bytes => {
      const digest = sha256(sha256(utf8(`test/${signer}`)), voteMessage(GENESIS_HASH, of));
      return concat(digest, digest);
    };
    const signed = (signer: number, of: Subject): Bytes =>
      encodeVote({ subject: of, signer, signature: signature(signer, of) });
    const certified = (of: Subject, signers: readonly number[]): Bytes => {
      const signatures = new Map(signers.map((signer) => [signer, signature(signer, of)]));
      return encodeCertificate(assembleCertificate(of, signatures, set));
    };
    const golden = [
      signed(1, N(proposal(7, 5))),
      signed(2, X(300)),
      signed(0, F(proposal(70_000, 69_999))),
      certified(N(proposal(7, 5)), [0, 1, 2]),
      certified(X(300), [0, 1, 4]),
      certified(F(proposal(7, 5)), [0, 1, 2, 3, 4]),
      encodeValidatorSet(set),
      voteMessage(GENESIS_HASH, N(proposal(7, 5))),
      voteMessage(GENESIS_HASH, X(300)),
    ].map((encoded) => toHex(sha256(encoded)).slice(0, 16));
    expect(golden).toMatchInlineSnapshot(`
      [
        "d5f3f82d6ee81a66",
        "1eb96dd9a0cd3fb4",
        "06221720c844553a",
        "b0d9d5969c824dcf",
        "76beb51b7d82b50c",
        "b3c73e60d6008b97",
        "b610e6b8c98a8f44",
        "cf945c60224bfaa2",
        "6c03ebbb7cdbfac5",
      ]
    `);
  });
});
