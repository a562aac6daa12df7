/** CometBFT ASA-2025-003: a bit array whose length does not fit its bits, or its committee, ends the process. */
import { expect } from 'vitest';
import type { Bytes } from '../../../src/codec/bytes.ts';
import { Writer } from '../../../src/codec/writer.ts';
import { NULLIFY } from '../../../src/consensus/types.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import { committee } from '../support.ts';
import { against } from './against.ts';
import { code } from './code.ts';

const { set } = committee([4, 3, 2, 1, 1]);

function certificate(bitmap: Bytes, signatures: number): Bytes {
  const writer = new Writer().array(5).uint(NULLIFY).uint(0).uint(1).bin(bitmap);
  return writer.bin(new Uint8Array(64 * signatures)).finish();
}

const MALFORMED: readonly (readonly [bitmap: number[], signatures: number])[] = [
  [[], 3],
  [[0b0000_0111, 0], 3],
  [[0b0000_0111, 0xff], 11],
  [Array<number>(200).fill(0xff), 1_600],
  [[0b0010_0111], 4],
  [[0b1000_0111], 4],
  [[0xff], 8],
  [[0b0000_1111], 3],
  [[0b0000_0011], 3],
  [[0], 1],
];

against('a malformed bit array', {
  module: 'code.ts',
  code,
  check: ({ decodeCertificate }) => {
    expect(() => decodeCertificate(certificate(Uint8Array.of(0b0111), 3), set)).not.toThrow();
    for (const [bitmap, signatures] of MALFORMED) {
      let outcome = 'taken';
      try {
        decodeCertificate(certificate(Uint8Array.from(bitmap), signatures), set);
      } catch (error) {
        outcome = (error as { code?: string }).code ?? `${error}`;
      }
      expect(outcome).toMatch(/^(CODEC_BOUNDS|CERTIFICATE_SIGNERS|CERTIFICATE_SIGNATURES)$/);
    }
  },
  bugs: {
    'its length is believed': [
      patch('certificate.ts', 'reader.bin(bitmapBytes(count)).slice()', 'reader.bin(0, 1_024).slice()'),
      patch('certificate.ts', 'reader.bin(SIGNATURE_BYTES, SIGNATURE_BYTES * count)', 'reader.bin(0, 1e9)'),
      patch(
        'certificate.ts',
        'if (signers.length !== bitmapBytes(count)) {',
        'if (signers.length > 1_024) {',
      ),
      patch(
        'certificate.ts',
        'indices[indices.length - 1]! >= count) {',
        'indices[indices.length - 1]! > 1e9) {',
      ),
    ],
    'bits behind the committee are believed': [
      patch(
        'certificate.ts',
        'indices[indices.length - 1]! >= count) {',
        'indices[indices.length - 1]! > 1e9) {',
      ),
    ],
    'bits are not compared with the signatures': [
      patch(
        'certificate.ts',
        'if (signatures.length !== indices.length) {',
        'if (signatures.length > 1_024) {',
      ),
    ],
  },
});
