/** Ways to break bytes: systematically, and at random for fast-check to shrink. */
import fc from 'fast-check';
import { type Bytes, concat, fromHex } from '../../src/codec/bytes.ts';

/** One bit at each end, all bits, and the forms that announce something long. */
const PATTERNS: readonly ((byte: number) => number)[] = [
  (byte) => byte ^ 0x01,
  (byte) => byte ^ 0x80,
  (byte) => byte ^ 0xff,
  () => 0x00,
  () => 0xc0,
  () => 0xc6,
  () => 0xcf,
  () => 0xdd,
];

/** Every byte in turn, replaced by each pattern that changes it. */
export function* flipped(bytes: Bytes, patterns = PATTERNS): Generator<{ bytes: Bytes; at: number }> {
  for (let at = 0; at < bytes.length; at++) {
    const seen = new Set<number>([bytes[at]!]);
    for (const pattern of patterns) {
      const value = pattern(bytes[at]!);
      if (seen.has(value)) continue;
      seen.add(value);
      const broken = bytes.slice();
      broken[at] = value;
      yield { bytes: broken, at };
    }
  }
}

export function* truncated(bytes: Bytes): Generator<Bytes> {
  for (let length = 0; length < bytes.length; length++) yield bytes.slice(0, length);
}

interface Token {
  readonly kind: 'integer' | 'array' | 'bin';
  readonly at: number;
  /** Bytes of the form that says integer, count or length. */
  readonly size: number;
  readonly value: bigint;
}

/** The integers, counts and lengths in canonical MessagePack. */
function tokens(bytes: Bytes): Token[] {
  const found: Token[] = [];
  const number = (at: number, width: number): bigint => {
    let value = 0n;
    for (let i = 0; i < width; i++) value = value * 256n + BigInt(bytes[at + i]!);
    return value;
  };
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at]!;
    if (tag === 0xc0) at++;
    else if (tag < 0x80 || (tag >= 0xcc && tag <= 0xcf)) {
      const width = tag < 0x80 ? 0 : 1 << (tag - 0xcc);
      found.push({
        kind: 'integer',
        at,
        size: 1 + width,
        value: width === 0 ? BigInt(tag) : number(at + 1, width),
      });
      at += 1 + width;
    } else if (tag >= 0xc4 && tag <= 0xc6) {
      const width = 1 << (tag - 0xc4);
      const value = number(at + 1, width);
      found.push({ kind: 'bin', at, size: 1 + width, value });
      at += 1 + width + Number(value);
    } else if ((tag & 0xf0) === 0x90 || tag === 0xdc || tag === 0xdd) {
      const width = tag === 0xdc ? 2 : tag === 0xdd ? 4 : 0;
      const value = width === 0 ? BigInt(tag & 15) : number(at + 1, width);
      found.push({ kind: 'array', at, size: 1 + width, value });
      at += 1 + width;
    } else throw new Error(`0x${tag.toString(16)} at ${at} is not canonical`);
  }
  return found;
}

const FORMS: Readonly<Record<Token['kind'], readonly (readonly [number, number])[]>> = {
  integer: [
    [0xcc, 1],
    [0xcd, 2],
    [0xce, 4],
    [0xcf, 8],
  ],
  bin: [
    [0xc4, 1],
    [0xc5, 2],
    [0xc6, 4],
  ],
  array: [
    [0xdc, 2],
    [0xdd, 4],
  ],
};

function form(tag: number, width: number, value: bigint): Bytes {
  const out = new Uint8Array(1 + width);
  out[0] = tag;
  for (let i = width, rest = value; i > 0; i--, rest >>= 8n) out[i] = Number(rest & 0xffn);
  return out;
}

function replaced(bytes: Bytes, { at, size }: Token, by: Bytes): Bytes {
  return concat(bytes.subarray(0, at), by, bytes.subarray(at + size));
}

