import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytes, type Kind, list, onOff, optional, text, whole } from '../../src/config/kinds.ts';

const refusal = { code: 'SETTING_VALUE' };
const accepts = <T>(kind: Kind<T>, given: string): T => kind.parse(given);

describe('a switch', () => {
  it('is true, false, 1 or 0 as text, and a boolean in JSON', () => {
    expect(['true', '1', 'false', '0'].map((given) => accepts(onOff(), given))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(onOff().fromJson(true)).toBe(true);
    for (const given of ['yes', 'TRUE', ' 1', '']) expect(() => onOff().parse(given)).toThrow();
    for (const given of [1, 'true', null]) expect(() => onOff().fromJson(given)).toThrow();
    expect(onOff().placeholder).toBeUndefined();
  });
});

describe('a size', () => {
  const kind = bytes(0, 2 ** 50);

  it('is written in the largest unit that is exact, and read back', () => {
    expect([0, 1_023, 1_024, 65_536, 3 * 1024 ** 2, 1024 ** 3 + 1].map((n) => kind.toJson(n))).toEqual([
      '0',
      '1023',
      '1KiB',
      '64KiB',
      '3MiB',
      '1073741825',
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (n) => {
        expect(kind.fromJson(kind.toJson(n))).toBe(n);
        expect(kind.fromJson(n)).toBe(n);
      }),
    );
  });

  it('is nothing else', () => {
    for (const given of ['', '-1', '1.5MiB', '1MB', '1 mib', '0x10', '1e3', '9007199254740993', 'MiB']) {
      expect(() => kind.parse(given)).toThrow();
    }
  });
});

describe('any kind', () => {
  const kinds: readonly Kind<unknown>[] = [
    onOff(),
    bytes(1, 2 ** 40),
    whole(0, 100),
    text('<file>', 'a file'),
    list(whole(0, 9), 3),
    optional(text('<file>', 'a file')),
  ];

  it('takes whatever it is given or refuses it with its code, in few words', () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.oneof(fc.jsonValue(), fc.string()), (kind, given) => {
        const attempts = [() => kind.fromJson(given), () => kind.parse(JSON.stringify(given))];
        for (const attempt of attempts) {
          try {
            attempt();
          } catch (error) {
            expect(error).toMatchObject(refusal);
            expect((error as Error).message.length).toBeLessThan(200);
          }
        }
      }),
    );
  });

  it('bounds what it is given', () => {
    expect(() => text('<file>', 'a file').parse('x'.repeat(513))).toThrow();
    expect(() => list(whole(0, 9), 3).parse('1,2,3,4')).toThrow('these are 4');
    expect(list(whole(0, 9), 3).parse(' 1, 2,,3,')).toEqual([1, 2, 3]);
  });
});
