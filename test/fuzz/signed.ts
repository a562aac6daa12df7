/**
 * What is signed or proven, as targets: whatever is done to a vote, a certificate, a transaction, a proof or a
 * receipt, it is refused, or it says what was really signed or is really so. Among the seeds is what the honest
 * never made: certificates with too little stake, rivals, proofs of something else, whose parts fit together with
 * the parts of good ones.
 */
import { certificateMatches, decodeBlock } from '../../src/chain/block.ts';
import { decodeCompactProposal } from '../../src/chain/compact.ts';
import { encodeHeader, type Header, headerHash } from '../../src/chain/header.ts';
import { type Bytes, compare, equal, keyOf, toHex } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { Reader } from '../../src/codec/reader.ts';
import { Writer } from '../../src/codec/writer.ts';
import { decodeCertificate, encodeCertificate, verifyCertificate } from '../../src/consensus/certificate.ts';
import type { Certificate, Proposal, Subject } from '../../src/consensus/types.ts';
import { decodeVote, encodeVote, verifyVote, voteMessage } from '../../src/consensus/vote.ts';
import { encodeBounty } from '../../src/ledger/entries.ts';
import { genesisEntries } from '../../src/ledger/genesis.ts';
import { accountKey, addressKey, bountiesRange, bountyKey } from '../../src/ledger/keys.ts';
import { encodeMerklePath, merklePath, transactionLeaves, transactionRoot } from '../../src/ledger/merkle.ts';
import { Ledger, sortByKey } from '../../src/ledger/state.ts';
import { decodeProof, encodeProof, successor, verifyRange } from '../../src/ledger/tree/proof.ts';
import type { Entry } from '../../src/ledger/tree/trie.ts';
import {
  trustGenesis,
  verifyAccount,
  verifyBounties,
  verifyFinality,
  verifyTransaction,
} from '../../src/light/verify.ts';
import { selectVerifier } from '../../src/node/crypto/select.ts';
import { RecordStore, signRecord } from '../../src/p2p/record.ts';
import { checkTransaction } from '../../src/tx/check.ts';
import { decodeTransaction } from '../../src/tx/decode.ts';
import { bountyTagHash, transactionId } from '../../src/tx/encode.ts';
import * as samples from '../hostile/samples.ts';
import { filled } from '../tx/golden.ts';
import { codeOfRefusal, must, type Target } from './target.ts';

const { F, GENESIS_HASH, genesis, header, keys, MAX_BLOCK_BYTES, N, payment, proposal, set, vote, X } =
  samples;
const verifier = selectVerifier();

type Judge = (bytes: Bytes) => string;

/** Runs `judge`; what it refuses with must be one of `codes`. */
function judged(codes: readonly (string | RegExp)[], judge: Judge): Judge {
  return (bytes) => {
    try {
      return judge(bytes);
    } catch (error) {
      return codeOfRefusal(error, codes);
    }
  };
}

interface Plan {
  readonly name: string;
  readonly covers?: readonly string[];
  readonly seeds: readonly Bytes[];
  readonly codes: readonly (string | RegExp)[];
  readonly judge: Judge;
}

function target({ name, covers = [], seeds, codes, judge }: Plan): Target {
  return { name, form: 'packed', covers, seeds, run: judged(codes, judge) };
}

// --- votes and certificates ----------------------------------------------------------------------------------

const rival: Proposal = { epoch: 0, view: 301, parentView: 299, payload: filled(0x99) };

/** A certificate of any signers, whether they suffice or not. */
function certificateOf(subject: Subject, signers: readonly number[]): Certificate {
  let bitmap = 0;
  for (const signer of signers) bitmap |= 1 << signer;
  return {
    subject,
    signers: Uint8Array.of(bitmap),
    signatures: signers.map((signer) => vote(signer, subject).signature),
  };
}

const named = (subject: Subject): string =>
  'proposal' in subject
    ? `${subject.kind} ${subject.proposal.view} ${subject.proposal.parentView} ${toHex(subject.proposal.payload)}`
    : `${subject.kind} ${subject.view}`;

