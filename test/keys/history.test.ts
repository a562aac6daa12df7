import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEVNET_PARAMETERS, type Genesis, genesisHash } from '../../src/chain/genesis.ts';
import { Journal } from '../../src/consensus/journal/journal.ts';
import { Signer } from '../../src/consensus/signer.ts';
import { NULLIFY } from '../../src/consensus/types.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { genesisEntries } from '../../src/ledger/genesis.ts';
import { initDataDirectory } from '../../src/node/data-directory.ts';
import { admitSigner, openJournal, type SigningPlace } from '../../src/node/keys/signing-guard.ts';
import { beginHistory, exportHistory, importHistory } from '../../src/node/keys/signing-history.ts';
import { ChainDatabase } from '../../src/storage/database.ts';
import { FileDisk } from '../../src/storage/journal-disk.ts';
import { newGenesis } from '../../src/story/new-genesis.ts';

const fresh = (name = 'harbour') =>
  newGenesis({ name, validators: 2, stake: 1_000_000_000n, accounts: [], parameters: DEVNET_PARAMETERS });

let dir: string;
let genesis: Genesis;
let seeds: readonly Uint8Array[];
const path = (name: string): string => join(dir, name);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder history ü-'));
  ({ genesis, seeds } = fresh());
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const make = (name: string, of = 0) =>
  initDataDirectory(path(name), genesis, {}, { consensus: { seed: seeds[of]! } });

/** What a node's start and life would do with the key: be admitted, and ask for X votes. */
async function vote(name: string, views: readonly number[], height = 0): Promise<string[]> {
  const disk = await FileDisk.open(join(path(name), 'journal'));
  const key = signingKey(seeds[0]!);
  const place: SigningPlace = {
    directory: path(name),
    disk,
    set: createValidatorSet(0, genesis.seed, genesis.validators),
    genesisHash: genesisHash(genesis),
    publicKey: key.publicKey,
  };
  try {
    await admitSigner(place, height);
    const journal = await openJournal(place);
    try {
      const signer = new Signer({ key, set: place.set, genesisHash: place.genesisHash, journal });
      const outcomes: string[] = [];
      for (const view of views) {
        try {
          await signer.sign({ kind: NULLIFY, epoch: 0, view });
          outcomes.push('signed');
        } catch (error) {
          outcomes.push((error as { code: string }).code);
        }
      }
      return outcomes;
    } finally {
      await journal.close();
    }
  } finally {
    await disk.close();
  }
}

const code = (value: string) => expect.objectContaining({ code: value });

