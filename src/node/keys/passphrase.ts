/**
 * Passphrases: which ones are taken for a new file, and how one is read from a file. The same phrase typed on
 * two keyboards is the same bytes: it is normalised to Unicode NFKC.
 */
import { ProtocolError } from '../../codec/errors.ts';
import { readPrivateFile, refuser } from './private-file.ts';

/** Who holds the file can guess without limit, so short ones are refused. */
const LEAST_CHARACTERS = 12;
const MOST_BYTES = 1_024;

function passphraseError(why: string): ProtocolError {
  return new ProtocolError('PASSPHRASE_INVALID', why);
}

/** Normalised. Throws `PASSPHRASE_INVALID` for what can be nobody's. */
export function normalisePassphrase(text: string): string {
  const phrase = text.normalize('NFKC');
  if (phrase === '') throw passphraseError('the passphrase is empty');
  if (/\p{Cc}/u.test(phrase)) throw passphraseError('a passphrase is one line without control characters');
  if (Buffer.byteLength(phrase) > MOST_BYTES) {
    throw passphraseError(`a passphrase has at most ${MOST_BYTES} bytes`);
  }
  return phrase;
}

/** The same for a file that is about to be made: refuses what is too easily guessed. */
export function newPassphrase(text: string): string {
  const phrase = normalisePassphrase(text);
  if ([...phrase].length < LEAST_CHARACTERS) {
    throw passphraseError(
      `a passphrase needs at least ${LEAST_CHARACTERS} characters; a few random words are easy to remember`,
    );
  }
  return phrase;
}

/** The one line of a file that its owner alone can read; a line end after it does not belong to it. */
export async function readPassphraseFile(path: string): Promise<string> {
  const refuse = refuser('PASSPHRASE_FILE', 'passphrase file', path);
  const text = await readPrivateFile(path, 2 * MOST_BYTES, refuse);
  const line = text.replace(/\r?\n$/, '');
  if (line === '' || /[\r\n]/.test(line)) refuse('must hold the passphrase on one line, and nothing else');
  return normalisePassphrase(line);
}
