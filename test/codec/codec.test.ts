import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import {
  type Bytes,
  bytesOfKey,
  compare,
  concat,
  equal,
  fromHex,
  isZero,
  keyOf,
  readU64,
  toHex,
  U64_MAX,
  u64,
  utf8,
} from '../../src/codec/bytes.ts';
import { DOMAIN } from '../../src/codec/domains.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { Reader } from '../../src/codec/reader.ts';
import { Writer } from '../../src/codec/writer.ts';

type Value = bigint | Bytes | undefined | readonly Value[];

const code = (name: string) => expect.objectContaining({ code: name });

function write(w: Writer, value: Value): Writer {
  if (value === undefined) return w.nil();
  if (typeof value === 'bigint') return w.uint(value);
  if (value instanceof Uint8Array) return w.bin(value);
  w.array(value.length);
  for (const item of value) write(w, item);
  return w;
}

/** Reads a value in the shape of a sample. */
function read(r: Reader, shape: Value): Value {
  if (shape === undefined) return r.nil() ? undefined : r.bin(0, 1 << 20);
  if (typeof shape === 'bigint') return r.uint64();
  if (shape instanceof Uint8Array) return r.bin(0, 1 << 20);
  const count = r.array(shape.length);
  return shape.slice(0, count).map((item) => read(r, item));
}

const unsigned = fc.oneof(
  fc.bigInt({ min: 0n, max: U64_MAX }),
  fc.constantFrom(0n, 127n, 128n, 255n, 256n, 65_535n, 65_536n, 2n ** 32n - 1n, 2n ** 32n),
  fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, U64_MAX),
);
const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    unsigned,
    fc.uint8Array({ maxLength: 300 }),
    fc.constant(undefined),
    fc.array(tie('value'), { maxLength: 20 }),
  ),
}));

describe('canonical MessagePack', () => {
  test('what is written is read back', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = write(new Writer(1), value).finish();
        const r = new Reader(bytes);
        expect(read(r, value)).toEqual(value);
        r.end();
      }),
    );
  });

  test('msgpackr reads the same values', () => {
    const unpackr = new Unpackr({ int64AsType: 'bigint', useRecords: false, copyBuffers: true });
    const plain = (value: unknown): Value => {
      if (value === null) return undefined;
      if (typeof value === 'number') return BigInt(value);
      if (value instanceof Uint8Array) return new Uint8Array(value);
      if (Array.isArray(value)) return value.map(plain);
      return value as bigint;
    };
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(plain(unpackr.unpack(write(new Writer(), value).finish()))).toEqual(value);
      }),
    );
  });

  test('of all forms that msgpackr understands, the reader takes the shortest alone', () => {
    const unpackr = new Unpackr({ int64AsType: 'bigint', useRecords: false });
    const forms = (n: bigint): string[] => {
      const hex = (width: number) => n.toString(16).padStart(width * 2, '0');
      const out: string[] = [];
      if (n < 0x80n) out.push(hex(1));
      if (n < 0x100n) out.push(`cc${hex(1)}`);
      if (n < 0x1_0000n) out.push(`cd${hex(2)}`);
      if (n < 0x1_0000_0000n) out.push(`ce${hex(4)}`);
      out.push(`cf${hex(8)}`);
      if (n < 0x8000_0000_0000_0000n) out.push(`d3${hex(8)}`);
      if (n < 0x8000_0000n) out.push(`d2${hex(4)}`);
      if (n < 0x8000n) out.push(`d1${hex(2)}`);
      if (n < 0x80n) out.push(`d0${hex(1)}`);
      return out;
    };
    fc.assert(
      fc.property(unsigned, (n) => {
        const shortest = toHex(new Writer().uint(n).finish());
        const all = forms(n);
        expect(all[0]).toBe(shortest);
        for (const form of all) {
          expect(BigInt(unpackr.unpack(fromHex(form)) as number | bigint)).toBe(n);
          const r = new Reader(fromHex(form));
          if (form === shortest) expect(r.uint64()).toBe(n);
          else expect(() => r.uint64()).toThrow(ProtocolError);
        }
      }),
    );
  });

  test('long forms of lengths and counts are refused', () => {
    const bin = (hex: string) => () => new Reader(fromHex(hex)).bin(0, 100_000);
    expect(bin('c40101')()).toEqual(Uint8Array.of(1));
    expect(bin('c5000101')).toThrow(code('CODEC_NOT_CANONICAL'));
    expect(bin('c60000000101')).toThrow(code('CODEC_NOT_CANONICAL'));
    expect(bin(`c50100${'00'.repeat(256)}`)()).toHaveLength(256);
    expect(bin(`c600000100${'00'.repeat(256)}`)).toThrow(code('CODEC_NOT_CANONICAL'));
    const array = (hex: string) => () => new Reader(fromHex(hex)).array(0, 100_000);
    expect(array('9100')()).toBe(1);
    expect(array('dc000100')).toThrow(code('CODEC_NOT_CANONICAL'));
    expect(array('dd0000000100')).toThrow(code('CODEC_NOT_CANONICAL'));
    expect(array(`dc0010${'00'.repeat(16)}`)()).toBe(16);
  });

  test('every first byte that is no form of ours is refused', () => {
    const ours = (tag: number) => tag < 0x80 || (tag >= 0x90 && tag <= 0x9f) || tag === 0xc0;
    const wide = [0xc4, 0xc5, 0xc6, 0xcc, 0xcd, 0xce, 0xcf, 0xdc, 0xdd];
    for (let tag = 0; tag < 256; tag++) {
      if (ours(tag) || wide.includes(tag)) continue;
      const bytes = concat(Uint8Array.of(tag), new Uint8Array(32));
      expect(() => new Reader(bytes).uint64()).toThrow(code('CODEC_TYPE'));
      expect(() => new Reader(bytes).bin(0, 99)).toThrow(code('CODEC_TYPE'));
      expect(() => new Reader(bytes).array(0, 99)).toThrow(code('CODEC_TYPE'));
      expect(new Reader(bytes).nil()).toBe(false);
    }
  });

  test('bounds are checked before anything is allocated or read', () => {
    expect(() => new Reader(fromHex('c6ffffffff')).bin(0, 100)).toThrow(code('CODEC_BOUNDS'));
    expect(() => new Reader(fromHex('c6ffffffff')).bin(0, 2 ** 32)).toThrow(code('CODEC_TRUNCATED'));
    expect(() => new Reader(fromHex('ddffffffff')).array(0, 2 ** 32)).toThrow(code('CODEC_TRUNCATED'));
    expect(() => new Reader(fromHex('92')).array(0, 1)).toThrow(code('CODEC_BOUNDS'));
    expect(() => new Reader(fromHex('05')).uint(4)).toThrow(code('CODEC_BOUNDS'));
    expect(() => new Reader(fromHex('cf0020000000000000')).uint()).toThrow(code('CODEC_BOUNDS'));
    expect(new Reader(fromHex('cf001fffffffffffff')).uint()).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => new Reader(fromHex('0102')).end()).toThrow(code('CODEC_TRAILING'));
    expect(() => new Reader(new Uint8Array(4), 2, 5)).toThrow(RangeError);
  });

  test('every truncation is refused, and a window is not read beyond', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = write(new Writer(), value).finish();
        for (let end = 0; end < bytes.length; end += 1 + (bytes.length >> 5)) {
          expect(() => {
            const r = new Reader(bytes, 0, end);
            read(r, value);
          }).toThrow(ProtocolError);
        }
      }),
    );
  });

  test('the writer refuses what is no unsigned 64-bit integer', () => {
    for (const bad of [-1, -1n, 1.5, Number.NaN, 2 ** 53, U64_MAX + 1n]) {
      expect(() => new Writer().uint(bad)).toThrow(RangeError);
    }
  });
});

