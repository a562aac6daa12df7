import { describe, expect, it } from 'vitest';
import {
  certificateMatches,
  decodeBlock,
  joinBlock,
  LEAST_TRANSACTION_BYTES,
  makeBlock,
  maxEncodedBlock,
  parentCertificateHash,
} from '../../src/chain/block.ts';
import {
  decodeCompactProposal,
  encodeCompactProposal,
  matchShortIds,
  SHORT_ID_BYTES,
  shortIds,
} from '../../src/chain/compact.ts';
import {
  checkReservedFields,
  decodeHeader,
  encodeHeader,
  type Header,
  headerHash,
  NO_VRF_OUTPUT,
  NO_VRF_PROOF,
} from '../../src/chain/header.ts';
import { type Bytes, toHex } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { sha256, ZERO_HASH } from '../../src/codec/hash.ts';
import { encodeTransaction } from '../../src/tx/encode.ts';
import { KIND_TRANSFER } from '../../src/tx/types.ts';
import { named } from '../ledger/support.ts';

const HEADER: Header = {
  version: 1,
  parent: named('parent'),
  height: 7,
  epoch: 0,
  view: 9,
  parentView: 8,
  proposer: named('proposer'),
  time: 1_700_000_000_123,
  vrfOutput: NO_VRF_OUTPUT,
  vrfProof: NO_VRF_PROOF,
  transactionRoot: named('transactions'),
  parentCertificateHash: parentCertificateHash(named('certificate')),
  stateRoot: named('state'),
  validatorsHash: named('validators'),
  nextValidatorsHash: ZERO_HASH,
  epochHeadersRoot: named('headers'),
  mmrRoot: named('boundaries'),
};

const MAX = 1_000_000;
const bodies: Bytes[] = Array.from({ length: 5 }, (_, i) =>
  new Uint8Array(LEAST_TRANSACTION_BYTES + i).fill(i),
);
const BLOCK = makeBlock(HEADER, named('certificate'), bodies);

function refused(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isProtocolError(error)) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('header', () => {
  it('has an encoding and a hash that are pinned', () => {
    const bytes = encodeHeader(HEADER);
    expect(bytes.length).toMatchInlineSnapshot(`471`);
    expect(toHex(headerHash(bytes))).toMatchInlineSnapshot(
      `"c5f124d669a6b0b8465c732acf66cadc362857ec13c21e9b0096c4152f7f6a2c"`,
    );
    expect(decodeHeader(bytes)).toEqual(HEADER);
  });

  it('is refused with any byte flipped, or reads as another header', () => {
    const bytes = encodeHeader(HEADER);
    for (let i = 0; i < bytes.length; i++) {
      const copy = bytes.slice();
      copy[i]! ^= 0x01;
      try {
        expect(toHex(encodeHeader(decodeHeader(copy)))).toBe(toHex(copy));
      } catch (error) {
        expect(isProtocolError(error)).toBe(true);
      }
    }
  });

  it('is refused at every shorter length and with anything behind it', () => {
    const bytes = encodeHeader(HEADER);
    for (let n = 0; n < bytes.length; n++)
      expect(refused(() => decodeHeader(bytes.subarray(0, n)))).toMatch(/^CODEC_/);
    expect(refused(() => decodeHeader(Uint8Array.of(...bytes, 0)))).toBe('CODEC_TRAILING');
  });

  it('keeps the fields of later versions zero', () => {
    checkReservedFields(HEADER);
    for (const change of [
      { epoch: 1 },
      { vrfOutput: named('v') },
      { vrfProof: named('v') },
      { nextValidatorsHash: named('n') },
    ]) {
      expect(refused(() => checkReservedFields({ ...HEADER, ...change }))).toBe('HEADER_RESERVED');
    }
    expect(refused(() => decodeHeader(encodeHeader({ ...HEADER, version: 2 })))).toBe('HEADER_VERSION');
  });
});

