/** Options that several commands share, and how their values are read. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { type Bytes, fromHex, utf8 } from '../codec/bytes.ts';
import { MAX_COMMENT_BYTES, SALT_BYTES } from '../tx/types.ts';
import { usageError } from './output.ts';

const DEFAULT_API = 'http://127.0.0.1:7070';

export interface ApiOption {
  readonly api: string;
}

export function withApi(command: Command): Command {
  return command.option('--api <url>', 'address of a node’s API', process.env.KRYDER_API ?? DEFAULT_API);
}

/** For options that may be repeated; without any of them the option is undefined. */
export function collect(value: string, sofar: readonly string[] | undefined): readonly string[] {
  return [...(sofar ?? []), value];
}

export interface WaitOption {
  readonly wait: boolean;
  readonly timeout: string;
}

export function withWait(command: Command): Command {
  return command
    .option('--no-wait', 'do not wait until it is final')
    .option('--timeout <seconds>', 'how long to wait', '60');
}

/** A whole number between `least` and `most`. Throws a usage error that names the option. */
export function wholeNumber(text: string, name: string, least: number, most: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw usageError(`${name} must be a whole number from ${least} to ${most}, not "${text.slice(0, 40)}"`);
  }
  return value;
}

/** 32 bytes of hex. */
export function hex32(text: string, name: string): Bytes {
  try {
    return fromHex(text, 32);
  } catch {
    throw usageError(`${name} must be 64 hex digits, not "${text.slice(0, 80)}"`);
  }
}

/** A memo as bytes; the protocol's own limit counts the comment around it too and is checked later. */
export function memoBytes(text: string | undefined): Bytes | undefined {
  if (text === undefined || text === '') return undefined;
  const bytes = utf8(text);
  if (bytes.length > MAX_COMMENT_BYTES) {
    throw usageError(`a memo has at most ${MAX_COMMENT_BYTES} bytes, this one ${bytes.length}`);
  }
  return bytes;
}

export function randomSalt(): Bytes {
  return new Uint8Array(randomBytes(SALT_BYTES));
}
