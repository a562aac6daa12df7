/**
 * The table of everything that reads bytes or text from outside: peers, clients, files. A new decoder gets a
 * line here and is then broken in every way that decoders.test.ts knows; a test there finds decoders that have
 * no line. `encode` is the inverse, where what was read has one form only.
 */
import { decodeBlock } from '../../src/chain/block.ts';
import { decodeCompactProposal, encodeCompactProposal } from '../../src/chain/compact.ts';
import { genesisFromJson, genesisToJson } from '../../src/chain/genesis.ts';
import { decodeHeader, encodeHeader } from '../../src/chain/header.ts';
import { decodeAddress, encodeAddress } from '../../src/codec/address.ts';
import { formatKry, parseKry } from '../../src/codec/amount.ts';
import { type Bytes, concat, fromHex, toHex, utf8 } from '../../src/codec/bytes.ts';
import { decodeCertificate, encodeCertificate } from '../../src/consensus/certificate.ts';
import { CHECKPOINT_END, decodeRecord } from '../../src/consensus/journal/records.ts';
import { decodeValidatorSet, encodeValidatorSet } from '../../src/consensus/validator-set.ts';
import { decodeVote, encodeVote } from '../../src/consensus/vote.ts';
import {
  decodeAccount,
  decodeAmount,
  decodeBounty,
  decodeSupply,
  decodeValidators,
  encodeAccount,
  encodeAmount,
  encodeBounty,
  encodeSupply,
  encodeValidators,
} from '../../src/ledger/entries.ts';
import { Frontier } from '../../src/ledger/frontier.ts';
import { decodeMerklePath, encodeMerklePath } from '../../src/ledger/merkle.ts';
import { decodeParameters, encodeParameters } from '../../src/ledger/parameters.ts';
import { decodeProof, encodeProof } from '../../src/ledger/tree/proof.ts';
import {
  decodeCertificateRequest,
  decodeRangeAnswer,
  decodeRangeRequest,
  decodeTransactionList,
  decodeTransactionsRequest,
  encodeCertificateRequest,
  encodeRangeAnswer,
  encodeRangeRequest,
  encodeTransactionList,
  encodeTransactionsRequest,
} from '../../src/node/requests.ts';
import { FRAME_HEADER_BYTES, FrameDecoder } from '../../src/p2p/framing.ts';
import { decodeSignedRecord } from '../../src/p2p/record.ts';
import {
  decodeHelloMessage,
  decodeToClient,
  decodeToServer,
  decodeVoteMessage,
  encodeCancel,
  encodeFailure,
  encodeHello,
  encodePartHeader,
  encodeRecords,
  encodeRequest,
  encodeCertificate as wireCertificate,
  encodeVote as wireVote,
} from '../../src/p2p/wire.ts';
import { packPlace, packTip, unpackPlace, unpackTip } from '../../src/storage/records.ts';
import { decodeBody, decodeTransaction } from '../../src/tx/decode.ts';
import { encodeBody, encodeTransaction } from '../../src/tx/encode.ts';
import { filled } from '../tx/golden.ts';
import {
  block,
  certificate,
  claims,
  compact,
  F,
  GENESIS_HASH,
  genesis,
  header,
  MAX_BLOCK_BYTES,
  N,
  parentProposal,
  payment,
  proposal,
  record,
  set,
  signedRecord,
  transfer,
  vote,
  X,
} from './samples.ts';

export interface Decoder {
  /** Name of the exported function. */
  readonly name: string;
  readonly from: 'peer' | 'client' | 'file';
  readonly decode: (bytes: Bytes) => unknown;
  /** What was read, written again: the same bytes, wherever there is one form only. */
  readonly encode: ((value: never) => Bytes) | undefined;
  readonly samples: readonly Bytes[];
  /** Canonical MessagePack from its first byte to its last. */
  readonly canonical: boolean;
  /** Codes that are right beside `CODEC_*`. */
  readonly codes: readonly string[];
}

interface Entry<T> {
  readonly name: string;
  readonly from: Decoder['from'];
  readonly decode: (bytes: Bytes) => T;
  readonly encode?: (value: T) => Bytes;
  readonly samples: readonly Bytes[];
  readonly canonical?: boolean;
  readonly codes?: readonly string[];
}

function entry<T>({ canonical = true, codes = [], encode, ...rest }: Entry<T>): Decoder {
  return { ...rest, canonical, codes, encode };
}

/** The payload of the first frame. */
const unframed = (bytes: Bytes): Bytes => bytes.subarray(FRAME_HEADER_BYTES);

const text = (bytes: Bytes): string => new TextDecoder().decode(bytes);