describe('moving a validator', () => {
  it('the new place signs above the history only, the old one nothing any more', async () => {
    await make('a');
    await make('b');
    expect(await vote('a', [1, 2, 7])).toEqual(['signed', 'signed', 'signed']);
    const exported = await exportHistory(path('a'), path('moved'));
    expect(exported).toMatchObject({ view: 7, serial: 1 });
    await expect(vote('a', [8])).rejects.toMatchObject({
      code: 'KEY_RETIRED',
      message: expect.stringContaining('history import'),
    });
    await importHistory(path('b'), path('moved'));
    expect(await vote('b', [1, 7, 8])).toEqual(['SIGN_BELOW_HISTORY', 'SIGN_BELOW_HISTORY', 'signed']);
  });

  it('and back again, never with an older file', async () => {
    await make('a');
    await make('b');
    await vote('a', [3]);
    await exportHistory(path('a'), path('1'));
    await importHistory(path('b'), path('1'));
    await expect(importHistory(path('b'), path('1'))).rejects.toThrow(code('HISTORY_OLD'));
    await expect(importHistory(path('a'), path('1'))).rejects.toMatchObject({
      code: 'HISTORY_OLD',
      message: expect.stringContaining('--not-imported-elsewhere'),
    });
    await vote('b', [9]);
    expect(await exportHistory(path('b'), path('2'))).toMatchObject({ serial: 2, view: 9 });
    await importHistory(path('a'), path('2'));
    expect(await vote('a', [9, 10])).toEqual(['SIGN_BELOW_HISTORY', 'signed']);
    await expect(vote('b', [11])).rejects.toThrow(code('KEY_RETIRED'));
    for (const file of ['1', '2']) {
      await expect(importHistory(path('b'), path(file))).rejects.toThrow(code('HISTORY_OLD'));
    }
  });

  it('can be exported again when the file was lost, and taken back when it was never used', async () => {
    await make('a');
    await vote('a', [4]);
    const first = await exportHistory(path('a'), path('1'));
    expect(await exportHistory(path('a'), path('1 again'))).toEqual(first);
    expect(await readFile(path('1'), 'utf8')).toBe(await readFile(path('1 again'), 'utf8'));
    await importHistory(path('a'), path('1'), true);
    expect(await vote('a', [3, 5])).toEqual(['SIGN_BELOW_HISTORY', 'signed']);
    // Only once: the next export has a serial of its own.
    expect(await exportHistory(path('a'), path('3'))).toMatchObject({ serial: 3, view: 5 });
    await expect(importHistory(path('a'), path('1'), true)).rejects.toThrow(code('HISTORY_OLD'));
  });

  it('survives rotations of the journal', async () => {
    await make('a');
    await make('b');
    await vote('a', [5]);
    await exportHistory(path('a'), path('1'));
    await importHistory(path('b'), path('1'));
    const disk = await FileDisk.open(join(path('b'), 'journal'));
    const set = createValidatorSet(0, genesis.seed, genesis.validators);
    const journal = await Journal.open({
      disk,
      set,
      genesisHash: genesisHash(genesis),
      randomBytes: (length) => new Uint8Array(length).fill(7),
      segmentBytes: 500,
    });
    for (let view = 1; view <= 100; view++) {
      journal.append({ type: 'floor', view });
      await journal.commit();
    }
    await journal.close();
    await disk.close();
    expect(await readdir(join(path('b'), 'journal'))).not.toContain('journal-0000000001');
    expect(await vote('b', [100, 101])).toEqual(['SIGN_BELOW_FLOOR', 'signed']);
    expect(await exportHistory(path('b'), path('2'))).toMatchObject({ view: 101, serial: 2 });
  });

  it('refuses the history of another key and of another chain', async () => {
    await make('a');
    await make('other', 1);
    await vote('a', [1]);
    await exportHistory(path('a'), path('1'));
    await expect(importHistory(path('other'), path('1'))).rejects.toThrow(code('HISTORY_FOREIGN'));
    const { genesis: another } = fresh('elsewhere');
    genesis = { ...another, validators: genesis.validators };
    await make('elsewhere');
    await expect(importHistory(path('elsewhere'), path('1'))).rejects.toMatchObject({
      code: 'HISTORY_FOREIGN',
      message: expect.stringContaining('chain'),
    });
    await initDataDirectory(path('follower'), genesis, {}, {});
    await expect(importHistory(path('follower'), path('1'))).rejects.toThrow(code('KEY_FILE'));
  });

  it('takes a history that ends before what was only followed here, and signs above both', async () => {
    await make('a');
    await vote('a', [5]);
    await exportHistory(path('a'), path('1'));
    // As docs/keys.md has it: a follower first, the key when it has caught up.
    await initDataDirectory(path('b'), genesis, {}, {});
    const disk = await FileDisk.open(join(path('b'), 'journal'));
    const set = createValidatorSet(0, genesis.seed, genesis.validators);
    const journal = await Journal.open({
      disk,
      set,
      genesisHash: genesisHash(genesis),
      randomBytes: (length) => new Uint8Array(length).fill(7),
    });
    journal.append({ type: 'floor', view: 900 });
    await journal.commit();
    await journal.close();
    await disk.close();
    await cp(join(path('a'), 'consensus.key.json'), join(path('b'), 'consensus.key.json'));
    await expect(vote('b', [901], 900)).rejects.toThrow(code('JOURNAL_MISSING'));
    expect(await importHistory(path('b'), path('1'))).toMatchObject({ view: 900, serial: 1 });
    expect(await vote('b', [6, 900, 901], 900)).toEqual(['SIGN_BELOW_FLOOR', 'SIGN_BELOW_FLOOR', 'signed']);
    expect(await exportHistory(path('b'), path('2'))).toMatchObject({ view: 901, serial: 2 });
  });

  it('is refused while somebody has the database, whom the lock of the directory does not show', async () => {
    await make('a');
    await vote('a', [5]);
    const hash = genesisHash(genesis);
    const entries = () => genesisEntries({ ...genesis, genesisHash: hash });
    const open = () => ChainDatabase.open(join(path('a'), 'db'), { hash, entries });
    const database = await open();
    await expect(exportHistory(path('a'), path('1'))).rejects.toThrow(code('DATABASE_LOCKED'));
    await expect(beginHistory(path('a'), 9)).rejects.toThrow(code('DATABASE_LOCKED'));
    await database.close();
    expect(await vote('a', [6])).toEqual(['signed']);
    await exportHistory(path('a'), path('1'));
    await (await open()).close();
  });

  it('refuses a history that ends before what was signed here', async () => {
    await make('a');
    await make('b');
    await vote('a', [5]);
    await vote('b', [50]);
    await exportHistory(path('a'), path('1'));
    await expect(importHistory(path('b'), path('1'))).rejects.toMatchObject({
      code: 'HISTORY_OLD',
      message: expect.stringContaining('view 50'),
    });
    expect(await vote('b', [51])).toEqual(['signed']);
  });

  it('notices a file with any byte flipped or missing', async () => {
    await make('a');
    await make('b');
    await vote('a', [5]);
    await exportHistory(path('a'), path('1'));
    const whole = await readFile(path('1'));
    for (let at = 0; at < whole.length - 1; at += 3) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 0x01;
      for (const bytes of [flipped, whole.subarray(0, at)]) {
        await writeFile(path('1'), bytes);
        await expect(importHistory(path('b'), path('1'))).rejects.toThrow(code('HISTORY_FILE'));
      }
    }
  });
});

