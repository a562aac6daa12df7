/** Changes of bytes of which nothing is known, and of text; as data, so that they shrink. */
import { type Bytes, concat, fromHex, utf8 } from '../../src/codec/bytes.ts';
import { BOUNDARIES, type Change } from './packed.ts';

/** What announces something long, ends something, or is read differently by somebody. */
const WORDS: readonly Bytes[] = [
  ...[
    '',
    '00',
    'ff',
    'c0',
    'c4',
    'c6ffffffff',
    'cfffffffffffffffff',
    'ddffffffff',
    'dfffffffff',
    'dbffffffff',
  ],
  ...['91', '9f', 'dc0000', 'cc7f', 'cd00ff', 'cb3ff0000000000000', 'd0ff', 'a161', 'c3', 'c704'],
].map((hex) => fromHex(hex));

const TEXTS: readonly Bytes[] = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    ',',
    ':',
    '\u0000',
    '\n',
    '\r\n',
    ' ',
    '%',
    '..',
    '/',
    '//',
    '?',
    '&',
    '=',
    ';',
  ],
  ...['null', 'true', '0', '-0', '-1', '1e999', '1e3', '0x10', '9007199254740993', '1.5', 'NaN', '\ufeff'],
  ...[
    '"__proto__":',
    '{"__proto__":{}}',
    '"constructor":1,',
    '"toString"',
    '\\ud800',
    '\\u0000',
    'ü',
    '\u{1f600}',
  ],
  ...[
    '[[[[[[[[[[[[',
    '{"a":{"a":{"a":',
    '%00',
    '%2e%2e%2f',
    '%zz',
    'chunked',
    'content-length: 5\r\n',
    '0\r\n\r\n',
  ],
].map(utf8);

function bigEndian(value: bigint, width: number): Bytes {
  const out = new Uint8Array(width);
  for (let i = width - 1, rest = value; i >= 0; i--, rest >>= 8n) out[i] = Number(rest & 0xffn);
  return out;
}

type Deed = (
  input: Bytes,
  where: number,
  a: number,
  b: number,
  other: Bytes,
  words: readonly Bytes[],
) => Bytes;

const overwrite = (input: Bytes, at: number, by: Bytes): Bytes =>
  concat(input.subarray(0, at), by, input.subarray(Math.min(input.length, at + by.length)));
const insert = (input: Bytes, at: number, piece: Bytes): Bytes =>
  concat(input.subarray(0, at), piece, input.subarray(at));

const DEEDS: readonly Deed[] = [
  (input, where, a) => {
    if (input.length === 0) return input;
    const out = input.slice();
    out[where % out.length]! ^= 1 << (a % 8);
    return out;
  },
  (input, where, a) =>
    input.length === 0 ? input : overwrite(input, where % input.length, Uint8Array.of(a & 0xff)),
  (input, where, a, b) => {
    const bytes = bigEndian(BOUNDARIES[a % BOUNDARIES.length]!, [1, 2, 4, 8][b % 4]!);
    return overwrite(input, where % (input.length + 1), bytes);
  },
  (input, where, a, _b, _other, words) => insert(input, where % (input.length + 1), words[a % words.length]!),
  (input, where, a, _b, _other, words) =>
    overwrite(input, where % (input.length + 1), words[a % words.length]!),
  (input, where, a) => {
    const at = where % (input.length + 1);
    return concat(input.subarray(0, at), input.subarray(at + (a % 40)));
  },
  (input, where, a, b) => {
    const from = where % (input.length + 1);
    return insert(input, b % (input.length + 1), input.subarray(from, from + (a % 200)));
  },
  (input, where) => input.slice(0, where % (input.length + 1)),
  (input, _where, a, b) => concat(input, new Uint8Array(1 + (a % 40)).fill(b & 0xff)),
  // The beginning of one and the end of another.
  (input, where, a, _b, other) =>
    concat(input.subarray(0, where % (input.length + 1)), other.subarray(a % (other.length + 1))),
  (input, where, a, b, other) => {
    const from = a % (other.length + 1);
    return overwrite(input, where % (input.length + 1), other.subarray(from, from + (b % 200)));
  },
];

export const PLAIN_CHANGES = DEEDS.length;

export function changeBytes(input: Bytes, other: Bytes, changes: readonly Change[], asText: boolean): Bytes {
  let out = input;
  for (const [what, where, a, b] of changes) {
    out = DEEDS[what % DEEDS.length]!(out, where, a, b, other, asText ? TEXTS : WORDS);
  }
  return out;
}
