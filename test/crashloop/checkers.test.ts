/** The crash loop's checkers see what they are there for: each is given something false. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLogs } from '../../src/node/log.ts';
import { FAIL_POINTS } from '../../src/storage/fail-points.ts';
import { F, N, proposal, X } from '../consensus/support.ts';
import { CONFLICTS, judgeLog } from './logs.ts';
import { planRound } from './plan.ts';
import { type SupplyAnswer, SupplyBook } from './supply.ts';
import { VoteBook } from './votes.ts';
import { type ToldBlock, Witness } from './witness.ts';

describe('votes', () => {
  const a = proposal(5, 4, 'a');
  const b = proposal(5, 4, 'b');

  it('finds no fault with what an honest key signs', () => {
    const book = new VoteBook();
    const votes = [
      [0, N(a)],
      [0, F(a)],
      [0, F(a)],
      [1, N(b)],
      [1, X(5)],
      [1, X(6)],
      [0, N(proposal(6, 5, 'a'))],
    ] as const;
    expect(votes.map(([signer, subject]) => book.add(signer, subject))).toEqual([
      true,
      true,
      false,
      true,
      true,
      true,
      true,
    ]);
    expect(book.findings).toEqual([]);
    expect(book.votes).toBe(6);
    expect(book.highestView).toBe(6);
    expect(votes.every(([signer, subject]) => book.has(signer, subject))).toBe(true);
    expect(book.has(0, N(b)) || book.has(2, N(a)) || book.has(0, X(5))).toBe(false);
  });

  it.each([
    ['two notarizations in a view', [N(a), N(b)]],
    ['two notarizations of one block on two parents', [N(a), N({ ...a, parentView: 3 })]],
    ['two finalizations in a view', [F(a), F(b)]],
    ['a finalization after a nullification', [X(5), F(a)]],
    ['a nullification after a finalization', [N(a), F(a), X(5)]],
  ])('finds %s, once', (_name, subjects) => {
    const book = new VoteBook();
    for (const subject of [...subjects, ...subjects]) book.add(2, subject);
    expect(book.findings).toHaveLength(1);
    expect(book.findings[0]).toContain('validator 2, view 5');
  });

  it('keeps keys and views apart', () => {
    const book = new VoteBook();
    book.add(0, N(a));
    book.add(1, N(b));
    book.add(0, N(proposal(6, 4, 'b')));
    book.add(0, X(5));
    book.add(1, F(b));
    expect(book.findings).toEqual([]);
  });
});

describe('what was told', () => {
  const block = (height: number, ids: readonly string[], name = ''): ToldBlock => ({
    height,
    hash: `block ${height}${name}`,
    parent: `block ${height - 1}`,
    ids,
  });
  const told = (): Witness => {
    const witness = new Witness(2);
    for (const node of [0, 1]) {
      witness.block(node, block(1, ['a', 'b']));
      witness.block(node, block(2, []));
      witness.block(node, block(3, ['c']));
    }
    return witness;
  };

  it('stands when every node tells the same', () => {
    const witness = told();
    witness.status(0, 3, 4, 'block 4');
    witness.status(1, 3, 3, 'block 3');
    witness.transaction(1, 'c', { status: 'final', height: 3, index: 0 });
    expect([witness.lost, witness.disagreements, witness.regressions]).toEqual([[], [], []]);
    expect([witness.highest, witness.transactions, witness.toldBy(1)]).toEqual([4, 3, 3]);
    expect(witness.idsBetween(1, 3)).toEqual(['c']);
  });

  it('does not when a node is at a lower height than it told', () => {
    const witness = told();
    witness.status(1, witness.toldBy(1), 2, 'block 2');
    expect(witness.regressions).toEqual(['node 1 is at height 2 and had told 3']);
  });

  it('does not when another block stands at a height that was final', () => {
    const witness = told();
    witness.final(0, 2, 'another block');
    witness.block(1, { ...block(4, []), parent: 'another block' });
    expect(witness.disagreements).toHaveLength(2);
    expect(witness.regressions).toEqual([]);
  });

  it('does not when a transaction is gone, elsewhere, or not known to be final', () => {
    const witness = told();
    witness.block(0, block(1, ['a']));
    witness.block(1, block(4, ['c']));
    witness.transaction(0, 'c', { status: 'unknown' });
    witness.transaction(0, 'a', { status: 'final', height: 2, index: 0 });
    witness.missing(1, 3);
    expect(witness.lost).toHaveLength(5);
    expect([witness.disagreements, witness.regressions]).toEqual([[], []]);
  });
});

describe('coins', () => {
  const answer = (change: Partial<SupplyAnswer> = {}): SupplyAnswer => ({
    height: 10,
    genesis: 1_000n,
    minted: 0n,
    burned: 7n,
    accounts: 500n,
    bounties: 100n,
    deposits: 20n,
    feePool: 3n,
    staked: 370n,
    findings: [],
    ...change,
  });
  const errorsOf = (...answers: readonly SupplyAnswer[]): readonly string[] => {
    const book = new SupplyBook(1_000n);
    for (const [node, each] of answers.entries()) book.add(node, each);
    return book.errors;
  };

  it('are all there', () => {
    const later = answer({ height: 11, burned: 8n, accounts: 499n });
    expect(errorsOf(answer(), answer(), later, answer())).toEqual([]);
  });

  it.each([
    ['a coin too many', [answer({ accounts: 501n })]],
    ['what the node itself found', [answer({ findings: ['an account under the deposit'] })]],
    ['a coin that is booked as minted', [answer({ minted: 1n, accounts: 501n })]],
    ['another genesis', [answer({ genesis: 1_001n, accounts: 501n })]],
    ['two counts of one height', [answer(), answer({ accounts: 499n, feePool: 4n })]],
    ['burned coins that are back', [answer(), answer({ height: 11, burned: 6n, accounts: 501n })]],
  ])('are not: %s', (_name, answers) => {
    expect(errorsOf(...answers)).toHaveLength(1);
  });
});

describe('logs', () => {
  it('tell of conflicting votes and of errors, and of nothing else', () => {
    const lines: string[] = [];
    const log = createLogs({ all: 'info', parts: {} }, { write: (line) => void lines.push(line) })('node');
    log.warn(CONFLICTS[0]);
    log.error(CONFLICTS[1]);
    log.error('a request failed');
    log.fatal('the node cannot go on and stops');
    log.warn('a warning');
    const found = judgeLog(`${lines.join('')}{"level":"fatal","ms`);
    expect(found.conflicts).toHaveLength(2);
    expect(found.errors.map((line) => `${line}\n`)).toEqual([lines[2], lines[3]]);
  });

  it('are read for what the node really says', async () => {
    const names = await readdir(join(import.meta.dirname, '../../src'), { recursive: true });
    const sources = names.filter((name) => name.startsWith('node') && name.endsWith('.ts'));
    const texts = await Promise.all(
      sources.map((name) => readFile(join(import.meta.dirname, '../../src', name), 'utf8')),
    );
    for (const phrase of CONFLICTS) expect(texts.some((text) => text.includes(`'${phrase}'`))).toBe(true);
  });
});

describe('the plan', () => {
  it('is the same for the same seed and round', () => {
    expect(planRound(7, 3, 4, 1)).toEqual(planRound(7, 3, 4, 1));
    expect(planRound(7, 3, 4, 1)).not.toEqual(planRound(8, 3, 4, 1));
  });

  it('visits every fail point, whether there are three rounds or a hundred', () => {
    for (const rounds of [1, 3, FAIL_POINTS.length, 100]) {
      const perRound = Math.ceil(FAIL_POINTS.length / rounds);
      const visited = new Set(
        Array.from({ length: rounds }, (_, round) => planRound(1, round, 4, perRound)).flatMap((plan) =>
          [...plan.blows.flatMap(({ failPoint = [] }) => failPoint), ...plan.failPoints].map(
            ({ point }) => point,
          ),
        ),
      );
      expect([...visited].sort()).toEqual([...FAIL_POINTS].sort());
    }
  });

  it('kills one and all, while they start, and once more', () => {
    const plans = Array.from({ length: 100 }, (_, round) => planRound(1, round, 4, 1));
    const victims = plans.map(({ blows }) => new Set(blows.map(({ victim }) => victim)).size);
    expect(victims).toEqual(plans.map(({ blows }) => blows.length));
    expect(new Set(victims)).toEqual(new Set([1, 2, 3, 4]));
    expect(plans.some(({ blows }) => blows.some(({ startUpKills }) => startUpKills.length > 0))).toBe(true);
    expect(plans.some(({ again }) => again !== undefined)).toBe(true);
  });
});