describe('block', () => {
  it('splits into its parts and joins again', () => {
    const block = decodeBlock(BLOCK.bytes, MAX);
    expect(block.transactions).toEqual(bodies);
    expect(toHex(block.hash)).toBe(toHex(headerHash(encodeHeader(HEADER))));
    expect(toHex(joinBlock(block.headerBytes, block.parentCertificate, block.transactions).bytes)).toBe(
      toHex(BLOCK.bytes),
    );
    expect(certificateMatches(block.header, block.parentCertificate)).toBe(true);
    expect(certificateMatches(block.header, undefined)).toBe(false);
  });

  it('is refused at every shorter length', () => {
    for (let n = 0; n < BLOCK.bytes.length; n++) {
      expect(refused(() => decodeBlock(BLOCK.bytes.subarray(0, n), MAX))).toMatch(/^CODEC_/);
    }
  });

  it('is bounded before it is taken apart', () => {
    expect(refused(() => decodeBlock(new Uint8Array(maxEncodedBlock(1_000) + 1), 1_000))).toBe(
      'BLOCK_TOO_LARGE',
    );
    const large = makeBlock(HEADER, undefined, [new Uint8Array(600), new Uint8Array(600)]);
    expect(refused(() => decodeBlock(large.bytes, 1_100))).toBe('BLOCK_TOO_LARGE');
  });

  it('has room for the smallest transaction there is', () => {
    const smallest = encodeTransaction({
      body: {
        kind: KIND_TRANSFER,
        validUntil: 0,
        salt: new Uint8Array(8),
        inputs: [{ address: named('a'), amount: 1n }],
        outputs: [],
        fee: 1n,
        comment: undefined,
      },
      signatures: [new Uint8Array(64)],
    });
    expect(smallest.length).toBeGreaterThanOrEqual(LEAST_TRANSACTION_BYTES);
  });
});

describe('compact proposal', () => {
  const pool = bodies.map((bytes) => ({ bytes, wireHash: sha256(bytes) }));
  const ids = shortIds(
    BLOCK.hash,
    pool.map(({ wireHash }) => wireHash),
  );
  const proposal = {
    vote: named('vote'),
    headerBytes: BLOCK.headerBytes,
    parentCertificate: undefined,
    shortIds: ids,
  };

  it('reads back what was written, and only whole short ids', () => {
    const bytes = encodeCompactProposal(proposal);
    expect(decodeCompactProposal(bytes, MAX)).toEqual(proposal);
    for (let n = 0; n < bytes.length; n++)
      expect(refused(() => decodeCompactProposal(bytes.subarray(0, n), MAX))).toMatch(/^CODEC_/);
    const broken = encodeCompactProposal({ ...proposal, shortIds: ids.subarray(1) });
    expect(refused(() => decodeCompactProposal(broken, MAX))).toBe('PROPOSAL_SHAPE');
  });

  it('finds transactions in the pool in block order and says what is missing', () => {
    const shuffled = [pool[3]!, pool[0]!, pool[4]!, pool[1]!];
    expect(matchShortIds(BLOCK.hash, ids, shuffled)).toEqual([pool[0], pool[1], undefined, pool[3], pool[4]]);
    expect(matchShortIds(named('another block'), ids, shuffled).every((tx) => tx === undefined)).toBe(true);
    expect(matchShortIds(BLOCK.hash, new Uint8Array(0), shuffled)).toEqual([]);
    expect(matchShortIds(BLOCK.hash, ids, [])).toEqual(bodies.map(() => undefined));
  });

  it('takes two candidates for one short id as none', () => {
    const twin = { bytes: bodies[2]!, wireHash: pool[2]!.wireHash };
    expect(
      matchShortIds(BLOCK.hash, ids.subarray(2 * SHORT_ID_BYTES, 3 * SHORT_ID_BYTES), [pool[2]!, twin]),
    ).toEqual([undefined]);
  });
});
