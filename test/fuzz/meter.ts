/**
 * Counts what is allocated while bytes are read: sizes of typed arrays and of arrays that are asked for by number.
 * A reader that believes a length before its bytes are there is found by what it asks for, not by what the machine
 * happens to have.
 */

interface Metered<T> {
  readonly value: T | undefined;
  readonly error: unknown;
  /** Bytes of arrays that were asked for by their size. */
  readonly allocated: number;
}

let counted = 0;

function counting<T extends object>(original: T, width: number): T {
  const note = (args: readonly unknown[]): void => {
    if (typeof args[0] === 'number' && args.length === 1) counted += width * args[0];
  };
  return new Proxy(original, {
    construct: (target, args, by) => {
      note(args);
      return Reflect.construct(target as never, args, by === metered.get(target) ? (target as never) : by);
    },
    apply: (target, self, args) => {
      note(args);
      return Reflect.apply(target as never, self, args);
    },
  });
}

const metered = new Map<object, object>();
const NAMES = ['Uint8Array', 'Uint16Array', 'Uint32Array', 'BigUint64Array', 'ArrayBuffer', 'Array'] as const;
const WIDTHS: Record<(typeof NAMES)[number], number> = {
  Uint8Array: 1,
  Uint16Array: 2,
  Uint32Array: 4,
  BigUint64Array: 8,
  ArrayBuffer: 1,
  Array: 8,
};
const originals = NAMES.map((name) => globalThis[name]);
const replacements = NAMES.map((name) => {
  const made = counting(globalThis[name] as object, WIDTHS[name]);
  metered.set(globalThis[name], made);
  return made;
});

function install(constructors: readonly object[]): void {
  NAMES.forEach((name, i) => {
    (globalThis as Record<string, unknown>)[name] = constructors[i];
  });
}

/** Runs `read`, which must not wait for anything, and counts. What it throws is part of the answer. */
export function metering<T>(read: () => T): Metered<T> {
  counted = 0;
  install(replacements);
  try {
    const value = read();
    return { value, error: undefined, allocated: counted };
  } catch (error) {
    return { value: undefined, error, allocated: counted };
  } finally {
    install(originals);
  }
}
