/**
 * What is fuzzed: a function of bytes that holds its own properties and says in one word what became of them.
 * Everything is bytes, also where a file is damaged or a stream is cut: there they are a little program for the
 * harm that is done. So every finding is a hex string that can be kept and played again.
 */
import type { Bytes } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { DatabaseDamage } from '../../src/storage/damage.ts';

/** How inputs are made: from MessagePack, from JSON, from other text, or as programs, which nothing is known of. */
export type Form = 'packed' | 'json' | 'text' | 'program';

export interface Target {
  readonly name: string;
  readonly form: Form;
  /** Asks a disk or a socket for every input: rounds are short. */
  readonly dear?: boolean;
  /** Exported readers of the source that it stands for. */
  readonly covers: readonly string[];
  /** Honest inputs; mutations begin with them. */
  readonly seeds: readonly Bytes[];
  /** What became of the bytes: a code, or 'taken'. Throws where a property does not hold. */
  readonly run: (bytes: Bytes) => string | Promise<string>;
  /** Gives back what it holds: servers, directories. */
  readonly close?: () => Promise<void>;
}

/** A property that does not hold. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Broken(what);
}

const CODEC = ['CODEC_TRUNCATED', 'CODEC_TYPE', 'CODEC_NOT_CANONICAL', 'CODEC_BOUNDS', 'CODEC_TRAILING'];
const LONGEST_MESSAGE = 1_000;

/**
 * The code of a refusal, which must be a typed error, and one of `codes` (patterns) or of the codec; anything else
 * that is thrown is a finding, and thrown on.
 */
export function codeOfRefusal(error: unknown, codes: readonly (string | RegExp)[]): string {
  if (!isProtocolError(error) && !(error instanceof DatabaseDamage)) throw error;
  const { code, message } = error;
  const known = [...CODEC, ...codes].some((one) => (typeof one === 'string' ? one === code : one.test(code)));
  must(known, `refused with ${code}, which is no code of this reader: ${message}`);
  must(message.length <= LONGEST_MESSAGE, `a message of ${message.length} characters`);
  return code;
}
