/**
 * The short lane: what once failed, and a sample of every target from a fixed seed; and that every reader of the
 * source has a target. `npm run fuzz` runs for as long as one likes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/codec/bytes.ts';
import { DECODERS } from '../hostile/decoders.ts';
import { readCorpus } from './corpus.ts';
import { PLANTED } from './planted.ts';
import { NOT_FUZZED } from './readers.ts';
import { emptyTally, piecesOf, round } from './run.ts';
import { allTargets } from './targets.ts';

const SEED = 20_261_121;
const RUNS = 120;
const DEAR_RUNS = 50;

const targets = await allTargets();
const pieces = piecesOf(targets);
const corpus = await readCorpus();
afterAll(async () => {
  for (const target of targets) await target.close?.();
});

describe('what is fuzzed', () => {
  it('has names of its own and honest seeds', async () => {
    expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
    for (const { name, seeds } of targets) expect(seeds.length, name).toBeGreaterThan(0);
  });

  it('is every decoder of test/hostile/decoders.ts', () => {
    const covered = new Set(targets.flatMap(({ covers }) => covers));
    expect(DECODERS.map(({ name }) => name).filter((name) => !covered.has(name))).toEqual([]);
  });

  it('is every reader of files, streams and answers that the source exports, but for those that stand aside with a reason', () => {
    const sources = readdirSync('src', { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'));
    const readers = new Set<string>();
    for (const source of sources) {
      const asynchronous =
        /^export async function\*? ((?:read|load|open|inspect|find|fetch|verify|scan|frames)\w*)\b/gm;
      for (const [, name] of source.matchAll(asynchronous)) readers.add(name!);
      for (const [, name] of source.matchAll(
        /^export function ((?:import|submitted|split|verify)[A-Z]\w*)\b/gm,
      ))
        readers.add(name!);
      for (const [, name, body] of source.matchAll(/^export class (\w+)([\s\S]*?)^}/gm)) {
        if (/^ {2}static async open\(/m.test(body!)) readers.add(`${name}.open`);
      }
    }
    const covered = new Set(targets.flatMap(({ covers }) => covers));
    expect([...readers].filter((name) => !covered.has(name) && !(name in NOT_FUZZED)).sort()).toEqual([]);
    expect(Object.keys(NOT_FUZZED).filter((name) => !readers.has(name) || covered.has(name))).toEqual([]);
  });
});

describe.each(targets.map((target) => [target.name, target] as const))('%s', (_, target) => {
  it('takes its seeds without a finding', async () => {
    for (const seed of target.seeds) await target.run(seed);
  });

  it('holds its properties over a sample', async () => {
    const tally = emptyTally(target);
    await round(target, tally, { seed: SEED, runs: target.dear === true ? DEAR_RUNS : RUNS, pieces });
    expect(tally.finding && { ...tally.finding, input: toHex(tally.finding.input) }).toBeUndefined();
  });
});

describe('a bug that was planted', () => {
  it.each(PLANTED.map((planted) => [planted.target.name, planted] as const))(
    'is found: %s',
    async (_, planted) => {
      const tally = emptyTally(planted.target);
      for (let seed = SEED; tally.finding === undefined && seed < SEED + 20; seed++) {
        await round(planted.target, tally, { seed, runs: 500, pieces });
      }
      expect(tally.finding?.what).toMatch(planted.finding);
      expect(tally.finding!.input.length).toBeLessThanOrEqual(planted.shrunkTo);
    },
  );
});

describe('the corpus', () => {
  it('breaks nothing any more', async () => {
    for (const { target: name, file, input } of corpus) {
      const target = targets.find((one) => one.name === name);
      expect(target, `${file}: there is no target ${name}`).toBeDefined();
      await target!.run(input);
    }
  });
});