describe('bytes', () => {
  test('64-bit integers keep their value at every edge', () => {
    fc.assert(
      fc.property(unsigned, (n) => {
        expect(readU64(u64(n), 0)).toBe(n);
        expect(toHex(u64(n))).toBe(n.toString(16).padStart(16, '0'));
      }),
    );
    for (const n of [0, 255, 2 ** 32 - 1, 2 ** 32, 2 ** 48 + 258, Number.MAX_SAFE_INTEGER]) {
      expect(u64(n)).toEqual(u64(BigInt(n)));
    }
    expect(() => u64(-1)).toThrow(RangeError);
    expect(() => u64(2 ** 53)).toThrow(RangeError);
    expect(() => u64(1.5)).toThrow(RangeError);
    expect(() => u64(U64_MAX + 1n)).toThrow(RangeError);
  });

  test('hex and map keys are inverse to each other, and keep the order', () => {
    const bytes = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(fromHex(toHex(a))).toEqual(a);
        expect(fromHex(toHex(a).toUpperCase())).toEqual(a);
        expect(bytesOfKey(keyOf(a))).toEqual(a);
        const order = Math.sign(compare(a, b));
        expect(order).toBe(keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0);
        expect(equal(a, b)).toBe(order === 0);
        expect(isZero(a)).toBe(a.every((byte) => byte === 0));
      }),
    );
  });

  test.each(['a', 'zz', '0x00', '0 ', 'ä0', '00g0'])('"%s" is no hex', (text) => {
    expect(() => fromHex(text)).toThrow(code('HEX_INVALID'));
  });

  test('hex of another length than wanted is refused', () => {
    expect(() => fromHex('0011', 1)).toThrow(code('HEX_INVALID'));
    expect(fromHex('0011', 2)).toEqual(Uint8Array.of(0, 17));
  });
});

describe('domain tags', () => {
  test('none is the beginning of another, all are ASCII and carry their version', () => {
    const tags = Object.values(DOMAIN).map((tag) => String.fromCharCode(...tag));
    for (const a of tags) {
      expect(a).toMatch(/^kryder\/[a-z-]+\/1$/);
      expect(tags.filter((b) => b.startsWith(a))).toEqual([a]);
      expect(utf8(a)).toHaveLength(a.length);
    }
  });
});
