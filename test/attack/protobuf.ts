/** Just enough of protocol buffers to say wrong things in the protocols of libp2p. */
import { type Bytes, concat, utf8 } from '../../src/codec/bytes.ts';

function varint(value: number): Bytes {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...out, rest);
    out.push((rest % 128) | 128);
  }
}

export function bytesField(field: number, value: Bytes | string): Bytes {
  const bytes = typeof value === 'string' ? utf8(value) : value;
  return concat(varint(field * 8 + 2), varint(bytes.length), bytes);
}

export function numberField(field: number, value: number): Bytes {
  return concat(varint(field * 8), varint(value));
}

/** With its length in front, as libp2p sends them. */
export function delimited(...parts: readonly Bytes[]): Bytes {
  const body = concat(...parts);
  return concat(varint(body.length), body);
}
