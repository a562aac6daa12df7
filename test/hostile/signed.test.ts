/**
 * What is signed or hashed, with any byte changed: it is refused with a code, or it is provably something else (another id,
 * another hash, a copy that its header does not commit to). Never does other
 * bytes pass for the same thing.
 */
import { describe, expect, it } from 'vitest';
import { certificateMatches, decodeBlock } from '../../src/chain/block.ts';
import { decodeCompactProposal } from '../../src/chain/compact.ts';
import { genesisFromJson, genesisHash, genesisToJson } from '../../src/chain/genesis.ts';
import { headerHash } from '../../src/chain/header.ts';
import { type Bytes, equal, utf8 } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { decodeCertificate, encodeCertificate, verifyCertificate } from '../../src/consensus/certificate.ts';
import { decodeVote, encodeVote, verifyVote } from '../../src/consensus/vote.ts';
import { transactionRoot } from '../../src/ledger/merkle.ts';
import { selectVerifier } from '../../src/node/crypto/select.ts';
import { RecordStore } from '../../src/p2p/record.ts';
import { checkTransaction } from '../../src/tx/check.ts';
import { decodeTransaction } from '../../src/tx/decode.ts';
import { transactionId } from '../../src/tx/encode.ts';
import { GENESIS, PARAMETERS } from '../tx/golden.ts';
import { flipped, truncated } from './mutations.ts';
import {
  block,
  certificate,
  claims,
  compact,
  F,
  GENESIS_HASH,
  genesis,
  keys,
  MAX_BLOCK_BYTES,
  N,
  payment,
  proposal,
  set,
  signedRecord,
  transfer,
  vote,
  X,
} from './samples.ts';

const verifier = selectVerifier();

