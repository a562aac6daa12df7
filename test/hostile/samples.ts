/**
 * One honest example of everything that comes from outside, signed with real keys: what the tests of this room
 * break. Four validators of equal stake, the transactions of docs/protocol.md, a block that holds them.
 */
import { makeBlock, parentCertificateHash } from '../../src/chain/block.ts';
import { encodeCompactProposal, shortIds } from '../../src/chain/compact.ts';
import { DEVNET_PARAMETERS, type Genesis, genesisHash } from '../../src/chain/genesis.ts';
import { type Header, headerHash, NO_VRF_OUTPUT, NO_VRF_PROOF } from '../../src/chain/header.ts';
import { type Bytes, toHex } from '../../src/codec/bytes.ts';
import { sha256, ZERO_HASH } from '../../src/codec/hash.ts';
import { assembleCertificate, encodeCertificate } from '../../src/consensus/certificate.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import {
  type Certificate,
  FINALIZE,
  NOTARIZE,
  NULLIFY,
  type Proposal,
  type Subject,
  type Vote,
} from '../../src/consensus/types.ts';
import { createValidatorSet, validatorSetHash } from '../../src/consensus/validator-set.ts';
import { encodeVote, voteMessage } from '../../src/consensus/vote.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { transactionRoot } from '../../src/ledger/merkle.ts';
import { peerIdOfSeed } from '../../src/p2p/host.ts';
import { type PeerRecord, signRecord } from '../../src/p2p/record.ts';
import { signTransaction } from '../../src/tx/build.ts';
import { KIND_TRANSFER, OUTPUT_PAY } from '../../src/tx/types.ts';
import { filled, goldenClaims, goldenTransfer, owner, steward } from '../tx/golden.ts';

export const keys = [0x71, 0x72, 0x73, 0x74].map((byte) => signingKey(filled(byte)));

export const genesis: Genesis = {
  name: 'hostile',
  time: 1_700_000_000_000,
  parameters: DEVNET_PARAMETERS,
  accounts: [
    { address: owner.publicKey, amount: 1_000_000_000n },
    { address: steward.publicKey, amount: 70_000_000n },
  ],
  validators: keys.map(({ publicKey }) => ({ publicKey, stake: 1_000_000n })),
  seed: filled(0x5e),
};

export const GENESIS_HASH: Bytes = genesisHash(genesis);
export const MAX_BLOCK_BYTES = genesis.parameters.maxBlockBytes;
export const set = createValidatorSet(0, genesis.seed, genesis.validators);

export const N = (proposal: Proposal): Subject => ({ kind: NOTARIZE, proposal });
export const X = (view: number): Subject => ({ kind: NULLIFY, epoch: 0, view });
export const F = (proposal: Proposal): Subject => ({ kind: FINALIZE, proposal });

/** Everything that was ever signed with `vote`, and the payments that were, in hex: nothing else can be genuine. */
export const cast: { readonly signer: number; readonly subject: Subject }[] = [];
export const paid = new Set<string>();

export function vote(signer: number, subject: Subject): Vote {
  cast.push({ signer, subject });
  return { subject, signer, signature: keys[signer]!.sign(voteMessage(GENESIS_HASH, subject)) };
}

export function certificate(subject: Subject, signers: readonly number[] = [0, 1, 3]): Certificate {
  const signatures = new Map(signers.map((signer) => [signer, vote(signer, subject).signature]));
  return assembleCertificate(subject, signatures, set);
}

export const parentProposal: Proposal = { epoch: 0, view: 300, parentView: 299, payload: filled(0x01) };

/** A payment for the chain of this file, of `amount` µKRY and with another id for each `salt`. */
export function payment(salt: number, amount = 20_000n, validUntil = 50) {
  const fee = 400n;
  const signed = signTransaction(
    {
      kind: KIND_TRANSFER,
      validUntil,
      salt: filled(salt, 8),
      inputs: [{ address: owner.publicKey, amount: amount + fee }],
      outputs: [{ type: OUTPUT_PAY, to: steward.publicKey, amount }],
      fee,
      comment: undefined,
    },
    GENESIS_HASH,
    [owner],
  );
  paid.add(toHex(signed.bytes));
  return signed;
}

const transactions = [payment(1), payment(2)];
const parentCertificate = encodeCertificate(certificate(N(parentProposal)));

export const header: Header = {
  version: 1,
  parent: parentProposal.payload,
  height: 290,
  epoch: 0,
  view: 301,
  parentView: 300,
  proposer: set.validators[leaderOf(set, 301)]!.publicKey,
  time: 1_700_000_300_000,
  vrfOutput: NO_VRF_OUTPUT,
  vrfProof: NO_VRF_PROOF,
  transactionRoot: transactionRoot(transactions.map(({ id, bytes }) => ({ id, wireHash: sha256(bytes) }))),
  parentCertificateHash: parentCertificateHash(parentCertificate),
  stateRoot: filled(0x03),
  validatorsHash: validatorSetHash(set),
  nextValidatorsHash: ZERO_HASH,
  epochHeadersRoot: filled(0x05),
  mmrRoot: filled(0x06),
};

export const block = makeBlock(
  header,
  parentCertificate,
  transactions.map(({ bytes }) => bytes),
);

export const proposal: Proposal = { epoch: 0, view: 301, parentView: 300, payload: block.hash };

export const compact: Bytes = encodeCompactProposal({
  vote: encodeVote(vote(leaderOf(set, 301), N(proposal))),
  headerBytes: block.headerBytes,
  parentCertificate,
  shortIds: shortIds(
    headerHash(block.headerBytes),
    transactions.map(({ bytes }) => sha256(bytes)),
  ),
});

export const record: PeerRecord = {
  consensusKey: keys[0]!.publicKey,
  peerId: (await peerIdOfSeed(filled(0x91))).toMultihash().bytes,
  // /ip4/127.0.0.1/tcp/7300 and /dns4/a.example/tcp/7300
  addresses: [
    Uint8Array.of(0x04, 127, 0, 0, 1, 0x06, 0x1c, 0x84),
    Uint8Array.of(0x36, 9, ...new TextEncoder().encode('a.example'), 0x06, 0x1c, 0x84),
  ],
  sequence: 1_700_000_000_000,
};
export const signedRecord: Bytes = signRecord(record, GENESIS_HASH, keys[0]!);

export const transfer = goldenTransfer();
export const claims = goldenClaims();
