/**
 * Asked once at a node's start, before anything can be signed: is the journal here that says what this
 * consensus key has signed? A journal that is gone must not be taken for one that has yet to begin, or the key
 * would sign a second time what it signed before. It begins exactly once: on a database that is at genesis, in
 * a directory that was made for this key, or where `kryder keys history` says from where on.
 */
import { randomBytes } from 'node:crypto';
import { type Bytes, equal } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import type { Disk } from '../../consensus/journal/disk.ts';
import { Journal } from '../../consensus/journal/journal.ts';
import type { ValidatorSet } from '../../consensus/types.ts';
import { readMarker, type SigningMarker, writeMarker } from './signing-marker.ts';

export interface SigningPlace {
  /** The data directory. */
  readonly directory: string;
  readonly disk: Disk;
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  readonly publicKey: Bytes;
}

export function openJournal({ disk, set, genesisHash }: SigningPlace): Promise<Journal> {
  const salts = (length: number): Bytes => new Uint8Array(randomBytes(length));
  return Journal.open({ disk, set, genesisHash, randomBytes: salts });
}

/** The directory's marker, where it is about this key on this chain. */
export async function markerOf(place: SigningPlace): Promise<SigningMarker | undefined> {
  const marker = await readMarker(place.directory);
  const ours =
    marker !== undefined &&
    equal(marker.genesisHash, place.genesisHash) &&
    equal(marker.publicKey, place.publicKey);
  return ours ? marker : undefined;
}

export function mark(
  { directory, genesisHash, publicKey }: SigningPlace,
  journal: 'begun' | 'retired',
  serial: number,
): Promise<void> {
  return writeMarker(directory, { genesisHash, publicKey, journal, serial });
}

export function journalMissing(directory: string, what: string): ProtocolError {
  return new ProtocolError(
    'JOURNAL_MISSING',
    `${what}, so what this consensus key has signed is unknown, and signing again could get it punished; ` +
      `bring its history here with "kryder keys history import --dir ${directory} FILE", or, if that is lost and ` +
      'the key votes nowhere any more, let it begin above every view that it can have voted in with ' +
      `"kryder keys history begin --dir ${directory} --above VIEW" (docs/keys.md)`,
  );
}

function retired(directory: string): ProtocolError {
  return new ProtocolError(
    'KEY_RETIRED',
    `this validator was moved away: its signing history was exported from ${directory}, and it signs nothing ` +
      'here; to bring it back, export the history where it is now and run ' +
      `"kryder keys history import --dir ${directory} FILE"; to follow without voting, remove consensus.key.json`,
  );
}

/** Ends a validator whose key has signed what its journal does not know. */
export function votesElsewhere(directory: string, view: number): ProtocolError {
  return new ProtocolError(
    'KEY_ELSEWHERE',
    `this consensus key has voted in view ${view}, and the journal in ${directory} does not know of it: another ` +
      'process votes with the key, or the journal is an old copy; two that vote get the key punished: find the other ' +
      `one and decide which of them goes on, or move ${directory}/journal away and let the history begin above every ` +
      `view that the key can have voted in with "kryder keys history begin --dir ${directory} --above VIEW" (docs/keys.md)`,
  );
}

/** The serial of a history that was imported into the journal after the one with this serial. */
async function serialSince(place: SigningPlace, serial: number): Promise<number | undefined> {
  const journal = await openJournal(place);
  const held = journal.state.historyOf(place.publicKey);
  await journal.close();
  return held !== undefined && !held.retired && held.serial > serial ? held.serial : undefined;
}

/** The serial of the history that took a retired directory into service again, if one did. */
async function takenBack(place: SigningPlace, marker: SigningMarker): Promise<number | undefined> {
  // The journal decides: a crash in an import can leave the marker behind it.
  return (await Journal.exists(place.disk)) ? serialSince(place, marker.serial) : undefined;
}

/** Throws `KEY_RETIRED` where the key was moved away from; changes nothing. */
export async function refuseRetired(place: SigningPlace): Promise<void> {
  const marker = await markerOf(place);
  if (marker?.journal === 'retired' && (await takenBack(place, marker)) === undefined)
    throw retired(place.directory);
}

/**
 * Lets a validator start, or throws `JOURNAL_MISSING` or `KEY_RETIRED`. `height` is the database's. When it
 * resolves there is a journal, and the marker says so durably. Says whether that begins with this start.
 */
export async function admitSigner(place: SigningPlace, height: number): Promise<'begins' | 'goes on'> {
  const marker = await markerOf(place);
  const marked = marker?.journal;
  const present = await Journal.exists(place.disk);
  if (marked === 'retired') {
    const serial = await takenBack(place, marker!);
    if (serial === undefined) throw retired(place.directory);
    await mark(place, 'begun', serial);
    return 'goes on';
  }
  if (marked === undefined) {
    const why = present
      ? `the journal in ${place.directory} was not begun for this key`
      : `${place.directory} has neither a journal nor a note that this key is new`;
    throw journalMissing(place.directory, why);
  }
  if (!present) {
    if (marked === 'begun')
      throw journalMissing(place.directory, `the journal in ${place.directory} is gone`);
    if (height > 0) {
      const why = `the database in ${place.directory} is at block ${height}, and there is no journal beside it`;
      throw journalMissing(place.directory, why);
    }
    // The journal comes first: a crash before the marker finds both in order.
    await (await openJournal(place)).close();
  }
  if (marked === 'none') await mark(place, 'begun', 0);
  return present ? 'goes on' : 'begins';
}
