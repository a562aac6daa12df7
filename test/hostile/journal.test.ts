/**
 * The journal's files with any byte changed or any part missing: the node does not start and names the place, or
 * it knows exactly what it knew. It never forgets a vote that it may have sent. What a crash tears is another
 * thing, and is cut off: that was never synced, so nothing of it had left.
 */
import { describe, expect, it } from 'vitest';
import { type Bytes, toHex, utf8 } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { Disk } from '../../src/consensus/journal/disk.ts';
import { Journal } from '../../src/consensus/journal/journal.ts';
import type { JournalRecord } from '../../src/consensus/journal/records.ts';
import { FINALIZE, NOTARIZE, NULLIFY } from '../../src/consensus/types.ts';
import { MemoryDisk } from '../consensus/memory-disk.ts';
import { flipped } from './mutations.ts';
import { certificate, F, GENESIS_HASH, keys, N, proposal, set, vote, X } from './samples.ts';

type Files = Map<string, Bytes>;
let salts = 0;

function open(disk: Disk): Promise<Journal> {
  return Journal.open({
    disk,
    set,
    genesisHash: GENESIS_HASH,
    randomBytes: (length) => sha256(utf8(`salt ${salts++}`)).slice(0, length),
  });
}

function diskOf(files: Files): MemoryDisk {
  const disk = new MemoryDisk();
  for (const [name, bytes] of files) disk.files.set(name, bytes.slice());
  return disk;
}

/** What a signer and an engine can learn from a journal. */
async function knowledge({ state }: Journal): Promise<string> {
  const views = state.views().map((view) => [
    view,
    ([NOTARIZE, NULLIFY, FINALIZE] as const).map((kind) => {
      const own = state.ownVote(1, kind, view);
      const held = state.certificatesOf(view)[kind];
      return [own && toHex(own.signature), held?.signatures.map(toHex)];
    }),
    state.verdictOf(view)?.ok,
  ]);
  return JSON.stringify([
    state.floor,
    views,
    state.bodies().map(({ view }) => view),
    state.historyOf(keys[2]!.publicKey),
  ]);
}

const batches: readonly (readonly JournalRecord[])[] = [
  [
    { type: 'body', view: 301, payload: proposal.payload, body: utf8('a body of a few bytes') },
    { type: 'vote', vote: vote(1, N(proposal)) },
  ],
  [
    { type: 'certificate', certificate: certificate(N(proposal)) },
    { type: 'verdict', view: 301, payload: proposal.payload, ok: true },
  ],
  [{ type: 'vote', vote: vote(1, F(proposal)) }],
  [{ type: 'history', publicKey: keys[2]!.publicKey, serial: 3, view: 290, retired: true }],
  // The last word of this node: a vote that others have, and that must never be followed by an F.
  [{ type: 'vote', vote: vote(1, X(302)) }],
];

/** The files after so many batches, what they say, and where the segment's batches end. */
interface Written {
  readonly files: Files;
  readonly known: string;
  readonly end: number;
}

/** One entry a batch, and one before the first. */
async function write(): Promise<Written[]> {
  const disk = new MemoryDisk();
  const journal = await open(disk);
  const note = async (): Promise<Written> => ({
    files: disk.copy().files,
    known: await knowledge(journal),
    end: journal.metrics.segmentBytes,
  });
  const history = [await note()];
  for (const batch of batches) {
    for (const record of batch) journal.append(record);
    await journal.commit();
    history.push(await note());
  }
  return history;
}

const history = await write();
const { files, known } = history.at(-1)!;
const before = history.at(-2)!;
const SEGMENT = 'journal-0000000001';
const MARK = 'synced';

/** What a node that starts on these files knows, or the code by which it does not start. */
async function start(given: Files): Promise<string> {
  try {
    return await knowledge(await open(diskOf(given)));
  } catch (error) {
    if (!isProtocolError(error)) throw error;
    expect(error.message).toContain('journal-');
    return error.code;
  }
}

function changed(name: string, bytes: Bytes): Files {
  return new Map([...files, [name, bytes]]);
}

describe('a journal', () => {
  it('is there, in two files', async () => {
    expect([...files.keys()].sort()).toEqual([SEGMENT, MARK]);
    expect(await start(files)).toBe(known);
  });

  it('with any byte changed does not start, up to its last byte', async () => {
    for (const { bytes, at } of flipped(files.get(SEGMENT)!)) {
      expect(await start(changed(SEGMENT, bytes)), `byte ${at}`).toMatch(/^JOURNAL_(CORRUPT|FOREIGN)$/);
    }
  });

  it('cut at any length does not start', async () => {
    const segment = files.get(SEGMENT)!;
    for (let length = 0; length < segment.length; length++) {
      expect(await start(changed(SEGMENT, segment.slice(0, length)))).toBe('JOURNAL_CORRUPT');
    }
  });

  it('whose mark is damaged, cut or gone knows what it knew', async () => {
    const mark = files.get(MARK)!;
    for (const { bytes } of flipped(mark)) expect(await start(changed(MARK, bytes))).toBe(known);
    for (let length = 0; length < mark.length; length++) {
      expect(await start(changed(MARK, mark.slice(0, length)))).toBe(known);
    }
    expect(await start(new Map([[SEGMENT, files.get(SEGMENT)!]]))).toBe(known);
    expect(await start(changed(MARK, Uint8Array.of(...mark, 1, 2, 3)))).toBe(known);
  });

  it('that is gone, or an older one, or another one, does not start', async () => {
    expect(await start(new Map([[MARK, files.get(MARK)!]]))).toBe('JOURNAL_CORRUPT');
    for (const older of history.slice(0, -1)) {
      expect(await start(changed(SEGMENT, older.files.get(SEGMENT)!))).toBe('JOURNAL_CORRUPT');
    }
    const another = (await write()).at(-1)!;
    expect(await start(changed(SEGMENT, another.files.get(SEGMENT)!))).toBe('JOURNAL_CORRUPT');
    const renamed = new Map(files).set('journal-0000000000', files.get(SEGMENT)!);
    renamed.delete(SEGMENT);
    expect(await start(renamed)).toBe('JOURNAL_CORRUPT');
  });

  it('torn by a crash, before its sync and so before its mark, loses the torn batch alone', async () => {
    const whole = files.get(SEGMENT)!;
    const torn = (bytes: Bytes): Files => new Map(before.files).set(SEGMENT, bytes);
    for (let length = before.end; length < whole.length; length++) {
      expect(await start(torn(whole.slice(0, length)))).toBe(before.known);
    }
    for (const { bytes, at } of flipped(whole)) {
      if (at >= before.end) expect(await start(torn(bytes))).toBe(before.known);
    }
    // Written as a whole, and not synced yet: nothing has left, and nothing is lost either.
    expect(await start(torn(whole))).toBe(known);
  });
});