function firstFrame(bytes: Bytes): Bytes | undefined {
  const decoder = new FrameDecoder(1_000);
  decoder.push(bytes);
  return decoder.next();
}

const terms = {
  tag: filled(1),
  nonce: filled(2),
  claimKey: filled(3),
  payee: undefined,
  amount: 2_000_000n,
  deposit: 10_000n,
  claimFrom: 5,
  claimUntil: 70_000,
  refundTo: filled(4),
  postedAt: 300,
};

const frontier = [1, 2, 3, 4, 5, 6, 7].reduce((edge, byte) => edge.append(filled(byte)), Frontier.EMPTY);

const journalRecords: readonly (readonly [number, Bytes])[] = [
  [1, encodeVote(vote(1, F(proposal)))],
  [2, encodeCertificate(certificate(N(proposal)))],
  [3, concat(fromHex('93cd012dc420'), proposal.payload, fromHex('01'))],
  [4, concat(fromHex('93cd012dc420'), proposal.payload, fromHex('c403010203'))],
  [5, fromHex('91cd012d')],
  [7, concat(fromHex('94c420'), proposal.payload, fromHex('02cd012d01'))],
];

const certificateCodes = [
  'CERTIFICATE_EPOCH',
  'CERTIFICATE_PARENT',
  'CERTIFICATE_SIGNERS',
  'CERTIFICATE_SIGNATURES',
  'CERTIFICATE_QUORUM',
];
const transactionCodes = ['TX_SIZE', 'TX_SHAPE', 'TX_KIND', 'TX_COMMENT'];

