/** The worked examples of docs/protocol.md, byte by byte, with real Ed25519. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, toHex, u64, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { assembleCertificate, certificateHash, encodeCertificate } from '../../src/consensus/certificate.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import {
  createValidatorSet,
  encodeValidatorSet,
  validatorSetHash,
} from '../../src/consensus/validator-set.ts';
import { encodeVote, voteMessage } from '../../src/consensus/vote.ts';
import { F, N, X } from './support.ts';

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const keys = [1, 2, 3].map((fill) => {
  const der = Buffer.concat([PKCS8_PREFIX, new Uint8Array(32).fill(fill)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  return {
    publicKey: new Uint8Array(Buffer.from(x ?? '', 'base64url')),
    sign: (message: Bytes) => new Uint8Array(sign(null, message, key)),
  };
});
const genesisHash = new Uint8Array(32).fill(0x6e);
const set = createValidatorSet(
  0,
  new Uint8Array(32).fill(0x5e),
  [500_000n, 300_000n, 200_000n].map((stake, index) => ({ publicKey: keys[index]!.publicKey, stake })),
);
const payload = 'b1'.repeat(32);
const proposal = { epoch: 0, view: 300, parentView: 299, payload: new Uint8Array(32).fill(0xb1) };
const GENESIS = '6e'.repeat(32);
const TAG = toHex(utf8('kryder/vote/1'));
const [VIEW, PARENT] = ['000000000000012c', '000000000000012b'];

describe('worked examples', () => {
  it('of the validator set', () => {
    expect(toHex(encodeValidatorSet(set))).toBe(
      `9300c420${'5e'.repeat(32)}93` +
        '92c4208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5cce0007a120' +
        '92c4208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394ce000493e0' +
        '92c420ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1ce00030d40',
    );
    expect(toHex(validatorSetHash(set))).toBe(
      'c39b5466ef649753f493bb5c3a9ec9cc81ad8861e18092676c6fc767e0cb3663',
    );
  });

  it.each([
    {
      name: 'N',
      subject: N(proposal),
      preimage: `${TAG}${GENESIS}${'0'.repeat(16)}01${VIEW}${PARENT}${payload}`,
      vote: `970100cd012ccd012bc420${payload}01c44034597e6cab1811f43ed0538f9660809faec236d0b0f489c1522e2105dd1699db1ffc56640f8ccb2bb14a8ecf5d0f180f0e03d54a79469a587bc1ce0db27afb0b`,
      certificate: `970100cd012ccd012bc420${payload}c40103c4800313813a79e8337ec83e10de265dcc952d49d6b4acdef031b1947a6e5068272f05b1a5db3eba7ac5c72f49c76db8b41eecfe5ea43d177e1f479aa836b27e630834597e6cab1811f43ed0538f9660809faec236d0b0f489c1522e2105dd1699db1ffc56640f8ccb2bb14a8ecf5d0f180f0e03d54a79469a587bc1ce0db27afb0b`,
      hash: 'bdb1740aa63c4eab79728d1fc1835ee02bea9da00cb53d6d1d6a57343782dd18',
    },
    {
      name: 'X',
      subject: X(300),
      preimage: `${TAG}${GENESIS}${'0'.repeat(16)}02${VIEW}`,
      vote: '950200cd012c01c4401d9b28e70393b0c5735e29a6c986d01429e2738a0133473ddba263a23a57277fd10dbeb0da7e6397a1c56b56b9a1b10a5b87776c1b4d00dbc1163916787cdf03',
      certificate:
        '950200cd012cc40103c48036e9733c399355de588163ffb0da83c5a0f582948f31023282e3aa5e972d342a31b79126999890f0c7e318f7fbb9e6fb9a3a53ac1bb6a8cd10a756b7ea082a051d9b28e70393b0c5735e29a6c986d01429e2738a0133473ddba263a23a57277fd10dbeb0da7e6397a1c56b56b9a1b10a5b87776c1b4d00dbc1163916787cdf03',
      hash: 'c086192119dbadea3b2755a290c4c0e85034428557b02792de4f0df89cf2284b',
    },
    {
      name: 'F',
      subject: F(proposal),
      preimage: `${TAG}${GENESIS}${'0'.repeat(16)}03${VIEW}${PARENT}${payload}`,
      vote: `970300cd012ccd012bc420${payload}01c440ba79f195eba0da0cf9e3d7732a4fbf7c9b4afc59c5f50dcde59ee94d572f323e0ea5bd88262fac5acecf94cc3fa2b95eb8b8411702d2fc609f935958b701730b`,
      certificate: `970300cd012ccd012bc420${payload}c40103c480bb82748efcdf54c306586bb681b2d33172ddf8e48156769e610559e718a1e0278341982ec702185016a2acb1177ab5d5770b6cca2e90fd917d2c3b1f58d4a50fba79f195eba0da0cf9e3d7732a4fbf7c9b4afc59c5f50dcde59ee94d572f323e0ea5bd88262fac5acecf94cc3fa2b95eb8b8411702d2fc609f935958b701730b`,
      hash: '38fecdd79831ecf2bea7f007d270d102f9e4c173fd49cf81875e1834eaebee7f',
    },
  ])('of $name', ({ subject, preimage, vote, certificate, hash }) => {
    const message = voteMessage(genesisHash, subject);
    expect(toHex(message)).toBe(preimage);
    const signatures = keys.map((key) => key.sign(message));
    expect(toHex(encodeVote({ subject, signer: 1, signature: signatures[1]! }))).toBe(vote);
    const made = assembleCertificate(
      subject,
      new Map([0, 1].map((signer) => [signer, signatures[signer]!])),
      set,
    );
    expect(toHex(encodeCertificate(made))).toBe(certificate);
    expect(toHex(certificateHash(made))).toBe(hash);
  });

  it('of the leaders', () => {
    const first = sha256(utf8('kryder/leader/1'), set.seed, concat(u64(1), u64(0)));
    expect(toHex(first)).toBe('4f3acb74b2b9a80c1dc8abd67bb0a38e918b3e7191924f758e1d46bc93a5a5ed');
    const views = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2 ** 40];
    expect(views.map((view) => leaderOf(set, view))).toEqual([1, 0, 1, 0, 1, 2, 0, 0, 0, 0, 2]);
  });
});