/** Everybody has one unit of stake of four, so three are enough: the last three never are. */
const SIGNED: readonly (readonly [Subject, readonly number[]])[] = [
  [N(proposal), [0, 1, 3]],
  [N(samples.parentProposal), [0, 1, 2, 3]],
  [X(301), [0, 1, 2, 3]],
  [F(proposal), [0, 1, 2]],
  [N(rival), [0, 2]],
  [F(rival), [1]],
  [X(302), [2, 3]],
];
const certificates = SIGNED.map(([subject, signers]) => encodeCertificate(certificateOf(subject, signers)));
const votes = SIGNED.flatMap(([subject, signers]) =>
  signers.map((signer) => encodeVote(vote(signer, subject))),
);

/** Who signed what, ever, in this process. */
const signers = new Map<string, Set<number>>();
let noted = 0;

function signersOf(subject: Subject): ReadonlySet<number> {
  for (; noted < samples.cast.length; noted++) {
    const { signer, subject: signed } = samples.cast[noted]!;
    const name = named(signed);
    signers.set(name, (signers.get(name) ?? new Set()).add(signer));
  }
  return signers.get(named(subject)) ?? new Set();
}

const certificateCodes = [/^CERTIFICATE_/];

const ofVotes: Plan = {
  name: 'vote-signature',
  covers: ['verifyVote'],
  seeds: votes,
  codes: [],
  judge: (bytes) => {
    const read = decodeVote(bytes, set.validators.length);
    if (!verifyVote(read, set, GENESIS_HASH, verifier)) return 'unsigned';
    must(signersOf(read.subject).has(read.signer), 'a vote passes that nobody cast');
    const genuine = keys[read.signer]!.sign(voteMessage(GENESIS_HASH, read.subject));
    must(equal(genuine, read.signature), 'another signature passes for the one that was made');
    return 'taken';
  },
};

const ofCertificates: Plan = {
  name: 'certificate-signatures',
  covers: ['verifyCertificate'],
  seeds: certificates,
  codes: certificateCodes,
  judge: (bytes) => {
    const read = decodeCertificate(bytes, set);
    verifyCertificate(read, set, GENESIS_HASH, verifier);
    const real = signersOf(read.subject);
    const claimed = [0, 1, 2, 3].filter((index) => (read.signers[0]! >> index) % 2 === 1);
    must(read.signers.length === 1 && read.signers[0]! < 16, 'a bitmap with more signers than there are');
    must(claimed.length >= 3, `a certificate of ${claimed.length} of 4 passes`);
    must(
      claimed.every((signer) => real.has(signer)),
      `a certificate of ${claimed} passes; it was signed by ${[...real]}`,
    );
    return 'taken';
  },
};

// --- transactions, blocks, records ---------------------------------------------------------------------------

const payments = [payment(1), payment(2), payment(3, 90_000n), payment(4, 20_000n, 60)].map(
  ({ bytes }) => bytes,
);

const ofTransactions: Plan = {
  name: 'transaction-signature',
  seeds: payments,
  codes: [/^TX_/],
  judge: (bytes) => {
    checkTransaction(bytes, { genesisHash: GENESIS_HASH, parameters: genesis.parameters, verifier });
    must(samples.paid.has(toHex(bytes)), 'a transaction passes that nobody signed');
    return 'taken';
  },
};

const leavesOf = (transactions: readonly Bytes[]) =>
  transactions.map((tx) => ({ id: transactionId(decodeTransaction(tx).bodyBytes), wireHash: sha256(tx) }));

const ofBlocks: Plan = {
  name: 'block-copy',
  seeds: [samples.block.bytes],
  codes: ['HEADER_VERSION', 'BLOCK_TOO_LARGE', /^TX_/],
  judge: (bytes) => {
    const read = decodeBlock(bytes, MAX_BLOCK_BYTES);
    if (!equal(read.hash, samples.block.hash)) return 'another block';
    if (!certificateMatches(read.header, read.parentCertificate)) return 'bad copy: certificate';
    if (!equal(transactionRoot(leavesOf(read.transactions)), read.header.transactionRoot))
      return 'bad copy: body';
    must(equal(bytes, samples.block.bytes), 'other bytes pass for the block of this hash');
    return 'taken';
  },
};

