/**
 * The journal over damaged files. A long life is written once, through several segments, and the disk is photographed
 * after every operation; an input picks a photograph and damages it. Then the journal does not open and names the
 * file, or it knows exactly what it knew at some moment, and never a moment before the one that its mark speaks of:
 * what has left is not forgotten, and nothing is remembered that never was. One that opens goes on.
 */
import { type Bytes, toHex, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { Disk } from '../../src/consensus/journal/disk.ts';
import { Journal } from '../../src/consensus/journal/journal.ts';
import type { JournalRecord } from '../../src/consensus/journal/records.ts';
import { FINALIZE, NOTARIZE, NULLIFY } from '../../src/consensus/types.ts';
import { MemoryDisk } from '../consensus/memory-disk.ts';
import { certificate, F, GENESIS_HASH, keys, N, proposal, set, vote, X } from '../hostile/samples.ts';
import { damage, type Files } from './damage.ts';
import { codeOfRefusal, must, type Target } from './target.ts';

const MARK = 'synced';
const SEGMENT_BYTES = 1_500;
let salts = 0;

function open(disk: Disk): Promise<Journal> {
  return Journal.open({
    disk,
    set,
    genesisHash: GENESIS_HASH,
    randomBytes: (length) => sha256(utf8(`salt ${salts++}`)).slice(0, length),
    segmentBytes: SEGMENT_BYTES,
  });
}

/** All that a signer and an engine can learn from a journal; some bodies may be left out. */
async function knowledge(journal: Journal, without: ReadonlySet<string> = new Set()): Promise<string> {
  const { state } = journal;
  const views = state.views().map((view) => [
    view,
    ([NOTARIZE, NULLIFY, FINALIZE] as const).map((kind) => {
      const own = state.ownVote(1, kind, view);
      const held = state.certificatesOf(view)[kind];
      return [own && toHex(own.signature), held?.signatures.map(toHex)];
    }),
    state.verdictOf(view)?.ok,
  ]);
  const bodies: unknown[] = [];
  for (const { view, payload } of state.bodies()) {
    if (without.has(toHex(payload))) continue;
    const body = await journal.readBody(payload);
    bodies.push([view, toHex(payload), body && toHex(body)]);
  }
  return JSON.stringify([state.floor, views, bodies, state.historyOf(keys[2]!.publicKey)]);
}

/** What a validator writes in `count` views from 301 on. */
function life(count: number): JournalRecord[][] {
  const batches: JournalRecord[][] = [];
  for (let view = 301; view < 301 + count; view++) {
    const payload = sha256(utf8(`block ${view}`));
    const at = { ...proposal, view, parentView: view - 1, payload };
    if (view % 4 === 0) {
      batches.push(
        [{ type: 'vote', vote: vote(1, X(view)) }],
        [{ type: 'certificate', certificate: certificate(X(view)) }],
      );
      continue;
    }
    batches.push(
      [
        { type: 'body', view, payload, body: utf8(`the body of view ${view}`) },
        { type: 'vote', vote: vote(1, N(at)) },
      ],
      [
        { type: 'certificate', certificate: certificate(N(at)) },
        { type: 'verdict', view, payload, ok: view % 5 !== 0 },
      ],
      [{ type: 'vote', vote: vote(1, F(at)) }],
    );
    if (view % 3 === 0)
      batches.push([
        { type: 'certificate', certificate: certificate(F(at)) },
        { type: 'floor', view: view - 1 },
      ]);
  }
  batches.splice(7, 0, [
    { type: 'history', publicKey: keys[2]!.publicKey, serial: 3, view: 290, retired: true },
  ]);
  return batches;
}

interface Photograph {
  readonly files: Files;
  /** Batches that were committed when it was taken. */
  readonly committed: number;
}

/** What was known after so many batches. */
interface Moment {
  readonly text: string;
  readonly at: number;
}

interface Album {
  readonly photographs: readonly Photograph[];
  readonly known: readonly Moment[];
  /** After how many batches each content of the mark was written. */
  readonly marks: ReadonlyMap<string, number>;
}

class Camera extends MemoryDisk {
  readonly photographs: Photograph[] = [];
  readonly marks = new Map<string, number>();
  committed = 0;

  #shoot(): void {
    this.photographs.push({ files: this.copy().files, committed: this.committed });
  }
  override async append(name: string, bytes: Bytes): Promise<void> {
    await super.append(name, bytes);
    this.#shoot();
  }
  override async overwrite(name: string, bytes: Bytes): Promise<void> {
    await super.overwrite(name, bytes);
    // It is written last: what it speaks of is on the disk, though the journal has not said so yet.
    if (name === MARK) this.marks.set(toHex(bytes), this.committed);
    this.#shoot();
  }
  override async rename(from: string, to: string): Promise<void> {
    await super.rename(from, to);
    this.#shoot();
  }
  override async remove(name: string): Promise<void> {
    await super.remove(name);
    this.#shoot();
  }
}

