/**
 * Moving a validator. An exported history is one small file that says of a consensus key, on one chain: it has
 * signed nothing above this view, and signs nothing any more where the file comes from. Exporting retires the
 * directory durably before the file is written; importing lets the key sign above that view only. Each export
 * has a serial of its own that only grows, so that an old file cannot bring an old directory back to life.
 */
import * as z from 'zod';
import { genesisHash as hashOfGenesis } from '../../chain/genesis.ts';
import { type Bytes, concat, equal, fromHex, toHex, u64, utf8 } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import { sha256 } from '../../codec/hash.ts';
import { Journal } from '../../consensus/journal/journal.ts';
import { removeMark } from '../../consensus/journal/mark.ts';
import { MAX_SERIAL } from '../../consensus/journal/records.ts';
import { createValidatorSet, indexOfKey } from '../../consensus/validator-set.ts';
import { MAX_VIEW } from '../../consensus/vote.ts';
import { holdDatabase } from '../../storage/database.ts';
import { FileDisk } from '../../storage/journal-disk.ts';
import { dataDirectoryFiles, readGenesisFile } from '../data-directory.ts';
import { inspectKeyFile } from './key-file.ts';
import { lockDataDirectory } from './locks.ts';
import { createPrivateFile, readPrivateFile, refuser } from './private-file.ts';
import { journalMissing, mark, markerOf, openJournal, type SigningPlace } from './signing-guard.ts';
import type { SigningMarker } from './signing-marker.ts';

const MOST_BYTES = 4_096;
const CONTEXT = utf8('kryder/signing-history/1');

export interface SigningHistory {
  readonly genesisHash: Bytes;
  readonly publicKey: Bytes;
  readonly serial: number;
  /** The key has signed nothing above it. */
  readonly view: number;
}

const hex32 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((text) => fromHex(text));
const schema = z.strictObject({
  version: z.literal(1),
  type: z.literal('signing-history'),
  genesisHash: hex32,
  publicKey: hex32,
  serial: z.number().int().min(1).max(MAX_SERIAL),
  view: z.number().int().min(0).max(MAX_VIEW),
  checksum: hex32,
});

/** Finds what was mistyped or damaged; it proves nothing about who wrote it. */
function checksum({ genesisHash, publicKey, serial, view }: SigningHistory): Bytes {
  return sha256(concat(CONTEXT, genesisHash, publicKey, u64(serial), u64(view)));
}

async function writeHistoryFile(path: string, history: SigningHistory): Promise<void> {
  const content = {
    version: 1,
    type: 'signing-history',
    genesisHash: toHex(history.genesisHash),
    publicKey: toHex(history.publicKey),
    serial: history.serial,
    view: history.view,
    checksum: toHex(checksum(history)),
  };
  const refuse = refuser('HISTORY_FILE', 'signing history', path);
  await createPrivateFile(path, `${JSON.stringify(content, null, 2)}\n`, refuse);
}

async function readHistoryFile(path: string): Promise<SigningHistory> {
  const refuse = refuser('HISTORY_FILE', 'signing history', path);
  const text = await readPrivateFile(path, MOST_BYTES, refuse);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return refuse(`is damaged: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  if (!equal(checksum(parsed.data), parsed.data.checksum)) refuse('is damaged: its checksum does not match');
  return parsed.data;
}

/**
 * Works on the directory's journal while no node does. A node in another container does not see the lock of the
 * directory, but has the database.
 */
async function withPlace<T>(
  directory: string,
  work: (place: SigningPlace, index: number) => Promise<T>,
): Promise<T> {
  const lock = await lockDataDirectory(directory);
  let letGo: (() => Promise<void>) | undefined;
  try {
    const files = dataDirectoryFiles(directory);
    letGo = await holdDatabase(files.database);
    const genesis = await readGenesisFile(files.genesis);
    const set = createValidatorSet(0, genesis.seed, genesis.validators);
    const { publicKey } = await inspectKeyFile(files.consensusKey, 'consensus');
    const index = indexOfKey(set, publicKey);
    if (index === undefined) {
      throw new ProtocolError(
        'HISTORY_FOREIGN',
        `${files.consensusKey} is not a validator's of this chain: it has no history`,
      );
    }
    const disk = await FileDisk.open(files.journal);
    try {
      return await work({ directory, disk, set, genesisHash: hashOfGenesis(genesis), publicKey }, index);
    } finally {
      await disk.close();
    }
  } finally {
    await letGo?.();
    await lock.release();
  }
}

/** The journal to write a history into. One that was lost leaves a mark behind, which would have it back. */
async function journalFor(place: SigningPlace): Promise<Journal> {
  if (!(await Journal.exists(place.disk))) await removeMark(place.disk);
  return openJournal(place);
}

/** What is known of the key's moves here, from the marker and from the journal: the newer of the two. */
interface Moves {
  readonly marker: SigningMarker | undefined;
  readonly serial: number;
  readonly retired: boolean;
}

