/**
 * Every kind of adversary does what its name says, and honest machines stay safe and live beside it. How often it did
 * what is counted by the adversary itself at the moment of sending.
 */
import { describe, expect, it } from 'vitest';
import { ADVERSARIES } from '../simulator/adversaries/catalogue.ts';
import { type Scenario, scenarioOf } from '../simulator/scenario.ts';
import { type RunResult, runScenario } from '../simulator/world.ts';

type Kind = (typeof ADVERSARIES)[number];

/** Every misdeed of each kind; twins are production code and count nothing. */
const DEEDS: Readonly<Record<Kind, readonly string[]>> = {
  twins: [],
  conflicter: [
    'equivocate',
    'forgery',
    'impossible-parent',
    'poison',
    'replay',
    'silence',
    'stale-parent',
    'withhold',
    'X and F',
  ],
  equivocator: ['one block on two parents', 'two F', 'two N', 'two proposals'],
  nuller: ['a proposal and its X', 'X and F'],
  'nullify-only': ['X ahead of its view', 'X at once', 'X of its own view'],
  impersonator: [
    'broken signature',
    'forged proposal',
    'forged vote of another',
    'overheard vote',
    'proposal out of turn',
    'X as a proposal',
  ],
  outdated: ['old body', 'old certificates', 'old proposals', 'old votes'],
  'wrong-epoch': [
    'certificate of another epoch',
    'proposal of another epoch',
    'signature of another epoch',
    'vote of another epoch',
  ],
  'stale-parent': ['a fork ahead of its view', 'a parent that is not the newest'],
  withholder: ['body not served', 'body to just enough', 'body to nobody', 'body to one', 'body too late'],
  'invalid-block': [
    'an old block again',
    'another parent in the block',
    'another proposer in the block',
    'another view in the block',
    'fails in execution',
    'no block at all',
    'parent ahead of the view',
    'parent below the final block',
    'wrong height',
  ],
  'late-sender': ['F after T_A', 'N around T_A', 'proposal around T_L', 'X around T_A'],
  forger: [
    'fewer signatures than signers',
    'genuine, once more',
    'noise for signatures',
    'one bit changed',
    'signatures of another subject',
    'signers who do not exist',
    'too few signers',
  ],
  'sync-liar': [
    'far certificate',
    'far queries',
    'far votes',
    'wrong body',
    'wrong certificate',
    'wrong tip',
  ],
  flooder: ['bodies unasked', 'different votes', 'many proposals', 'many queries', 'the same vote'],
};

/** They give votes that exclude each other, so whoever hears both holds evidence. */
const CONVICTED: readonly Kind[] = ['twins', 'conflicter', 'equivocator', 'nuller', 'flooder'];
const FEWEST_SEEDS = 3;
const MOST_SEEDS = 20;

interface Record_ {
  readonly findings: string[];
  readonly deeds: Set<string>;
  /** Runs in which the adversary was convicted. */
  convictions: number;
}

function take(record: Record_, { guilty, accomplices }: Scenario, result: RunResult): void {
  const { seed, violations, stuck, evidence, deeds } = result;
  for (const what of violations) record.findings.push(`seed ${seed}: ${what}`);
  if (stuck !== undefined) record.findings.push(`seed ${seed} is stuck: ${stuck}`);
  for (const index of evidence) {
    if (index !== guilty && !accomplices.includes(index))
      record.findings.push(`seed ${seed} convicts ${index}`);
  }
  if (evidence.length > 0) record.convictions++;
  for (const deed of Object.keys(deeds)) record.deeds.add(deed);
}

describe('adversaries with less than a third of the stake', () => {
  it.each(ADVERSARIES)('%s: does what it is named after; the others are safe and live', async (adversary) => {
    const record: Record_ = { findings: [], deeds: new Set(), convictions: 0 };
    const missing = (): string[] => DEEDS[adversary].filter((deed) => !record.deeds.has(deed));
    for (let seed = 0; seed < MOST_SEEDS && (seed < FEWEST_SEEDS || missing().length > 0); seed++) {
      const scenario: Scenario = { ...scenarioOf(seed, { adversary }), specialty: undefined };
      take(record, scenario, await runScenario(scenario));
    }
    expect(record.findings).toEqual([]);
    expect(missing()).toEqual([]);
    if (CONVICTED.includes(adversary)) expect(record.convictions).toBeGreaterThan(0);
  });
});

describe('adversaries with more than a third of the stake', () => {
  it.each(['equivocator', 'nuller'] as const)(
    '%s: evidence and accusations name only the guilty',
    async (adversary) => {
      let convictions = 0;
      for (let seed = 0; seed < 2; seed++) {
        const pins = { committee: '7-equal', adversary: `${adversary}-above-a-third` } as const;
        const scenario: Scenario = { ...scenarioOf(seed, pins), specialty: undefined };
        const { evidence, violations } = await runScenario(scenario);
        if (evidence.length > 0) convictions++;
        const guilty = [scenario.guilty, ...scenario.accomplices];
        expect(guilty.length).toBeGreaterThan(2);
        expect(evidence.filter((index) => !guilty.includes(index))).toEqual([]);
        expect(violations).toEqual([]);
      }
      expect(convictions).toBeGreaterThan(0);
    },
  );
});