export const DECODERS: readonly Decoder[] = [
  // --- transactions ----------------------------------------------------------------------------------------
  entry({
    name: 'decodeTransaction',
    from: 'peer',
    decode: decodeTransaction,
    encode: encodeTransaction,
    samples: [transfer.bytes, claims.bytes, payment(3).bytes],
    codes: transactionCodes,
  }),
  entry({
    name: 'decodeBody',
    from: 'client',
    decode: decodeBody,
    encode: encodeBody,
    samples: [transfer, claims].map(({ bytes }) => encodeBody(decodeTransaction(bytes).body)),
    codes: transactionCodes,
  }),
  // --- blocks ----------------------------------------------------------------------------------------------
  entry({
    name: 'decodeHeader',
    from: 'peer',
    decode: decodeHeader,
    encode: encodeHeader,
    samples: [encodeHeader(header)],
    codes: ['HEADER_VERSION'],
  }),
  entry({
    name: 'decodeBlock',
    from: 'peer',
    decode: (bytes) => decodeBlock(bytes, MAX_BLOCK_BYTES),
    encode: ({ bytes }) => bytes,
    samples: [block.bytes],
    codes: ['HEADER_VERSION', 'BLOCK_TOO_LARGE'],
  }),
  entry({
    name: 'decodeCompactProposal',
    from: 'peer',
    decode: (bytes) => decodeCompactProposal(bytes, MAX_BLOCK_BYTES),
    encode: encodeCompactProposal,
    samples: [compact],
    codes: ['PROPOSAL_SHAPE'],
  }),
  entry({
    name: 'genesisFromJson',
    from: 'file',
    decode: (bytes) => genesisFromJson(text(bytes)),
    samples: [utf8(genesisToJson(genesis))],
    canonical: false,
    codes: ['GENESIS_INVALID', 'ADDRESS_INVALID'],
  }),
  // --- consensus -------------------------------------------------------------------------------------------
  entry({
    name: 'decodeVote',
    from: 'peer',
    decode: (bytes) => decodeVote(bytes, set.validators.length),
    encode: encodeVote,
    samples: [vote(0, N(proposal)), vote(1, X(301)), vote(2, F(proposal))].map(encodeVote),
  }),
  entry({
    name: 'decodeCertificate',
    from: 'peer',
    decode: (bytes) => decodeCertificate(bytes, set),
    encode: encodeCertificate,
    samples: [certificate(N(proposal)), certificate(X(301), [0, 1, 2, 3]), certificate(F(proposal))].map(
      encodeCertificate,
    ),
    codes: certificateCodes,
  }),
  entry({
    name: 'decodeValidatorSet',
    from: 'peer',
    decode: decodeValidatorSet,
    encode: encodeValidatorSet,
    samples: [encodeValidatorSet(set)],
    codes: ['VALIDATOR_SET_DUPLICATE', 'VALIDATOR_SET_STAKE'],
  }),
  ...journalRecords.map(([type, content]) =>
    entry({
      name: 'decodeRecord',
      from: 'file',
      decode: (bytes) => {
        const read = decodeRecord(type, bytes, set);
        return read === CHECKPOINT_END ? undefined : read;
      },
      samples: [content],
      codes: certificateCodes,
    }),
  ),
  // --- the account tree and its proofs ---------------------------------------------------------------------
  entry({
    name: 'decodeAccount',
    from: 'peer',
    decode: decodeAccount,
    encode: encodeAccount,
    samples: [encodeAccount(70_000_000n)],
  }),
  entry({
    name: 'decodeAmount',
    from: 'peer',
    decode: decodeAmount,
    encode: encodeAmount,
    samples: [encodeAmount(1n << 40n)],
  }),
  entry({
    name: 'decodeSupply',
    from: 'peer',
    decode: decodeSupply,
    encode: encodeSupply,
    samples: [encodeSupply({ genesis: 1n << 60n, minted: 70_000n, burned: 3n })],
  }),
  entry({
    name: 'decodeValidators',
    from: 'peer',
    decode: decodeValidators,
    encode: encodeValidators,
    samples: [encodeValidators(genesis.validators)],
  }),
  entry({
    name: 'decodeBounty',
    from: 'peer',
    decode: decodeBounty,
    encode: encodeBounty,
    samples: [
      encodeBounty({ ...terms, status: 'open' }),
      encodeBounty({
        ...terms,
        payee: filled(9),
        status: 'claimed',
        closedAt: 400,
        destination: filled(5),
        transaction: filled(6),
      }),
      encodeBounty({ ...terms, status: 'expired', closedAt: 400, burned: 200_000n }),
    ],
    codes: ['ENTRY_SHAPE'],
  }),
  entry({
    name: 'decodeParameters',
    from: 'peer',
    decode: decodeParameters,
    encode: encodeParameters,
    samples: [encodeParameters(genesis.parameters)],
  }),
  entry({
    name: 'Frontier.decode',
    from: 'peer',
    decode: (bytes) => Frontier.decode(bytes),
    encode: (edge) => edge.encode(),
    samples: [frontier.encode()],
    codes: ['ENTRY_SHAPE'],
  }),
  entry({
    name: 'decodeProof',
    from: 'peer',
    decode: decodeProof,
    encode: encodeProof,
    samples: [
      encodeProof({
        shape: Uint8Array.of(0b1010_0000),
        left: filled(1),
        leaves: [{ key: filled(2, 33), value: encodeAccount(5n) }],
        right: filled(3, 64),
      }),
    ],
    codes: ['PROOF_SHAPE'],
  }),
  entry({
    name: 'decodeMerklePath',
    from: 'peer',
    decode: decodeMerklePath,
    encode: encodeMerklePath,
    samples: [encodeMerklePath({ sides: 5, siblings: [filled(1), filled(2), filled(3)] })],
    codes: ['PROOF_SHAPE'],
  }),
  // --- requests and answers of the bulk lane ---------------------------------------------------------------
  entry({
    name: 'decodeTransactionsRequest',
    from: 'peer',
    decode: (bytes) => decodeTransactionsRequest(bytes, MAX_BLOCK_BYTES),
    encode: encodeTransactionsRequest,
    samples: [encodeTransactionsRequest({ hash: block.hash, indexes: [0, 3, 70_000] })],
    codes: ['REQUEST_INVALID'],
  }),
  entry({
    name: 'decodeTransactionList',
    from: 'peer',
    decode: (bytes) => decodeTransactionList(bytes, 4_096),
    encode: encodeTransactionList,
    samples: [encodeTransactionList([payment(1).bytes, payment(2).bytes])],
  }),
  entry({
    name: 'decodeRangeRequest',
    from: 'peer',
    decode: decodeRangeRequest,
    encode: encodeRangeRequest,
    samples: [encodeRangeRequest({ from: 300, maxBytes: 8_388_608 })],
  }),
  entry({
    name: 'decodeRangeAnswer',
    from: 'peer',
    decode: (bytes) => decodeRangeAnswer(bytes, MAX_BLOCK_BYTES),
    encode: encodeRangeAnswer,
    samples: [
      encodeRangeAnswer({
        blocks: [block.bytes],
        headers: [encodeHeader({ ...header, height: 291 })],
        finality: encodeCertificate(certificate(F(proposal))),
      }),
    ],
  }),
  entry({
    name: 'decodeCertificateRequest',
    from: 'peer',
    decode: decodeCertificateRequest,
    encode: encodeCertificateRequest,
    samples: [encodeCertificateRequest({ kind: 2, view: 301 })],
  }),
  // --- the wire --------------------------------------------------------------------------------------------
  entry({
    name: 'FrameDecoder',
    from: 'peer',
    decode: firstFrame,
    samples: [encodeCancel(7)],
    canonical: false,
    codes: ['FRAME_INVALID'],
  }),
  entry({
    name: 'decodeHelloMessage',
    from: 'peer',
    decode: decodeHelloMessage,
    samples: [
      unframed(
        encodeHello({
          version: 1,
          genesisHash: GENESIS_HASH,
          instance: filled(8, 8),
          own: signedRecord,
          records: [signedRecord],
        }),
      ),
      unframed(encodeRecords([signedRecord, signedRecord])),
    ],
    canonical: false,
    codes: ['HELLO_INVALID', 'CHAIN_MISMATCH'],
  }),
  entry({
    name: 'decodeVoteMessage',
    from: 'peer',
    decode: decodeVoteMessage,
    samples: [
      unframed(wireVote(encodeVote(vote(0, N(proposal))))),
      unframed(wireCertificate(encodeCertificate(certificate(X(5))))),
    ],
    canonical: false,
    codes: ['ENVELOPE_INVALID'],
  }),
  entry({
    name: 'decodeToServer',
    from: 'peer',
    decode: decodeToServer,
    samples: [
      unframed(encodeRequest(7, 3, 70_000, encodeRangeRequest({ from: 1, maxBytes: 5 }))),
      unframed(encodeCancel(7)),
    ],
    canonical: false,
    codes: ['ENVELOPE_INVALID'],
  }),
  entry({
    name: 'decodeToClient',
    from: 'peer',
    decode: decodeToClient,
    samples: [
      unframed(concat(encodePartHeader(7, true, 5), filled(1, 5))),
      unframed(encodeFailure(7, 'NOT_FOUND', 'there is no such block')),
    ],
    canonical: false,
    codes: ['ENVELOPE_INVALID'],
  }),
  entry({
    name: 'decodeSignedRecord',
    from: 'peer',
    decode: decodeSignedRecord,
    encode: ({ encoded, signature }) =>
      concat(fromHex('92'), binHeader(encoded), encoded, binHeader(signature), signature),
    samples: [signedRecord],
    codes: ['RECORD_INVALID'],
  }),
  // --- rows of the database --------------------------------------------------------------------------------
  entry({
    name: 'unpackPlace',
    from: 'file',
    decode: unpackPlace,
    samples: [packPlace({ height: 70_000, index: 300 })],
    canonical: false,
    codes: ['DATABASE_CORRUPT'],
  }),
  entry({
    name: 'unpackTip',
    from: 'file',
    decode: unpackTip,
    samples: [packTip({ height: 70_000, hash: block.hash })],
    canonical: false,
    codes: ['DATABASE_CORRUPT'],
  }),
  // --- what people type ------------------------------------------------------------------------------------
  entry({
    name: 'decodeAddress',
    from: 'client',
    decode: (bytes) => decodeAddress(text(bytes)),
    encode: (address) => utf8(encodeAddress(address)),
    samples: [utf8(encodeAddress(record.consensusKey))],
    canonical: false,
    codes: ['ADDRESS_INVALID'],
  }),
  entry({
    name: 'parseKry',
    from: 'client',
    decode: (bytes) => parseKry(text(bytes)),
    samples: [utf8(formatKry(12_500_000n))],
    canonical: false,
    codes: ['AMOUNT_INVALID'],
  }),
  entry({
    name: 'fromHex',
    from: 'client',
    decode: (bytes) => fromHex(text(bytes)),
    samples: [utf8(toHex(parentProposal.payload))],
    canonical: false,
    codes: ['HEX_INVALID'],
  }),
];

function binHeader(bytes: Bytes): Bytes {
  return bytes.length < 256
    ? Uint8Array.of(0xc4, bytes.length)
    : Uint8Array.of(0xc5, bytes.length >> 8, bytes.length & 0xff);
}

/** Exported readers that take nothing from outside, and why. */
export const NO_DECODERS: Readonly<Record<string, string>> = {
  readSubject: 'the common beginning of votes and certificates, which stand in the table',
  readU32: 'reads at a place that its caller has checked',
  readU64: 'reads at a place that its caller has checked',
  readParameters: 'reads an entry of the state through decodeParameters',
  readSupply: 'reads an entry of the state through decodeSupply',
  readFeePool: 'reads an entry of the state through decodeAmount',
  readValidators: 'reads an entry of the state through decodeValidators',
  parseTcpAddress:
    'gives undefined for what it does not take; multiaddrs of peers stand in decodeSignedRecord',
  unpackTransactions: 'between threads of one process',
  unpackResults: 'between threads of one process',
};