async function album(): Promise<Album> {
  const camera = new Camera();
  const journal = await open(camera);
  const known: Moment[] = [{ text: await knowledge(journal), at: 0 }];
  for (const batch of life(14)) {
    for (const record of batch) journal.append(record);
    await journal.commit();
    // A checkpoint that is written on the way to a batch has its votes already, and not yet its bodies: nobody was told.
    const bodies = batch.flatMap((record) => (record.type === 'body' ? [toHex(record.payload)] : []));
    known.push({ text: await knowledge(journal, new Set(bodies)), at: camera.committed });
    camera.committed += 1;
    known.push({ text: await knowledge(journal), at: camera.committed });
  }
  return { photographs: camera.photographs, known, marks: camera.marks };
}

const { photographs, known, marks } = await album();

function diskOf(files: Files): MemoryDisk {
  const disk = new MemoryDisk();
  for (const [name, bytes] of files) disk.files.set(name, bytes.slice());
  return disk;
}

const LATER = 9_999;
const LAST_VOTE = vote(1, X(LATER));

/** It takes a vote and has it after another start. */
async function goesOn(journal: Journal, disk: MemoryDisk): Promise<void> {
  journal.append({ type: 'vote', vote: LAST_VOTE });
  await journal.commit();
  const before = await knowledge(journal);
  const again = await open(disk);
  must((await knowledge(again)) === before, 'after another start it knows something else');
  must(again.state.ownVote(1, NULLIFY, LATER) !== undefined, 'a vote that was committed is forgotten');
}

async function run(bytes: Bytes): Promise<string> {
  const { files, committed } = photographs[((bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)) % photographs.length]!;
  const harmed = damage(
    files,
    photographs.map((one) => one.files),
    bytes.subarray(2),
  );
  const disk = diskOf(harmed);
  let journal: Journal;
  let told: string;
  try {
    journal = await open(disk);
    told = await knowledge(journal);
  } catch (error) {
    return codeOfRefusal(error, ['JOURNAL_CORRUPT', 'JOURNAL_FOREIGN']);
  }
  const mark = harmed.get(MARK);
  const least = (mark === undefined ? undefined : marks.get(toHex(mark))) ?? 0;
  const moments = known.flatMap(({ text, at }) => (text === told ? [at] : []));
  must(moments.length > 0, `it knows what it never knew: ${told.slice(0, 300)}`);
  must(
    moments.some((at) => at >= least),
    `it knows what it knew after ${moments} batches, and its mark speaks of ${least}`,
  );
  const untouched = harmed === files;
  must(!untouched || moments.some((at) => at >= committed), `undamaged, it forgot what it had committed`);
  await goesOn(journal, disk);
  return untouched ? 'whole' : 'taken';
}

export function journalTargets(): Target[] {
  const places = [0, 1, photographs.length >> 1, photographs.length - 1];
  return [
    {
      name: 'journal',
      form: 'program',
      dear: true,
      covers: ['Journal.open', 'readMark', 'scanSegment', 'splitRecords'],
      seeds: places.map((at) => Uint8Array.of(at >> 8, at & 0xff)),
      run,
    },
  ];
}
