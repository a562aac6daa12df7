/** The worked examples of docs/protocol.md §5, §6 and §8, in the words in which they stand there. */
import { makeBlock, parentCertificateHash } from '../../src/chain/block.ts';
import { encodeCompactProposal, shortIds } from '../../src/chain/compact.ts';
import { DEVNET_PARAMETERS, encodeGenesis, type Genesis, genesisHash } from '../../src/chain/genesis.ts';
import {
  encodeHeader,
  type Header,
  headerHash,
  NO_VRF_OUTPUT,
  NO_VRF_PROOF,
} from '../../src/chain/header.ts';
import { type Bytes, toHex } from '../../src/codec/bytes.ts';
import { sha256, ZERO_HASH } from '../../src/codec/hash.ts';
import {
  encodeCertificateRequest,
  encodeRangeRequest,
  encodeTransactionsRequest,
} from '../../src/node/requests.ts';

const filled = (byte: number, length = 32): Bytes => new Uint8Array(length).fill(byte);

const EXAMPLE_GENESIS: Genesis = {
  name: 'example',
  time: 1_700_000_000_000,
  parameters: DEVNET_PARAMETERS,
  accounts: [{ address: filled(0xaa), amount: 5_000_000n }],
  validators: [
    { publicKey: filled(0xb1), stake: 1_000_000n },
    { publicKey: filled(0xb2), stake: 2_000_000n },
  ],
  seed: filled(0x5e),
};

const CERTIFICATE = filled(0xce, 4);

export const EXAMPLE_HEADER: Header = {
  version: 1,
  parent: filled(0x01),
  height: 7,
  epoch: 0,
  view: 9,
  parentView: 8,
  proposer: filled(0xb1),
  time: 1_700_000_000_123,
  vrfOutput: NO_VRF_OUTPUT,
  vrfProof: NO_VRF_PROOF,
  transactionRoot: filled(0x02),
  parentCertificateHash: parentCertificateHash(CERTIFICATE),
  stateRoot: filled(0x03),
  validatorsHash: filled(0x04),
  nextValidatorsHash: ZERO_HASH,
  epochHeadersRoot: filled(0x05),
  mmrRoot: filled(0x06),
};

/** Hex in lines of 32 bytes. */
function lines(bytes: Bytes): string {
  return (toHex(bytes).match(/.{1,64}/g) ?? []).join('\n');
}

export function workedExamples(): Record<string, string> {
  const header = encodeHeader(EXAMPLE_HEADER);
  const hash = headerHash(header);
  const transactions = [filled(0x11, 100), filled(0x22, 101)];
  const block = makeBlock(EXAMPLE_HEADER, CERTIFICATE, transactions);
  const ids = shortIds(
    hash,
    transactions.map((tx) => sha256(tx)),
  );
  const compact = encodeCompactProposal({
    vote: filled(0x0e, 3),
    headerBytes: header,
    parentCertificate: CERTIFICATE,
    shortIds: ids,
  });
  return {
    genesis: lines(encodeGenesis(EXAMPLE_GENESIS)),
    'genesis hash': toHex(genesisHash(EXAMPLE_GENESIS)),
    header: lines(header),
    'block hash': toHex(hash),
    'hash of the whole block': toHex(sha256(block.bytes)),
    'short ids': toHex(ids),
    'hash of the compact proposal': toHex(sha256(compact)),
    'transactions request': toHex(encodeTransactionsRequest({ hash: filled(0x01), indexes: [3, 260] })),
    'range request': toHex(encodeRangeRequest({ from: 300, maxBytes: 8_388_608 })),
    'certificate request': toHex(encodeCertificateRequest({ kind: 2, view: 17 })),
  };
}
