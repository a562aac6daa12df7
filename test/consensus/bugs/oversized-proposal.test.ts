/**
 * CometBFT #5324: a proposal that declares more parts than the largest block has is taken, and its parts are held. Here
 * everything that a proposal or a block declares is compared with the chain's limit before anything is held or taken
 * apart, and a frame before its bytes are there.
 */
import { expect } from 'vitest';
import { makeBlock } from '../../../src/chain/block.ts';
import { encodeCompactProposal } from '../../../src/chain/compact.ts';
import { header } from '../../hostile/samples.ts';
import type { Patch } from '../../simulator/mutants/variant.ts';
import { against } from './against.ts';
import { code } from './blocks-code.ts';

const MAX = 20_000;
const filled = (length: number) => new Uint8Array(length).fill(7);
const codeOf = (take: () => unknown): string => {
  try {
    take();
    return 'taken';
  } catch (error) {
    return (error as { code?: string }).code ?? `${error}`;
  }
};
const instead = (file: string, find: string, replace: string): Patch => ({ file, find, replace });

against('a proposal that is larger than a block may be', {
  module: 'blocks-code.ts',
  code,
  check: ({ decodeBlock, decodeCompactProposal, FrameDecoder }) => {
    const { headerBytes } = makeBlock(header, undefined, []);
    const proposal = (transactions: number) =>
      encodeCompactProposal({
        ...{ vote: filled(100), headerBytes, parentCertificate: undefined },
        shortIds: filled(8 * transactions),
      });
    // The smallest transaction has 100 bytes.
    expect(codeOf(() => decodeCompactProposal(proposal(200), MAX))).toBe('taken');
    expect(codeOf(() => decodeCompactProposal(proposal(201), MAX))).toBe('CODEC_BOUNDS');
    const block = (size: number) =>
      makeBlock(
        header,
        undefined,
        Array.from({ length: size / 1_000 }, () => filled(1_000)),
      ).bytes;
    expect(codeOf(() => decodeBlock(block(20_000), MAX))).toBe('taken');
    expect(codeOf(() => decodeBlock(block(21_000), MAX))).toBe('BLOCK_TOO_LARGE');
    expect(codeOf(() => decodeBlock(block(200_000), MAX))).toBe('BLOCK_TOO_LARGE');
    const junk = filled(MAX + 200_000);
    expect(codeOf(() => decodeBlock(junk, MAX))).toBe('BLOCK_TOO_LARGE');
    const frames = new FrameDecoder(1_000);
    frames.push(Uint8Array.of(0, 0, 3, 233));
    expect(codeOf(() => frames.next())).toBe('FRAME_INVALID');
  },
  bugs: {
    'the number of its transactions is not compared': [
      instead(
        'chain/compact.ts',
        'r.bin(0, SHORT_ID_BYTES * Math.ceil(maxBlockBytes / LEAST_TRANSACTION_BYTES))',
        'r.bin(0, 1e9)',
      ),
    ],
    'a block is taken apart before its size is compared': [
      instead(
        'chain/block.ts',
        'if (bytes.length > maxEncodedBlock(maxBlockBytes)) {',
        'if (bytes.length > 1e9) {',
      ),
    ],
    'the size of the transactions is not compared': [
      instead(
        'chain/block.ts',
        'if (transactionBytes(transactions) > maxBlockBytes) {',
        'if (transactionBytes(transactions) > 1e9) {',
      ),
    ],
    'a frame is waited for whatever it declares': [
      instead('p2p/framing.ts', 'if (length === 0 || length > this.#maxFrame) {', 'if (length === 0) {'),
    ],
  },
});
