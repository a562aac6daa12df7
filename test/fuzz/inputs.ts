/**
 * Where inputs come from: bytes out of nowhere, honest values changed by their structure, then byte by byte, and
 * values of one kind handed to the reader of another. All of it is data for fast-check, which shrinks it to the
 * fewest changes of the first seed that still break the property.
 */
import fc from 'fast-check';
import type { Bytes } from '../../src/codec/bytes.ts';
import { changeJson, JSON_CHANGES } from './json.ts';
import { type Change, changePacked, PACKED_CHANGES } from './packed.ts';
import { changeBytes, PLAIN_CHANGES } from './plain.ts';
import type { Target } from './target.ts';

const MOST_STRUCTURAL = 4;
const MOST_PLAIN = 4;
const LONGEST_PROGRAM = 48;
const LONGEST_NOISE = 300;

function changes(kinds: number, most: number): fc.Arbitrary<Change[]> {
  const change = fc.tuple(
    fc.nat({ max: kinds - 1 }),
    fc.nat({ max: 0xffff }),
    fc.nat({ max: 0xffff }),
    fc.nat({ max: 0xffff }),
  );
  return fc.array(change, { maxLength: most });
}

/** Inputs for a target. `others` are honest values of any kind, for cross-overs. */
export function inputsFor({ form, seeds }: Target, others: readonly Bytes[]): fc.Arbitrary<Bytes> {
  const noise = fc.uint8Array({ maxLength: form === 'program' ? LONGEST_PROGRAM : LONGEST_NOISE });
  const asText = form === 'json' || form === 'text';
  const kinds = form === 'json' ? JSON_CHANGES : PACKED_CHANGES;
  const structural = form === 'json' ? changeJson : changePacked;
  const pieces = [...seeds, ...others];
  const changed = fc
    .tuple(
      fc.nat({ max: seeds.length - 1 }),
      fc.nat({ max: pieces.length - 1 }),
      form === 'packed' || form === 'json' ? changes(kinds, MOST_STRUCTURAL) : fc.constant([]),
      changes(PLAIN_CHANGES, MOST_PLAIN),
      fc.nat({ max: 3 }),
    )
    .map(([seed, other, inside, outside, only]) => {
      const from = pieces[other]!;
      // Of four inputs one has only its structure changed: whatever reads it gets past the first length.
      const made = structural(seeds[seed]!, from, inside);
      return changeBytes(made, from, only === 0 ? [] : outside, asText);
    });
  const foreign = fc.nat({ max: pieces.length - 1 }).map((at) => pieces[at]!);
  return fc.oneof(
    { weight: form === 'program' ? 12 : 2, arbitrary: noise },
    { weight: 16, arbitrary: changed },
    { weight: 1, arbitrary: foreign },
  );
}
