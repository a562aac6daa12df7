/** Small committees and signed things for the tests of the consensus room. */
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { assembleCertificate } from '../../src/consensus/certificate.ts';
import {
  type Certificate,
  FINALIZE,
  NOTARIZE,
  NULLIFY,
  type Proposal,
  type Subject,
  type ValidatorSet,
  type Vote,
} from '../../src/consensus/types.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { voteMessage } from '../../src/consensus/vote.ts';
import { keyedHashScheme, type Scheme } from '../simulator/scheme.ts';

export const GENESIS_HASH: Bytes = sha256(utf8('a genesis'));

export interface Committee {
  readonly scheme: Scheme;
  readonly set: ValidatorSet;
  vote(signer: number, subject: Subject): Vote;
  certificate(subject: Subject, signers: readonly number[]): Certificate;
}

export function committee(stakes: readonly number[] = [1, 1, 1, 1], seed = 'leaders'): Committee {
  const scheme = keyedHashScheme(stakes.length, 'test');
  const validators = stakes.map((stake, index) => ({
    publicKey: scheme.keys[index]!.publicKey,
    stake: BigInt(stake),
  }));
  const set = createValidatorSet(0, sha256(utf8(seed)), validators);
  const vote = (signer: number, subject: Subject): Vote => ({
    subject,
    signer,
    signature: scheme.keys[signer]!.sign(voteMessage(GENESIS_HASH, subject)),
  });
  return {
    scheme,
    set,
    vote,
    certificate: (subject, signers) =>
      assembleCertificate(
        subject,
        new Map(signers.map((signer) => [signer, vote(signer, subject).signature])),
        set,
      ),
  };
}

export function proposal(view: number, parentView: number, name = 'block'): Proposal {
  return { epoch: 0, view, parentView, payload: sha256(utf8(`${name} ${view}`)) };
}

export const GENESIS: Proposal = proposal(0, 0, 'genesis');
export const N = (p: Proposal): Subject => ({ kind: NOTARIZE, proposal: p });
export const F = (p: Proposal): Subject => ({ kind: FINALIZE, proposal: p });
export const X = (view: number, epoch = 0): Subject => ({ kind: NULLIFY, epoch, view });
