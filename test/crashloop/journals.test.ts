/** The crash loop reads real journals: also what a node has deleted since, and what it should never have written. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { utf8 } from '../../src/codec/bytes.ts';
import { Journal } from '../../src/consensus/journal/journal.ts';
import { FileDisk } from '../../src/storage/journal-disk.ts';
import { committee, F, GENESIS_HASH, N, proposal, X } from '../consensus/support.ts';
import { Journals } from './journals.ts';
import { VoteBook } from './votes.ts';

const { scheme, set, vote, certificate } = committee();
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder-test-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const open = async (name: string): Promise<{ journal: Journal; close: () => Promise<void> }> => {
  const disk = await FileDisk.open(join(dir, name));
  const journal = await Journal.open({
    disk,
    set,
    genesisHash: GENESIS_HASH,
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
    segmentBytes: 2_000,
  });
  return {
    journal,
    close: async () => {
      await journal.close();
      await disk.close();
    },
  };
};

const reader = (...journals: string[]) => {
  const book = new VoteBook();
  const options = { set, genesisHash: GENESIS_HASH, verifier: scheme.verifier, book };
  const paths = journals.map((name) => join(dir, name));
  return { book, journals: new Journals({ ...options, evidence: join(dir, 'evidence'), journals: paths }) };
};

it('keeps what a node deletes: votes of segments that are gone', async () => {
  const { book, journals } = reader('a');
  const { journal, close } = await open('a');
  const expected = 200;
  for (let view = 1; view <= expected; view++) {
    journal.append({ type: 'vote', vote: vote(0, N(proposal(view, view - 1))) });
    await journal.commit();
    if (view % 3 === 0) journal.append({ type: 'floor', view });
    await journals.poll();
  }
  await close();
  await journals.collect();
  expect(journals.segments).toBeGreaterThan(5);
  expect(journals.silent).toEqual([]);
  expect([journals.gaps, journals.findings, book.votes, book.findings]).toEqual([0, [], expected, []]);
  await journals.collect();
  expect(book.votes).toBe(expected);
});

it('says so when a segment came and went unseen', async () => {
  const { book, journals } = reader('a');
  const { journal, close } = await open('a');
  await journals.poll();
  for (let view = 1; view <= 100; view++) {
    journal.append({ type: 'vote', vote: vote(0, X(view)) });
    await journal.commit();
    journal.append({ type: 'floor', view });
  }
  await close();
  await journals.collect();
  expect(journals.gaps).toBeGreaterThan(0);
  expect(book.votes).toBeLessThan(100);
});

it('says whose votes were never read', async () => {
  const { journals } = reader('a', 'nowhere');
  const { journal, close } = await open('a');
  journal.append({ type: 'vote', vote: vote(0, X(1)) });
  await close();
  await journals.collect();
  expect(journals.silent).toEqual([1]);
});

it('finds a vote that contradicts another node’s certificate, though the own journal does not know it', async () => {
  const [a, b] = [proposal(1, 0, 'a'), proposal(1, 0, 'b')];
  const first = await open('a');
  first.journal.append({ type: 'vote', vote: vote(0, N(a)) });
  await first.close();
  const second = await open('b');
  second.journal.append({ type: 'certificate', certificate: certificate(N(b), [0, 1, 2]) });
  await second.close();
  const { book, journals } = reader('a', 'b');
  await journals.collect();
  expect(journals.findings).toEqual([]);
  expect(book.findings).toHaveLength(1);
  expect(book.findings[0]).toContain('validator 0, view 1');
});

it('finds two votes of two lives of one journal: one was rolled back in between', async () => {
  const { book, journals } = reader('a');
  const first = await open('a');
  first.journal.append({ type: 'vote', vote: vote(2, X(4)) });
  await first.close();
  await journals.collect();
  await rm(join(dir, 'a'), { recursive: true });
  await rm(join(dir, 'evidence'), { recursive: true });
  const again = await open('a');
  again.journal.append({ type: 'vote', vote: vote(2, F(proposal(4, 3))) });
  await again.close();
  const later = new Journals({
    evidence: join(dir, 'evidence'),
    journals: [join(dir, 'a')],
    set,
    genesisHash: GENESIS_HASH,
    verifier: scheme.verifier,
    book,
  });
  await later.collect();
  expect(book.findings).toHaveLength(1);
});

it('finds a signature that is not the signer’s, and a journal that cannot be read', async () => {
  const forged = { ...vote(1, X(3)), signer: 2 };
  const first = await open('a');
  first.journal.append({ type: 'vote', vote: forged });
  await first.close();
  const disk = await FileDisk.open(join(dir, 'b'));
  await disk.append(
    'journal-0000000001',
    utf8('this is no segment at all, and longer than a header would be'),
  );
  await disk.close();
  const { book, journals } = reader('a', 'b');
  await journals.collect();
  expect(journals.findings).toHaveLength(2);
  expect(journals.findings[0]).toContain('validator 2');
  expect(journals.findings[1]).toContain('corrupt');
  expect(book.votes).toBe(0);
});
