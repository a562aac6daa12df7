/** One corrupted block a rule: each is refused with the code of exactly that rule. */
import { describe, expect, it } from 'vitest';
import { parentCertificateHash } from '../../src/chain/block.ts';
import type { Header } from '../../src/chain/header.ts';
import {
  checkHeader,
  checkParentCertificate,
  checkProposal,
  type ParentLink,
  proposalOf,
} from '../../src/chain/rules.ts';
import type { Bytes } from '../../src/codec/bytes.ts';
import { assembleCertificate, encodeCertificate } from '../../src/consensus/certificate.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { FINALIZE, NOTARIZE, NULLIFY, type Subject } from '../../src/consensus/types.ts';
import { createValidatorSet, validatorSetHash } from '../../src/consensus/validator-set.ts';
import { voteMessage } from '../../src/consensus/vote.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import { codeOf, named } from '../ledger/support.ts';
import { EXAMPLE_HEADER } from './examples.ts';

const GENESIS = named('genesis');
const verifier = selectVerifier();
const keys = [1, 2, 3, 4].map((i) => selectSigningKeys()(named(`validator ${i}`)));
const set = createValidatorSet(
  0,
  named('seed'),
  keys.map(({ publicKey }) => ({ publicKey, stake: 10n })),
);
const PARENT: ParentLink = { hash: named('parent'), height: 6, view: 8, time: 1_700_000_000_000 };
const parentProposal = { epoch: 0, view: 8, parentView: 7, payload: PARENT.hash };

function certificate(subject: Subject, signers = [0, 1, 2], genesis = GENESIS): Bytes {
  const message = voteMessage(genesis, subject);
  const signatures = new Map(signers.map((i) => [i, keys[i]!.sign(message)]));
  return encodeCertificate(assembleCertificate(subject, signatures, set));
}

const GOOD_CERTIFICATE = certificate({ kind: NOTARIZE, proposal: parentProposal });
const GOOD: Header = {
  ...EXAMPLE_HEADER,
  parent: PARENT.hash,
  proposer: set.validators[leaderOf(set, 9)]!.publicKey,
  validatorsHash: validatorSetHash(set),
  parentCertificateHash: parentCertificateHash(GOOD_CERTIFICATE),
};
const stranger = set.validators[(leaderOf(set, 9) + 1) % 4]!.publicKey;
const judge = (change: Partial<Header>, parent = PARENT): string =>
  codeOf(() => checkHeader({ ...GOOD, ...change }, parent, set, validatorSetHash(set)));

describe('a header', () => {
  it('is accepted as it should be', () => expect(judge({})).toBe('ok'));

  it.each<[string, Partial<Header>, string]>([
    ['of another epoch', { epoch: 1 }, 'HEADER_RESERVED'],
    ['with a VRF output', { vrfOutput: new Uint8Array(64).fill(1) }, 'HEADER_RESERVED'],
    ['with a VRF proof', { vrfProof: new Uint8Array(80).fill(1) }, 'HEADER_RESERVED'],
    ['with a next validator set', { nextValidatorsHash: named('next') }, 'HEADER_RESERVED'],
    ['on another parent', { parent: named('other') }, 'BLOCK_PARENT'],
    ['that skips a height', { height: 8 }, 'BLOCK_HEIGHT'],
    ['of its parent’s height', { height: 6 }, 'BLOCK_HEIGHT'],
    ['of its parent’s view', { view: 8 }, 'BLOCK_VIEW'],
    ['that names another parent view', { parentView: 7 }, 'BLOCK_VIEW'],
    ['of a validator that does not lead', { proposer: stranger }, 'BLOCK_LEADER'],
    ['of nobody', { proposer: named('nobody') }, 'BLOCK_LEADER'],
    ['at its parent’s time', { time: PARENT.time }, 'BLOCK_TIME'],
    ['before its parent', { time: PARENT.time - 1 }, 'BLOCK_TIME'],
    ['after the end of the calendar', { time: 8_640_000_000_000_001 }, 'BLOCK_TIME'],
    ['of another validator set', { validatorsHash: named('others') }, 'BLOCK_VALIDATORS'],
  ])('%s is refused', (_, change, code) => expect(judge(change)).toBe(code));

  it('one millisecond after its parent, and at the end of the calendar, is accepted', () => {
    expect(judge({ time: PARENT.time + 1 })).toBe('ok');
    expect(judge({ time: 8_640_000_000_000_000 })).toBe('ok');
  });
});

describe('a proposal', () => {
  const hash = named('hash');
  const proposal = proposalOf(GOOD, hash);
  const of = (change: object): string => codeOf(() => checkProposal(GOOD, hash, { ...proposal, ...change }));

  it('is the one of its header in every field', () => {
    expect(of({})).toBe('ok');
    for (const change of [{ payload: named('x') }, { epoch: 1 }, { view: 10 }, { parentView: 7 }]) {
      expect(of(change)).toBe('BLOCK_PROPOSAL');
    }
  });
});

describe('the certificate of the parent', () => {
  const check = (bytes: Bytes | undefined, header: Partial<Header> = {}): string => {
    const committed = { ...GOOD, parentCertificateHash: parentCertificateHash(bytes), ...header };
    return codeOf(() => checkParentCertificate(committed, bytes, set, GENESIS, verifier));
  };
  const BAD = 'BLOCK_PARENT_CERTIFICATE';

  it('is accepted as it should be', () => expect(check(GOOD_CERTIFICATE)).toBe('ok'));

  it('that the header does not commit to is a bad copy, not an invalid block', () => {
    const other = certificate({ kind: NOTARIZE, proposal: parentProposal }, [0, 1, 3]);
    expect(check(other, { parentCertificateHash: GOOD.parentCertificateHash })).toBe('BLOCK_COPY');
    expect(check(undefined, { parentCertificateHash: GOOD.parentCertificateHash })).toBe('BLOCK_COPY');
  });

  it.each<[string, Bytes | undefined]>([
    ['that is missing', undefined],
    ['that is junk', named('junk')],
    ['of finalization', certificate({ kind: FINALIZE, proposal: parentProposal })],
    ['of nullification', certificate({ kind: NULLIFY, epoch: 0, view: 8 })],
    [
      'of another block',
      certificate({ kind: NOTARIZE, proposal: { ...parentProposal, payload: named('x') } }),
    ],
    ['of another view', certificate({ kind: NOTARIZE, proposal: { ...parentProposal, view: 9 } })],
    [
      'of another chain',
      certificate({ kind: NOTARIZE, proposal: parentProposal }, [0, 1, 2], named('other chain')),
    ],
  ])('%s is refused', (_, bytes) => expect(check(bytes)).toBe(BAD));

  it('is not there at height 1, and nowhere else', () => {
    const first = { height: 1, parentView: 0 };
    expect(check(undefined, first)).toBe('ok');
    expect(check(GOOD_CERTIFICATE, first)).toBe(BAD);
    expect(check(undefined, { height: 1, parentView: 3 })).toBe(BAD);
  });
});
