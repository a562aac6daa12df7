import { bech32, bech32m } from '@scure/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAddress, encodeAddress } from '../../src/codec/address.ts';
import { formatKry, parseKry } from '../../src/codec/amount.ts';
import { U64_MAX } from '../../src/codec/bytes.ts';

const refused = expect.objectContaining({ code: 'ADDRESS_INVALID' });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const CHARSET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

describe('addresses', () => {
  test('text and bytes are inverse to each other', () => {
    fc.assert(
      fc.property(key, (bytes) => {
        const text = encodeAddress(bytes);
        expect(text).toMatch(/^kry1[a-z0-9]{58}$/);
        expect(decodeAddress(text)).toEqual(bytes);
      }),
    );
  });

  test('a fixed one', () => {
    expect(encodeAddress(new Uint8Array(32).map((_, i) => i))).toBe(
      'kry1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0szm68s6',
    );
  });

  test('up to four wrong characters are always found', () => {
    const edit = fc.record({ at: fc.nat(57), to: fc.nat(30) });
    fc.assert(
      fc.property(
        key,
        fc.uniqueArray(edit, { minLength: 1, maxLength: 4, selector: (e) => e.at }),
        (bytes, edits) => {
          const text = [...encodeAddress(bytes)];
          for (const { at, to } of edits) {
            const old = CHARSET.indexOf(text[4 + at]!);
            text[4 + at] = CHARSET[(old + 1 + to) % 32]!;
          }
          expect(() => decodeAddress(text.join(''))).toThrow(refused);
        },
      ),
    );
  });

  test('another prefix, checksum, case or length is refused', () => {
    const words = bech32m.toWords(new Uint8Array(32));
    const text = encodeAddress(new Uint8Array(32));
    const padded = [...words];
    padded[padded.length - 1]! |= 1;
    for (const wrong of [
      bech32m.encode('btc', words),
      bech32.encode('kry', words),
      text.toUpperCase(),
      `K${text.slice(1)}`,
      bech32m.encode('kry', bech32m.toWords(new Uint8Array(31))),
      bech32m.encode('kry', bech32m.toWords(new Uint8Array(33))),
      bech32m.encode('kry', padded),
      bech32m.encode('kry', []),
      `${text} `,
      text.slice(0, -1),
      '',
      'kry1',
      'x'.repeat(10_000),
    ]) {
      expect(() => decodeAddress(wrong), wrong).toThrow(refused);
    }
  });
});

describe('amounts', () => {
  test('text and micro-units are inverse to each other', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: U64_MAX }), (micro) => {
        expect(parseKry(formatKry(micro))).toBe(micro);
      }),
    );
  });

  test.each([
    ['0', 0n],
    ['1.5', 1_500_000n],
    ['0.000001', 1n],
    ['18446744073709.551615', U64_MAX],
  ])('%s KRY', (text, micro) => {
    expect(parseKry(text)).toBe(micro);
  });

  test.each(['', '.5', '1.', '-1', '+1', '1e3', '1.0000001', '18446744073709.551616', '1,5', ' 1', '٣'])(
    '"%s" is no amount',
    (text) => {
      expect(() => parseKry(text)).toThrow(expect.objectContaining({ code: 'AMOUNT_INVALID' }));
    },
  );
});
