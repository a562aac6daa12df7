import { describe, expect, it } from 'vitest';
import { encodeCertificate } from '../../src/consensus/certificate.ts';
import type { Certificate, Subject } from '../../src/consensus/types.ts';
import { encodeVote } from '../../src/consensus/vote.ts';
import { Oracle } from '../simulator/oracle.ts';
import { committee, F, GENESIS_HASH, N, proposal, X } from './support.ts';

const STAKES = [1, 1, 1, 1];
const members = committee(STAKES);

function oracle(guilty: readonly number[] = [], excess = false): Oracle {
  const publicKeys = members.set.validators.map(({ publicKey }) => publicKey);
  const { verifier } = members.scheme;
  return new Oracle(publicKeys, STAKES, GENESIS_HASH, verifier, { guilty: new Set(guilty), excess });
}

const vote = (signer: number, subject: Subject): Uint8Array => encodeVote(members.vote(signer, subject));
const certificate = (subject: Subject, ...signers: number[]): Uint8Array =>
  encodeCertificate(members.certificate(subject, signers));

describe('the oracle of the simulator', () => {
  const [one, other] = [proposal(5, 4), proposal(5, 4, 'another')];

  it('has nothing against what honest machines do', () => {
    const judge = oracle();
    for (let signer = 0; signer < 4; signer++) {
      judge.vote(signer, vote(signer, N(one)));
      judge.vote(signer, vote(signer, N(one)));
      judge.vote(signer, vote(signer, F(one)));
      judge.vote(signer, vote(signer, X(6)));
      judge.vote(signer, vote(signer, N(proposal(6, 5))));
    }
    judge.certificate(certificate(N(one), 0, 1, 2));
    judge.certificate(certificate(N(one), 1, 2, 3));
    judge.certificate(certificate(F(one), 0, 1, 2));
    judge.certificate(certificate(X(6), 0, 1, 2));
    judge.finish();
    expect(judge.violations).toEqual([]);
  });

  it.each([
    ['two N', [N(one), N(other)], 'validator 2 signed two N in view 5'],
    ['two N on two parents', [N(one), N({ ...one, parentView: 3 })], 'validator 2 signed two N in view 5'],
    ['two F', [F(one), F(other)], 'validator 2 signed two F in view 5'],
    ['F after X', [X(5), F(one)], 'validator 2 signed X and F in view 5'],
    ['X after F', [F(one), X(5)], 'validator 2 signed X and F in view 5'],
  ])('sees %s of an honest key', (_, subjects, violation) => {
    const judge = oracle();
    for (const subject of subjects) judge.vote(2, vote(2, subject));
    expect(judge.violations).toEqual([violation]);
    const dishonest = oracle([2]);
    for (const subject of subjects) dishonest.vote(2, vote(2, subject));
    expect(dishonest.violations).toEqual([]);
  });

  it('sees a vote in the name of another, and one with a wrong signature', () => {
    const judge = oracle();
    judge.vote(1, vote(2, X(5)));
    judge.vote(1, encodeVote({ ...members.vote(1, X(6)), subject: X(7) }));
    expect(judge.violations).toHaveLength(2);
  });

  it('sees certificates with too little stake, with wrong signatures, and those that exclude each other', () => {
    const whole = members.certificate(X(5), [0, 1, 2]);
    const thin: Certificate = {
      ...whole,
      signers: Uint8Array.of(3),
      signatures: whole.signatures.slice(0, 2),
    };
    const misplaced: Certificate = { ...whole, subject: X(6) };
    const judge = oracle();
    judge.certificate(encodeCertificate(thin));
    judge.certificate(encodeCertificate(misplaced));
    expect(judge.violations).toEqual([
      'X(5) is signed by 2 of 4',
      ...[0, 1, 2].map((signer) => `X(6) carries a wrong signature of ${signer}`),
    ]);
    const second = oracle([1, 2]);
    second.certificate(certificate(X(5), 0, 1, 2));
    second.certificate(certificate(F(one), 1, 2, 3));
    expect(second.violations).toEqual(['X and F certificates in view 5']);
    const third = oracle([1, 2]);
    third.certificate(certificate(N(one), 0, 1, 2));
    third.certificate(certificate(N(other), 1, 2, 3));
    expect(third.violations).toEqual(['two notarizations in view 5']);
  });

  it('sees two blocks at one height, another state, and a skipped view that nobody nullified', () => {
    const judge = oracle();
    judge.finalized('a', 1, proposal(1, 0), 'state');
    judge.finalized('b', 1, proposal(1, 0), 'another state');
    judge.finalized('a', 2, proposal(4, 1), 'state');
    judge.certificate(certificate(X(2), 0, 1, 2));
    judge.finish();
    expect(judge.violations).toEqual([
      'b finalised another block or state at height 1',
      'height 2 skips view 3, which nobody nullified',
    ]);
  });

  it('believes nobody who accuses without proof, or an honest validator', () => {
    const judge = oracle([3]);
    judge.accused('a', 3, [vote(3, N(one)), vote(3, N(other))]);
    expect(judge.violations).toEqual([]);
    judge.accused('a', 3, [vote(3, N(one)), vote(3, F(one))]);
    judge.accused('a', 3, [vote(3, X(5)), vote(2, F(one))]);
    judge.accused('a', 2, [vote(2, X(7)), vote(2, F(proposal(7, 5)))]);
    expect(judge.violations).toEqual([
      'a accuses 3 with votes that go together',
      'a accuses 3 with a signature that is not its own',
      'a holds evidence against honest 2',
      'validator 2 signed X and F in view 7',
    ]);
  });

  it('asks for evidence against more than a third where safety was broken', () => {
    const found = oracle([2, 3], true);
    found.certificate(certificate(F(one), 0, 2, 3));
    found.certificate(certificate(F(other), 1, 2, 3));
    found.finish();
    expect(found.violations).toEqual([]);
    expect(found.breaches).toBeGreaterThan(0);
    const missing = oracle([2, 3], true);
    missing.finalized('a', 1, one, 'state');
    missing.finalized('b', 1, other, 'state');
    missing.finish();
    expect(missing.violations).toEqual(['safety was broken and the evidence weighs 0 of 4']);
  });
});