const ofProposals: Plan = {
  name: 'proposal-signature',
  seeds: [samples.compact],
  codes: ['PROPOSAL_SHAPE', 'HEADER_VERSION'],
  judge: (bytes) => {
    const read = decodeCompactProposal(bytes, MAX_BLOCK_BYTES);
    const signed = decodeVote(read.vote, set.validators.length);
    if (!verifyVote(signed, set, GENESIS_HASH, verifier)) return 'unsigned';
    const hash = headerHash(read.headerBytes);
    if (!('proposal' in signed.subject) || !equal(signed.subject.proposal.payload, hash))
      return 'another header';
    must(equal(hash, samples.block.hash), 'the leader’s signature passes for a header that it did not sign');
    return 'taken';
  },
};

const records = [
  samples.signedRecord,
  signRecord({ ...samples.record, consensusKey: keys[1]!.publicKey, sequence: 7 }, GENESIS_HASH, keys[1]!),
];

const ofRecords: Plan = {
  name: 'record-signature',
  covers: ['RecordStore.offer'],
  seeds: records,
  codes: ['RECORD_INVALID'],
  judge: (bytes) => {
    const known = keys.map(({ publicKey }) => publicKey);
    const store = new RecordStore(GENESIS_HASH, verifier, known, () => 0);
    const { outcome } = store.offer(bytes);
    must(
      outcome !== 'new' || records.some((record) => equal(record, bytes)),
      'a record passes that its owner did not sign',
    );
    return outcome === 'new' ? 'taken' : outcome;
  },
};

// --- finality, receipts --------------------------------------------------------------------------------------

const trust = trustGenesis(genesis, verifier);
const LINKS = 8;

interface Link {
  readonly bytes: Bytes;
  readonly transactions: readonly Bytes[];
}

/** A chain of headers; each block holds two transactions. */
function chain(): Link[] {
  const links: Link[] = [];
  for (let i = 0; i < LINKS; i++) {
    const transactions = [payment(20 + 2 * i).bytes, payment(21 + 2 * i).bytes];
    const previous = links.at(-1);
    const next: Header = {
      ...header,
      parent: previous === undefined ? header.parent : headerHash(previous.bytes),
      height: header.height + i,
      view: 301 + i,
      parentView: 300 + i,
      time: header.time + 1_000 * i,
      transactionRoot: transactionRoot(leavesOf(transactions)),
    };
    links.push({ bytes: encodeHeader(next), transactions });
  }
  return links;
}

const links = chain();
const finalHashes = new Set(links.map(({ bytes }) => toHex(headerHash(bytes))));
const ofHeader = (bytes: Bytes, view: number): Proposal => ({
  epoch: 0,
  view,
  parentView: view - 1,
  payload: headerHash(bytes),
});
/** A block on the last final one that was notarized, and that two of four voted to make final. */
const open: Link = {
  bytes: encodeHeader({
    ...header,
    parent: headerHash(links.at(-1)!.bytes),
    height: 298,
    view: 309,
    parentView: 308,
  }),
  transactions: [payment(90).bytes],
};
const quorum = [0, 1, 3];
const finality = (at: number) =>
  encodeCertificate(certificateOf(F(ofHeader(links[at]!.bytes, 301 + at)), quorum));
const notOpen = [
  encodeCertificate(certificateOf(N(ofHeader(open.bytes, 309)), quorum)),
  encodeCertificate(certificateOf(F(ofHeader(open.bytes, 309)), [0, 2])),
];

function claimOf(headers: readonly Bytes[], ...rest: readonly Bytes[]): Bytes {
  const w = new Writer(4_096).array(1 + rest.length).array(headers.length);
  for (const bytes of headers) w.bin(bytes);
  for (const bytes of rest) w.bin(bytes);
  return w.finish();
}

function readClaim(bytes: Bytes, parts: number): { headers: Bytes[]; rest: Bytes[] } {
  const r = new Reader(bytes);
  r.array(1 + parts);
  const headers = Array.from({ length: r.array(0, 600) }, () => r.bin(0, 100_000));
  const rest = Array.from({ length: parts }, () => r.bin(0, 100_000));
  r.end();
  return { headers, rest };
}