describe('a journal that is gone', () => {
  const forget = (name: string) => rm(join(path(name), 'journal'), { recursive: true });

  it('is begun once, at genesis, in a directory made for the key', async () => {
    await make('a');
    expect(await vote('a', [1])).toEqual(['signed']);
    await forget('a');
    for (const height of [0, 5]) {
      await expect(vote('a', [1], height)).rejects.toMatchObject({
        code: 'JOURNAL_MISSING',
        message: expect.stringMatching(/history import .* history begin/),
      });
    }
  });

  it('is missed by a database beyond genesis, and in a directory that nobody made for the key', async () => {
    await make('a');
    await expect(vote('a', [1], 1)).rejects.toThrow(code('JOURNAL_MISSING'));
    await rm(join(path('a'), 'signing.json'));
    await expect(vote('a', [1])).rejects.toThrow(code('JOURNAL_MISSING'));
    // The journal of a follower, or of another key, knows nothing about this one.
    await make('b', 1);
    await vote('a', [1]).catch(() => undefined);
    await cp(join(path('b'), 'signing.json'), join(path('a'), 'signing.json'));
    await expect(vote('a', [1])).rejects.toThrow(code('JOURNAL_MISSING'));
  });

  it('may be begun above a view that somebody answers for', async () => {
    await make('a');
    await vote('a', [1, 2]);
    await forget('a');
    await beginHistory(path('a'), 1_000);
    expect(await vote('a', [2, 1_000, 1_001], 5)).toEqual([
      'SIGN_BELOW_HISTORY',
      'SIGN_BELOW_HISTORY',
      'signed',
    ]);
    await expect(beginHistory(path('a'), 5_000)).rejects.toThrow(code('HISTORY_PRESENT'));
    await exportHistory(path('a'), path('1'));
    await expect(beginHistory(path('a'), 5_000)).rejects.toThrow(code('HISTORY_PRESENT'));
    // Nor does deleting the journal bring a retired directory back.
    await forget('a');
    await expect(beginHistory(path('a'), 5_000)).rejects.toThrow(code('HISTORY_PRESENT'));
    await expect(importHistory(path('a'), path('1'))).rejects.toThrow(code('HISTORY_OLD'));
    await expect(vote('a', [6_000])).rejects.toThrow(code('KEY_RETIRED'));
  });

  it('with its files lost but not its folder, comes back with a history', async () => {
    await make('a');
    await make('b');
    await vote('a', [1]);
    await exportHistory(path('a'), path('1'));
    await vote('b', [1]);
    await rm(join(path('b'), 'journal', 'journal-0000000001'));
    await expect(vote('b', [2])).rejects.toThrow(code('JOURNAL_MISSING'));
    await importHistory(path('b'), path('1'));
    expect(await vote('b', [1, 2])).toEqual(['SIGN_BELOW_HISTORY', 'signed']);
  });

  it('has nothing to export', async () => {
    await make('a');
    await expect(exportHistory(path('a'), path('1'))).rejects.toThrow(code('JOURNAL_MISSING'));
    await vote('a', [1]);
    await forget('a');
    await expect(exportHistory(path('a'), path('1'))).rejects.toThrow(code('JOURNAL_MISSING'));
  });

  it('keeps its note when the directory is made again', async () => {
    await make('a');
    await vote('a', [1]);
    await rm(join(path('a'), 'genesis.json'));
    await forget('a');
    await make('a');
    await expect(vote('a', [1])).rejects.toThrow(code('JOURNAL_MISSING'));
  });
});

describe('a crash in the middle of a move', () => {
  /** The directory as it was, but with the journal of later: the marker had not been written yet. */
  it('after the record of an export leaves a directory that signs nothing, and can be exported again', async () => {
    await make('a');
    await vote('a', [5]);
    await cp(join(path('a'), 'signing.json'), path('marker before'));
    const first = await exportHistory(path('a'), path('1'));
    await cp(path('marker before'), join(path('a'), 'signing.json'));
    await expect(vote('a', [6])).rejects.toThrow(code('KEY_RETIRED'));
    expect(await exportHistory(path('a'), path('2'))).toEqual(first);
  });

  it('after the record of an import leaves a directory that signs above the history', async () => {
    await make('a');
    await make('b');
    await vote('a', [5]);
    await exportHistory(path('a'), path('1'));
    await importHistory(path('b'), path('1'));
    await exportHistory(path('b'), path('2'));
    await cp(join(path('a'), 'signing.json'), path('marker before'));
    await importHistory(path('a'), path('2'));
    await cp(path('marker before'), join(path('a'), 'signing.json'));
    expect(await vote('a', [4, 6])).toEqual(['SIGN_BELOW_HISTORY', 'signed']);
  });
});