/** Every integer, count and length in each of its longer forms, and signed, and as a float. */
export function* longerForms(bytes: Bytes): Generator<Bytes> {
  for (const token of tokens(bytes)) {
    for (const [tag, width] of FORMS[token.kind]) {
      if (1 + width > token.size) yield replaced(bytes, token, form(tag, width, token.value));
    }
    if (token.kind !== 'integer') continue;
    for (const [tag, width] of [
      [0xd0, 1],
      [0xd1, 2],
      [0xd2, 4],
      [0xd3, 8],
    ] as const) {
      if (token.value < 1n << BigInt(8 * width - 1))
        yield replaced(bytes, token, form(tag, width, token.value));
    }
    const float = new Uint8Array(9);
    float[0] = 0xcb;
    new DataView(float.buffer).setFloat64(1, Number(token.value));
    yield replaced(bytes, token, float);
  }
}

/** Every count and length replaced by the largest that its forms can say. */
export function* hugeLengths(bytes: Bytes): Generator<Bytes> {
  for (const token of tokens(bytes)) {
    if (token.kind === 'integer') continue;
    for (const [tag, width] of FORMS[token.kind]) {
      for (const value of [0xffff_ffffn, 0x8000_0000n, 0x7fff_ffffn, 0xffffn, 0xffn]) {
        if (value < 1n << BigInt(8 * width)) yield replaced(bytes, token, form(tag, width, value));
      }
    }
    // Other types that announce a length: strings, maps, extensions.
    for (const tag of [0xdb, 0xdf, 0xc9]) yield replaced(bytes, token, form(tag, 4, 0xffff_ffffn));
  }
}

/** At every place where a value begins, arrays within arrays, far deeper than any stack. */
export function* nestingBombs(bytes: Bytes, depth: number): Generator<Bytes> {
  const bomb = new Uint8Array(depth).fill(0x91);
  for (const { at } of tokens(bytes)) yield concat(bytes.subarray(0, at), bomb, bytes.subarray(at));
}

const NASTY = [
  '',
  '00',
  'c0',
  'c4',
  'c6ffffffff',
  'cfffffffffffffffff',
  'ddffffffff',
  'dfffffffff',
  '91',
  '9f',
  '7b7d',
  '22',
].map((hex) => fromHex(hex));

/** Between one and six changes: flips, insertions, removals, repetitions, and pieces of `others`. */
export function mutated(bytes: Bytes, others: readonly Bytes[]): fc.Arbitrary<Bytes> {
  const place = fc.nat({ max: 0xffff });
  const change: fc.Arbitrary<(input: Bytes) => Bytes> = fc.oneof(
    fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([at, mask]) => (input: Bytes) => {
      if (input.length === 0) return input;
      const out = input.slice();
      out[at % out.length]! ^= mask;
      return out;
    }),
    fc
      .tuple(place, fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.constantFrom(...NASTY)))
      .map(([at, more]) => (input: Bytes) => {
        const cut = at % (input.length + 1);
        return concat(input.subarray(0, cut), more, input.subarray(cut));
      }),
    fc.tuple(place, place).map(([from, length]) => (input: Bytes) => {
      const cut = from % (input.length + 1);
      return concat(input.subarray(0, cut), input.subarray(cut + (length % 40)));
    }),
    fc.tuple(place, place, place).map(([from, length, at]) => (input: Bytes) => {
      const begin = from % (input.length + 1);
      const piece = input.subarray(begin, begin + (length % 80));
      const cut = at % (input.length + 1);
      return concat(input.subarray(0, cut), piece, input.subarray(cut));
    }),
    fc
      .tuple(place, fc.constantFrom(...others), place, place)
      .map(([at, other, from, length]) => (input: Bytes) => {
        const begin = from % (other.length + 1);
        const cut = at % (input.length + 1);
        const piece = other.subarray(begin, begin + (length % 200));
        return concat(input.subarray(0, cut), piece, input.subarray(cut + piece.length));
      }),
  );
  return fc
    .array(change, { minLength: 1, maxLength: 6 })
    .map((changes) => changes.reduce((input, apply) => apply(input), bytes));
}