async function movesOf(place: SigningPlace, journal: Journal): Promise<Moves> {
  const marker = await markerOf(place);
  const held = journal.state.historyOf(place.publicKey);
  const serial = Math.max(marker?.serial ?? 0, held?.serial ?? 0);
  // A crash between the record and the marker leaves the marker behind; an import clears both, record first.
  const retired = held === undefined ? marker?.journal === 'retired' : held.retired;
  return { marker, serial, retired };
}

/**
 * Retires the directory and writes what its key has signed to a new file. Doing it again writes the same once
 * more. Throws `JOURNAL_MISSING`, `HISTORY_FILE`, `DATA_DIRECTORY_IN_USE`.
 */
export function exportHistory(directory: string, file: string): Promise<SigningHistory> {
  return withPlace(directory, async (place, index) => {
    const { genesisHash, publicKey } = place;
    const begun = ['begun', 'retired'].includes((await markerOf(place))?.journal ?? '');
    if (!begun || !(await Journal.exists(place.disk))) {
      throw journalMissing(directory, `${directory} has no history of this key to export`);
    }
    const journal = await openJournal(place);
    try {
      const moves = await movesOf(place, journal);
      const serial = moves.retired ? moves.serial : moves.serial + 1;
      const view = journal.state.signedUpTo(index, publicKey);
      journal.append({ type: 'history', publicKey, serial, view, retired: true });
      await journal.commit();
      await mark(place, 'retired', serial);
      const history = { genesisHash, publicKey, serial, view };
      await writeHistoryFile(file, history);
      return history;
    } finally {
      await journal.close();
    }
  });
}

function checkOwner(file: string, history: SigningHistory, { genesisHash, publicKey }: SigningPlace): void {
  const [what, theirs, ours] = equal(history.genesisHash, genesisHash)
    ? ['key', history.publicKey, publicKey]
    : ['chain with genesis', history.genesisHash, genesisHash];
  if (equal(theirs, ours)) return;
  throw new ProtocolError(
    'HISTORY_FOREIGN',
    `"${file}" is a history of the ${what} ${toHex(theirs)}, here it is ${toHex(ours)}`,
  );
}

/**
 * Lets the directory's key sign above the view that the file names. Refuses the history of another chain or
 * key (`HISTORY_FOREIGN`), and one that is not newer than what is known here (`HISTORY_OLD`). With `undo` a
 * directory takes its own export back, which is safe only if nobody else imported it.
 */
export function importHistory(directory: string, file: string, undo = false): Promise<SigningHistory> {
  return withPlace(directory, async (place, index) => {
    const history = await readHistoryFile(file);
    checkOwner(file, history, place);
    const journal = await journalFor(place);
    try {
      const moves = await movesOf(place, journal);
      const again = undo && moves.retired && moves.serial === history.serial;
      if (!again && history.serial <= moves.serial) throw notNewer(file, moves);
      const { publicKey } = history;
      const voted = journal.state.votedUpTo(index, publicKey);
      if (history.view < voted) {
        throw new ProtocolError(
          'HISTORY_OLD',
          `"${file}" ends at view ${history.view}, but this key has signed up to view ${voted} here: a newer ` +
            'history is needed',
        );
      }
      // A directory that only followed may well be further than the one that voted.
      const view = Math.max(history.view, journal.state.signedUpTo(index, publicKey));
      const serial = again ? history.serial + 1 : history.serial;
      journal.append({ type: 'history', publicKey, serial, view, retired: false });
      await journal.commit();
      await mark(place, 'begun', serial);
      return { ...history, view };
    } finally {
      await journal.close();
    }
  });
}

function notNewer(file: string, { retired }: Moves): ProtocolError {
  return new ProtocolError(
    'HISTORY_OLD',
    retired
      ? `"${file}" is not newer than the export that retired this directory: export the history where the ` +
          'validator is now; only if that export was never imported anywhere, add --not-imported-elsewhere'
      : `"${file}" is not newer than the history that was imported here last`,
  );
}

/**
 * Lets a key whose history is lost sign above `view`. Only who knows that the key never voted above it, and
 * votes nowhere else, may do so. Throws `HISTORY_PRESENT` where there is a history.
 */
export function beginHistory(directory: string, view: number): Promise<SigningHistory> {
  return withPlace(directory, async (place, index) => {
    const { genesisHash, publicKey } = place;
    const present = await Journal.exists(place.disk);
    const journal = await journalFor(place);
    try {
      const { marker, serial, retired } = await movesOf(place, journal);
      if (retired || (present && marker?.journal === 'begun')) {
        throw new ProtocolError(
          'HISTORY_PRESENT',
          retired
            ? `this validator was moved away from ${directory}: import its history from where it is now`
            : `the journal in ${directory} knows what this key has signed; there is nothing to begin`,
        );
      }
      const above = Math.max(view, journal.state.signedUpTo(index, publicKey));
      journal.append({ type: 'history', publicKey, serial: serial + 1, view: above, retired: false });
      await journal.commit();
      await mark(place, 'begun', serial + 1);
      return { genesisHash, publicKey, serial: serial + 1, view: above };
    } finally {
      await journal.close();
    }
  });
}