/** The code of a refusal; undefined when `take` returns. Anything but a `ProtocolError` is a bug and escapes. */
function refusal(take: () => unknown): string | undefined {
  try {
    take();
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

function everyChange(bytes: Bytes, judge: (changed: Bytes) => string): Record<string, number> {
  const tally: Record<string, number> = {};
  const note = (changed: Bytes): void => {
    const outcome = judge(changed);
    tally[outcome] = (tally[outcome] ?? 0) + 1;
  };
  for (const changed of flipped(bytes)) note(changed.bytes);
  for (const changed of truncated(bytes)) note(changed);
  return tally;
}

describe('a signed transaction with any byte changed', () => {
  it.each([
    ['a transfer with every kind of output', transfer.bytes, GENESIS],
    ['claims', claims.bytes, GENESIS],
    ['a payment', payment(1).bytes, GENESIS_HASH],
  ])('is refused: %s', (_, bytes, genesisHash) => {
    const context = { genesisHash, parameters: PARAMETERS, verifier };
    expect(refusal(() => checkTransaction(bytes, context))).toBeUndefined();
    const tally = everyChange(
      bytes,
      (changed) => refusal(() => checkTransaction(changed, context)) ?? 'accepted',
    );
    expect(tally.accepted).toBeUndefined();
    expect(tally.TX_SIGNATURE).toBeGreaterThan(200);
  });
});

describe('a vote with any byte changed', () => {
  it.each([
    ['N', N(proposal)],
    ['X', X(301)],
    ['F', F(proposal)],
  ] as const)('is nobody’s vote: %s', (_, subject) => {
    const bytes = encodeVote(vote(2, subject));
    const ok = (given: Bytes) => verifyVote(decodeVote(given, 4), set, GENESIS_HASH, verifier);
    expect(ok(bytes)).toBe(true);
    const tally = everyChange(bytes, (changed) => {
      let accepted = false;
      return (
        refusal(() => {
          accepted = ok(changed);
        }) ?? (accepted ? 'accepted' : 'unsigned')
      );
    });
    expect(tally.accepted).toBeUndefined();
    expect(tally.unsigned).toBeGreaterThan(100);
  });
});

describe('a certificate with any byte changed', () => {
  it.each([
    ['N', certificate(N(proposal))],
    ['X', certificate(X(301))],
    ['F by all', certificate(F(proposal), [0, 1, 2, 3])],
  ] as const)('proves nothing: %s', (_, given) => {
    const take = (bytes: Bytes) =>
      verifyCertificate(decodeCertificate(bytes, set), set, GENESIS_HASH, verifier);
    const bytes = encodeCertificate(given);
    expect(refusal(() => take(bytes))).toBeUndefined();
    const tally = everyChange(bytes, (changed) => refusal(() => take(changed)) ?? 'accepted');
    expect(tally.accepted).toBeUndefined();
    expect(tally.CERTIFICATE_SIGNATURE).toBeGreaterThan(300);
  });
});

describe('a block with any byte changed', () => {
  it('is refused, another block, or a copy that its header does not commit to', () => {
    const judge = (bytes: Bytes): string => {
      let outcome = 'accepted';
      const code = refusal(() => {
        const read = decodeBlock(bytes, MAX_BLOCK_BYTES);
        if (!equal(read.hash, block.hash)) outcome = 'another block';
        else if (!certificateMatches(read.header, read.parentCertificate)) outcome = 'bad copy: certificate';
        else {
          const leaves = read.transactions.map((tx) => ({
            id: transactionId(decodeTransaction(tx).bodyBytes),
            wireHash: sha256(tx),
          }));
          if (!equal(transactionRoot(leaves), read.header.transactionRoot)) outcome = 'bad copy: body';
        }
      });
      return code ?? outcome;
    };
    expect(judge(block.bytes)).toBe('accepted');
    const tally = everyChange(block.bytes, judge);
    expect(tally.accepted).toBeUndefined();
    for (const outcome of ['another block', 'bad copy: certificate', 'bad copy: body']) {
      expect(tally[outcome]).toBeGreaterThan(100);
    }
  });

  it('as a proposal, is not what its leader signed, or differs in hints alone', () => {
    const judge = (bytes: Bytes): string => {
      let outcome = 'accepted';
      const code = refusal(() => {
        const read = decodeCompactProposal(bytes, MAX_BLOCK_BYTES);
        const signed = decodeVote(read.vote, 4);
        if (!verifyVote(signed, set, GENESIS_HASH, verifier)) outcome = 'unsigned';
        else if (
          signed.subject.kind === 2 ||
          !equal(signed.subject.proposal.payload, headerHash(read.headerBytes))
        ) {
          outcome = 'another header';
        } else if (!equal(read.parentCertificate ?? utf8(''), block.parentCertificate!)) {
          outcome = 'bad copy: certificate';
        } else outcome = 'hints';
      });
      return code ?? outcome;
    };
    expect(judge(compact)).toBe('hints');
    const tally = everyChange(compact, judge);
    expect(tally.accepted).toBeUndefined();
    // Sixteen bytes of short ids, which the transaction root makes harmless (test/node/bodies.test.ts).
    expect(tally.hints).toBeLessThanOrEqual(16 * 8);
    expect(tally.unsigned).toBeGreaterThan(100);
    expect(tally['another header']).toBeGreaterThan(100);
  });
});

describe('a peer record with any byte changed', () => {
  it('is refused, or of a stranger', () => {
    const judge = (bytes: Bytes): string => {
      const store = new RecordStore(
        GENESIS_HASH,
        verifier,
        keys.map(({ publicKey }) => publicKey),
        () => 0,
      );
      let outcome = '';
      return (
        refusal(() => {
          outcome = store.offer(bytes).outcome;
        }) ?? outcome
      );
    };
    expect(judge(signedRecord)).toBe('new');
    const tally = everyChange(signedRecord, judge);
    expect(Object.keys(tally).sort()).toEqual(['RECORD_INVALID', 'stranger']);
  });
});

describe('a genesis file with any byte changed', () => {
  it('is refused, says the same, or is another chain', () => {
    const json = genesisToJson(genesis);
    const judge = (bytes: Bytes): string => {
      let outcome = '';
      const code = refusal(() => {
        const read = genesisFromJson(new TextDecoder().decode(bytes));
        const same = equal(genesisHash(read), GENESIS_HASH);
        // The hash is of what the file says, so the same hash with other words would be a collision.
        if (same !== (genesisToJson(read) === json)) throw new Error('two meanings have one hash');
        outcome = same ? 'the same' : 'another chain';
      });
      return code ?? outcome;
    };
    expect(judge(utf8(json))).toBe('the same');
    const tally = everyChange(utf8(json), judge);
    expect(Object.keys(tally).sort()).toEqual([
      'ADDRESS_INVALID',
      'GENESIS_INVALID',
      'another chain',
      'the same',
    ]);
  });
});