const run = (from: number, to: number): Bytes[] => links.slice(from, to + 1).map(({ bytes }) => bytes);
const finalityClaims = [
  claimOf(run(7, 7), finality(7)),
  claimOf(run(0, 3), finality(3)),
  claimOf(run(2, 7), finality(7)),
  claimOf([...run(5, 7), open.bytes], notOpen[0]!),
  claimOf([open.bytes], notOpen[1]!),
];

const proofCodes = [/^PROOF_/, /^CERTIFICATE_/, 'HEADER_VERSION'];

const ofFinality: Plan = {
  name: 'finality-proof',
  covers: ['verifyFinality'],
  seeds: finalityClaims,
  codes: proofCodes,
  judge: (bytes) => {
    const { headers, rest } = readClaim(bytes, 1);
    const proven = verifyFinality(trust, { headers, certificate: rest[0]! });
    must(finalHashes.has(toHex(headerHash(encodeHeader(proven)))), 'a block is proven final that is not');
    return 'taken';
  },
};

const idsOf = new Map(
  links.map(({ bytes, transactions }) => [
    toHex(headerHash(bytes)),
    leavesOf(transactions).map(({ id }) => toHex(id)),
  ]),
);

function receipt(from: number, to: number, index: number): Bytes {
  const { transactions } = links[from]!;
  const path = encodeMerklePath(merklePath(transactionLeaves(leavesOf(transactions)), index));
  return claimOf(run(from, to), finality(to), transactions[index]!, path);
}

const ofReceipts: Plan = {
  name: 'receipt',
  covers: ['verifyTransaction', 'verifyMerklePath'],
  seeds: [
    receipt(1, 3, 0),
    receipt(1, 7, 1),
    receipt(7, 7, 0),
    claimOf([open.bytes], notOpen[1]!, open.transactions[0]!, encodeMerklePath({ sides: 0, siblings: [] })),
  ],
  codes: [...proofCodes, /^TX_/],
  judge: (bytes) => {
    const { headers, rest } = readClaim(bytes, 3);
    const proven = verifyFinality(trust, { headers, certificate: rest[0]! });
    const { id } = verifyTransaction(proven, rest[1]!, rest[2]!);
    const really = idsOf.get(toHex(headerHash(encodeHeader(proven)))) ?? [];
    must(really.includes(toHex(id)), 'a transaction is proven to be in a block that does not hold it');
    return 'taken';
  },
};

// --- proofs about the account tree -----------------------------------------------------------------------------

const addresses = Array.from({ length: 24 }, (_, i) => sha256(Uint8Array.of(i)));
const tags = [filled(0xa1), filled(0xa2), filled(0xa3)];

function stateEntries(): Entry[] {
  const accounts = addresses.map((address, i) => ({ address, amount: 1_000_000n * BigInt(i + 1) }));
  const bounties = tags.slice(0, 2).flatMap((tag, t) =>
    Array.from({ length: 3 + 4 * t }, (_, i) => ({
      key: bountyKey({ tagHash: bountyTagHash(tag), id: sha256(Uint8Array.of(t, i)) }),
      value: encodeBounty({
        ...{ tag, nonce: filled(2), claimKey: filled(3), payee: undefined, amount: 2_000_000n + BigInt(i) },
        ...{
          deposit: 10_000n,
          claimFrom: 5,
          claimUntil: 70_000,
          refundTo: filled(4),
          postedAt: 300,
          status: 'open',
        },
      }),
    })),
  );
  return sortByKey([...genesisEntries({ ...genesis, accounts, genesisHash: GENESIS_HASH }), ...bounties]);
}

const entries = stateEntries();
const values = new Map(entries.map(({ key, value }) => [keyOf(key), value]));
const { committed: state } = Ledger.open({ get: (key) => values.get(keyOf(key)) }, entries);
const stateHeader: Header = { ...header, stateRoot: state.root };
const balances = new Map(addresses.map((address, i) => [toHex(address), 1_000_000n * BigInt(i + 1)]));

