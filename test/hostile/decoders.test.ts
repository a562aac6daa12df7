/**
 * Every decoder of the table against everything that can be wrong with bytes. The outcome is always one of two:
 * a typed error with a code that the decoder names, or a value whose one encoding is what was read, so that
 * no two byte strings pass for the same thing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, equal, toHex } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { DatabaseDamage } from '../../src/storage/damage.ts';
import { DECODERS, type Decoder, NO_DECODERS } from './decoders.ts';
import { flipped, hugeLengths, longerForms, mutated, nestingBombs, truncated } from './mutations.ts';

const CODEC = ['CODEC_TRUNCATED', 'CODEC_TYPE', 'CODEC_NOT_CANONICAL', 'CODEC_BOUNDS', 'CODEC_TRAILING'];

/** The code of the refusal, or undefined where the bytes were taken, for what they say and nothing else. */
function judge(decoder: Decoder, bytes: Bytes): string | undefined {
  const given = bytes.slice();
  let value: unknown;
  try {
    value = decoder.decode(given);
  } catch (error) {
    if (!isProtocolError(error) && !(error instanceof DatabaseDamage)) throw error;
    if (!CODEC.includes(error.code) && !decoder.codes.includes(error.code)) throw error;
    if (error.message.length > 1_000) throw new Error(`a message of ${error.message.length} characters`);
    return error.code;
  }
  if (!equal(given, bytes)) throw new Error(`${decoder.name} changed its input`);
  if (decoder.encode !== undefined && !equal(decoder.encode(value as never), bytes)) {
    throw new Error(`${decoder.name} takes ${toHex(bytes)}, whose value is encoded differently`);
  }
  return undefined;
}

const all = DECODERS.flatMap((decoder) => decoder.samples.map((sample) => ({ decoder, sample })));
const named = DECODERS.map((decoder, at) => [`${decoder.name} (${at})`, decoder] as const);
const canonical = named.filter(([, decoder]) => decoder.canonical);
const pieces = all.map(({ sample }) => sample);

describe.each(named)('%s', (_, decoder) => {
  it('takes its samples', () => {
    for (const sample of decoder.samples) expect(judge(decoder, sample)).toBeUndefined();
  });

  it('refuses a flipped byte, or reads another value', () => {
    let refused = 0;
    for (const sample of decoder.samples) {
      for (const { bytes } of flipped(sample)) if (judge(decoder, bytes) !== undefined) refused++;
    }
    expect(refused).toBeGreaterThan(0);
  });

  it('refuses every truncation, or reads another value', () => {
    for (const sample of decoder.samples) {
      for (const bytes of truncated(sample)) {
        const code = judge(decoder, bytes);
        if (decoder.canonical) expect(code).toBeDefined();
      }
    }
  });

  it('survives any mixture of changes', () => {
    for (const sample of decoder.samples) {
      fc.assert(
        fc.property(mutated(sample, pieces), (bytes) => void judge(decoder, bytes)),
        { numRuns: 150 },
      );
    }
  });
});

describe.each(canonical)('%s, canonical', (_, decoder) => {
  it('refuses anything behind its end', () => {
    for (const sample of decoder.samples) {
      for (const more of [Uint8Array.of(0), Uint8Array.of(0xc0), sample]) {
        expect(judge(decoder, concat(sample, more))).toBeDefined();
      }
    }
  });

  it('refuses every other form of every integer, count and length', () => {
    let forms = 0;
    for (const sample of decoder.samples) {
      for (const bytes of longerForms(sample)) {
        expect(judge(decoder, bytes)).toBeDefined();
        forms++;
      }
    }
    expect(forms).toBeGreaterThan(0);
  });

  it('refuses 4 GB that are announced and not there, and nesting without end, without memory for either', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const sample of decoder.samples) {
      for (const bytes of hugeLengths(sample)) judge(decoder, bytes);
      let bombs = 0;
      for (const bytes of nestingBombs(sample, 20_000)) {
        expect(judge(decoder, bytes)).toBeDefined();
        if (++bombs === 40) break;
      }
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('the table', () => {
  it('holds every reader of bytes and text that the rooms of the protocol export', () => {
    const rooms = ['codec', 'tx', 'ledger', 'ledger/tree', 'chain', 'consensus', 'consensus/journal'];
    const files = [...rooms, 'p2p', 'storage', 'mempool', 'node'].flatMap((room) =>
      readdirSync(join('src', room))
        .filter((name) => name.endsWith('.ts'))
        .map((name) => join('src', room, name)),
    );
    const readers = new Set<string>();
    for (const file of files) {
      const source = readFileSync(file, 'utf8');
      for (const [, name] of source.matchAll(
        /^export function ((?:decode|parse|read|unpack|from)[A-Z0-9]\w*|\w+From(?:Json|Text|Bytes))\b/gm,
      )) {
        readers.add(name!);
      }
      const inClass = /^export class (\w+)[\s\S]*^ {2}static ((?:decode|parse)\w*)\(/m.exec(source);
      if (inClass !== null) readers.add(`${inClass[1]}.${inClass[2]}`);
    }
    const known = new Set([...DECODERS.map(({ name }) => name), ...Object.keys(NO_DECODERS)]);
    expect([...readers].filter((name) => !known.has(name))).toEqual([]);
    expect([...known].filter((name) => !readers.has(name) && name !== 'FrameDecoder')).toEqual([]);
  });
});
