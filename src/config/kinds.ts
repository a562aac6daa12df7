/**
 * The kinds of values that settings have: how each is read from text (a flag, the environment) and from JSON (the
 * settings file), how it is written back, and the words that name its range in help, documentation and errors.
 * A kind checks everything that can be checked without looking at the machine.
 */
import { ProtocolError } from '../codec/errors.ts';

export type Json = string | number | boolean | readonly Json[];

export interface Kind<T> {
  /** Stands in the help behind the flag; a switch has none. */
  readonly placeholder: string | undefined;
  /** Several values: a flag that may be repeated, an array in the file, commas in the environment. */
  readonly list: boolean;
  /** Completes "it must be …". */
  readonly range: string;
  /** Throws `SETTING_VALUE` with what is wrong about it. */
  parse(text: string): T;
  fromJson(value: unknown): T;
  toJson(value: T): Json;
}

/** Longest single value, so that no error message and no check grows with what somebody pasted. */
const MAX_TEXT = 512;

function wrong(what: string): never {
  throw new ProtocolError('SETTING_VALUE', what);
}

/** A value as it is shown in an error: quoted and cut. */
function quoted(value: unknown): string {
  // What is no single value may be nested deeper than anything can be written out.
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** A kind that is a string in JSON as it is on the command line. */
export function words<T>(spec: {
  readonly placeholder: string;
  readonly range: string;
  /** Undefined when the text is none. */
  readonly parse: (text: string) => T | undefined;
  readonly print: (value: T) => string;
}): Kind<T> {
  const parse = (text: string): T => {
    const value = text.length > MAX_TEXT ? undefined : spec.parse(text);
    return value === undefined ? wrong(`${quoted(text)} will not do`) : value;
  };
  return {
    placeholder: spec.placeholder,
    list: false,
    range: spec.range,
    parse,
    fromJson: (value) => (typeof value === 'string' ? parse(value) : wrong(`${quoted(value)} is no string`)),
    toJson: spec.print,
  };
}

/** Free text, like the path of a file. */
export function text(placeholder: string, range: string): Kind<string> {
  return words({ placeholder, range, parse: (t) => (t === '' ? undefined : t), print: (t) => t });
}

function within(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

/** A whole number; `unit` is for people. */
export function whole(least: number, most: number, unit = ''): Kind<number> {
  const check = (value: number, given: unknown): number =>
    within(value, least, most) ? value : wrong(`${quoted(given)} will not do`);
  return {
    placeholder: '<n>',
    list: false,
    range: `a whole number${unit === '' ? '' : ` of ${unit}`} from ${least} to ${most}`,
    parse: (given) => check(/^\d{1,16}$/.test(given) ? Number(given) : Number.NaN, given),
    fromJson: (given) => check(typeof given === 'number' ? given : Number.NaN, given),
    toJson: (value) => value,
  };
}

const UNITS = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

/** A number of bytes in the largest unit that is exact: "64MiB". */
function printBytes(value: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, one]) => value >= one && value % one === 0) ?? [
    '',
    1,
  ];
  return `${value / size}${unit}`;
}

/** An amount of memory or disk: a number of bytes, or text like "64MiB". */
export function bytes(least: number, most: number): Kind<number> {
  const check = (value: number, given: unknown): number =>
    within(value, least, most) ? value : wrong(`${quoted(given)} will not do`);
  const parse = (given: string): number => {
    const [, digits, unit] = /^(\d{1,16}) ?(|KiB|MiB|GiB|TiB)$/.exec(given) ?? [];
    return check(Number(digits) * UNITS[(unit ?? '') as keyof typeof UNITS], given);
  };
  return {
    placeholder: '<bytes>',
    list: false,
    range: `a size from ${printBytes(least)} to ${printBytes(most)}`,
    parse,
    fromJson: (given) =>
      typeof given === 'string' ? parse(given) : check(typeof given === 'number' ? given : Number.NaN, given),
    toJson: printBytes,
  };
}

/** Yes or no: a flag without a value, `--no-…` for the opposite. */
export function onOff(): Kind<boolean> {
  return {
    placeholder: undefined,
    list: false,
    range: 'true or false',
    parse: (given) => {
      if (given === 'true' || given === '1') return true;
      return given === 'false' || given === '0' ? false : wrong(`${quoted(given)} is neither`);
    },
    fromJson: (given) => (typeof given === 'boolean' ? given : wrong(`${quoted(given)} is neither`)),
    toJson: (value) => value,
  };
}

/** At most `most` values of a kind. */
export function list<T>(item: Kind<T>, most: number): Kind<readonly T[]> {
  const bounded = <V>(values: readonly V[]): readonly V[] =>
    values.length > most ? wrong(`these are ${values.length}`) : values;
  return {
    placeholder: item.placeholder,
    list: true,
    range: `at most ${most}, each ${item.range}`,
    parse: (given) =>
      bounded(given.split(',').filter((part) => part.trim() !== '')).map((part) => item.parse(part.trim())),
    fromJson: (given) =>
      Array.isArray(given)
        ? bounded(given as readonly unknown[]).map((value) => item.fromJson(value))
        : wrong(`${quoted(given)} is no list`),
    toJson: (values) => values.map((value) => item.toJson(value)),
  };
}

/** A value that need not be there. It has no default, and none can be written. */
export function optional<T>(kind: Kind<T>): Kind<T | undefined> {
  return { ...kind, toJson: (value) => (value === undefined ? '' : kind.toJson(value)) };
}
