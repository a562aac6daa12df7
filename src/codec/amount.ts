/**
 * Amounts: unsigned 64-bit integers in micro-units (1 KRY = 1,000,000 µKRY), `bigint` in code and decimal
 * strings in JSON. People may write `1.5` KRY at the command line; nothing is ever rounded.
 */
import { U64_MAX } from './bytes.ts';
import { ProtocolError } from './errors.ts';

const MICRO_PER_KRY = 1_000_000n;

/** "12.000001" → 12000001n. Throws `AMOUNT_INVALID`. */
export function parseKry(text: string): bigint {
  const match = /^(\d{1,14})(?:\.(\d{1,6}))?$/.exec(text);
  const micro = match ? BigInt(match[1]!) * MICRO_PER_KRY + BigInt((match[2] ?? '').padEnd(6, '0')) : -1n;
  if (micro < 0n || micro > U64_MAX) {
    throw new ProtocolError(
      'AMOUNT_INVALID',
      `"${text.slice(0, 40)}" is not an amount in KRY with at most six decimals`,
    );
  }
  return micro;
}

/** 12500000n → "12.5" */
export function formatKry(micro: bigint): string {
  const fraction = (micro % MICRO_PER_KRY).toString().padStart(6, '0').replace(/0+$/, '');
  return `${micro / MICRO_PER_KRY}${fraction === '' ? '' : `.${fraction}`}`;
}