function pack(...parts: readonly Bytes[]): Bytes {
  const w = new Writer(2_048).array(parts.length);
  for (const part of parts) w.bin(part);
  return w.finish();
}

function unpack(bytes: Bytes, count: number): Bytes[] {
  const r = new Reader(bytes);
  r.array(count);
  const parts = Array.from({ length: count }, () => r.bin(0, 1 << 20));
  r.end();
  return parts;
}

const proofOf = (from: Bytes, to: Bytes, limit: number): Bytes =>
  encodeProof(state.proveRange(from, to, limit));
const strangers = [filled(0xee), sha256(filled(0xee))];
const entryCodes = [/^PROOF_/, /^ENTRY_/];

const ofAccounts: Plan = {
  name: 'account-proof',
  covers: ['verifyAccount'],
  seeds: [...addresses.slice(0, 4), ...strangers].map((address) => {
    const key = addressKey(address);
    return pack(address, proofOf(key, successor(key), 1));
  }),
  codes: entryCodes,
  judge: (bytes) => {
    const [address, proof] = unpack(bytes, 2) as [Bytes, Bytes];
    if (address.length !== 32) return 'no address';
    const proven = verifyAccount(stateHeader, address, proof);
    const real = balances.get(toHex(address));
    must(proven === real, `a balance of ${proven} is proven where it is ${real}`);
    return 'taken';
  },
};

/** What is shown of a range is what is there, from its beginning, up to `next`. */
function checkShown(shown: readonly Entry[], next: Bytes | undefined, from: Bytes, to: Bytes): void {
  const there = entries.filter(({ key }) => compare(key, from) >= 0 && compare(key, to) < 0);
  const due = next === undefined ? there : there.filter(({ key }) => compare(key, next) < 0);
  must(next === undefined || (compare(next, from) > 0 && shown.length > 0), 'a page that leads nowhere');
  must(shown.length === due.length, `${shown.length} entries are proven to be all; there are ${due.length}`);
  shown.forEach(({ key, value }, i) => {
    must(equal(key, due[i]!.key) && equal(value, due[i]!.value), 'an entry is proven that is not there');
  });
}

const ranges: readonly (readonly [Bytes, Bytes])[] = [
  [new Uint8Array(0), Uint8Array.of(0xff)],
  [Uint8Array.of(1), Uint8Array.of(2)],
  [accountKey(filled(0x10)), accountKey(filled(0x90))],
  [Uint8Array.of(3), Uint8Array.of(5)],
  [entries[4]!.key, entries[9]!.key],
];

const ofRanges: Plan = {
  name: 'range-proof',
  covers: ['verifyRange', 'verifyEntry'],
  seeds: ranges.flatMap(([from, to]) => [1, 3, 100].map((limit) => pack(from, to, proofOf(from, to, limit)))),
  codes: entryCodes,
  judge: (bytes) => {
    const [from, to, proof] = unpack(bytes, 3) as [Bytes, Bytes, Bytes];
    const { entries: shown, next } = verifyRange(state.root, from, to, decodeProof(proof));
    checkShown(shown, next, from, to);
    return 'taken';
  },
};

const ofBounties: Plan = {
  name: 'bounties-proof',
  covers: ['verifyBounties'],
  seeds: tags.flatMap((tag) => {
    const { from, to } = bountiesRange(tag);
    return [2, 100].map((limit) => pack(tag, proofOf(from, to, limit)));
  }),
  codes: entryCodes,
  judge: (bytes) => {
    const [tag, proof] = unpack(bytes, 2) as [Bytes, Bytes];
    const { bounties, next } = verifyBounties(stateHeader, tag, proof);
    const { from, to } = bountiesRange(tag);
    const shown = bounties.map(({ id, bounty }) => ({
      key: bountyKey({ tagHash: bountyTagHash(tag), id }),
      value: encodeBounty(bounty),
    }));
    checkShown(shown, next, from, to);
    return 'taken';
  },
};

export function signedTargets(): Target[] {
  return [
    ...[ofVotes, ofCertificates, ofTransactions, ofBlocks, ofProposals, ofRecords, ofFinality, ofReceipts],
    ...[ofAccounts, ofRanges, ofBounties],
  ].map(target);
}
