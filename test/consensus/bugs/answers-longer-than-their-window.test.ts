/**
 * ava-labs #558 and #559: of an answer to somebody who catches up, one field is held to the look-ahead window and
 * another is not: blocks (#558), or what leads from the last block to its proof (#559). The longest answer that is
 * taken here is bounded in every field, before anything in it is looked at.
 */
import { expect } from 'vitest';
import { encodeRangeAnswer, MAX_RANGE_BLOCKS, MAX_RANGE_HEADERS } from '../../../src/node/requests.ts';
import type { Patch } from '../../simulator/mutants/variant.ts';
import { against } from './against.ts';
import { code } from './blocks-code.ts';

const MAX_BLOCK_BYTES = 1_000_000;
const one = Uint8Array.of(1);
const many = (count: number) => Array.from({ length: count }, () => one);
const instead = (find: string, replace: string): Patch => ({ file: 'node/requests.ts', find, replace });
const bounded = (what: Parameters<typeof encodeRangeAnswer>[0]) => ({
  take: (decode: typeof code.decodeRangeAnswer) => (): unknown =>
    decode(encodeRangeAnswer(what), MAX_BLOCK_BYTES),
});

against('more blocks in an answer than its window (#558)', {
  module: 'blocks-code.ts',
  code,
  check: ({ decodeRangeAnswer }) => {
    const answer = (count: number) => bounded({ blocks: many(count), headers: [], finality: one });
    expect(answer(MAX_RANGE_BLOCKS).take(decodeRangeAnswer)).not.toThrow();
    expect(answer(MAX_RANGE_BLOCKS + 1).take(decodeRangeAnswer)).toThrow();
    expect(answer(0).take(decodeRangeAnswer)).toThrow();
    const large = bounded({ blocks: [new Uint8Array(3 * MAX_BLOCK_BYTES)], headers: [], finality: one });
    expect(large.take(decodeRangeAnswer)).toThrow();
  },
  bugs: {
    'their number is not bounded': [instead('r.array(1, MAX_RANGE_BLOCKS)', 'r.array(1, 1e9)')],
    'their size is not bounded': [instead('r.bin(1, maxEncodedBlock(maxBlockBytes))', 'r.bin(1, 1e9)')],
  },
});

against('more in the other fields of an answer than their window (#559)', {
  module: 'blocks-code.ts',
  code,
  check: ({ decodeRangeAnswer }) => {
    const answer = (count: number) => bounded({ blocks: [one], headers: many(count), finality: one });
    expect(answer(MAX_RANGE_HEADERS).take(decodeRangeAnswer)).not.toThrow();
    expect(answer(MAX_RANGE_HEADERS + 1).take(decodeRangeAnswer)).toThrow();
    const header = bounded({ blocks: [one], headers: [new Uint8Array(100_000)], finality: one });
    expect(header.take(decodeRangeAnswer)).toThrow();
    const proof = bounded({ blocks: [one], headers: [], finality: new Uint8Array(100_000) });
    expect(proof.take(decodeRangeAnswer)).toThrow();
  },
  bugs: {
    'the number of headers is not bounded': [instead('r.array(0, MAX_RANGE_HEADERS)', 'r.array(0, 1e9)')],
    'the size of a header is not bounded': [instead('r.bin(1, MAX_HEADER_BYTES)', 'r.bin(1, 1e9)')],
    'the size of the proof is not bounded': [
      instead('const finality = r.bin(1, MAX_CERTIFICATE_BYTES);', 'const finality = r.bin(1, 1e9);'),
    ],
  },
});
