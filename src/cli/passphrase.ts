/**
 * Where a command gets passphrases from: a file that is named by `--passphrase-file` or in the environment, the
 * environment itself, or a question at the terminal, in this order. Never from an argument, which every process of the machine can read. What stood in the environment
 * is taken out of it, so that no child inherits it.
 */
import type { Command } from 'commander';
import type { KeyAccess, Protection } from '../node/keys/key-file.ts';
import { newPassphrase, normalisePassphrase, readPassphraseFile } from '../node/keys/passphrase.ts';
import { CommandError, EXIT, usageError } from './output.ts';
import { type Terminal, terminal } from './terminal.ts';

export interface PassphraseOption {
  readonly passphraseFile?: string | undefined;
}

export interface KeyAccessOptions extends PassphraseOption {
  readonly plainKeys?: boolean;
}

export function withPassphrase(command: Command): Command {
  return command.option(
    '--passphrase-file <file>',
    'file that holds the passphrase (default: $KRYDER_PASSPHRASE, or you are asked)',
  );
}

/** For commands that read key files. */
export function withKeyAccess(command: Command): Command {
  return withPassphrase(command).option(
    '--plain-keys',
    'take keys that are not encrypted: for test networks (also: KRYDER_PLAIN_KEYS=1)',
  );
}

/** What a variable of the environment holds; afterwards it is not there any more. */
function take(name: string): string | undefined {
  const value = process.env[name];
  delete process.env[name];
  return value;
}

/** A passphrase that nobody has to be asked for. `value` stood in the variable `name`. */
async function given(
  file: string | undefined,
  name: string,
  value: string | undefined,
): Promise<string | undefined> {
  if (file !== undefined) return readPassphraseFile(file);
  const fromFile = process.env[`${name}_FILE`] ?? '';
  if (fromFile !== '') return readPassphraseFile(fromFile);
  return value === undefined || value === '' ? undefined : normalisePassphrase(value);
}

function missing(what: string, name: string, option: string): CommandError {
  return new CommandError(
    EXIT.usage,
    'PASSPHRASE_MISSING',
    `${what}, and there is no terminal to ask at`,
    `give ${option} FILE, or the environment variable ${name}`,
  );
}

function plainAgreed(options: KeyAccessOptions): boolean {
  // Said either way, it counts: a flag goes before the environment.
  if (options.plainKeys !== undefined) return options.plainKeys;
  const value = process.env.KRYDER_PLAIN_KEYS ?? '';
  if (['1', 'true'].includes(value)) return true;
  if (['', '0', 'false'].includes(value)) return false;
  throw usageError(`KRYDER_PLAIN_KEYS must be 1 or 0, not "${value.slice(0, 20)}"`);
}

/** How a command opens key files. A passphrase that was given is for all of them; each is asked for by itself. */
export function keyAccess(
  options: KeyAccessOptions,
  signal?: AbortSignal,
  asking: Terminal = terminal(),
): KeyAccess {
  // Taken at once: even where no key turns out to need it, nothing that is started later shall have it.
  const value = take('KRYDER_PASSPHRASE');
  let known: Promise<string | undefined> | undefined;
  return {
    plain: plainAgreed(options),
    passphrase: async (path) => {
      known ??= given(options.passphraseFile, 'KRYDER_PASSPHRASE', value);
      const passphrase = await known;
      if (passphrase !== undefined) return passphrase;
      if (!asking.interactive) {
        throw missing(`"${path}" is encrypted`, 'KRYDER_PASSPHRASE', '--passphrase-file');
      }
      return normalisePassphrase(await asking.ask(`Passphrase of ${path}: `, signal));
    },
  };
}

/** How a new key file is to be protected; whoever is asked types the passphrase twice. */
export async function newProtection(
  options: PassphraseOption & { readonly plain?: boolean },
  asking: Terminal = terminal(),
): Promise<Protection> {
  if (options.plain === true) {
    if (options.passphraseFile !== undefined)
      throw usageError('a plain key file has no passphrase', 'give --plain or --passphrase-file');
    return 'plain';
  }
  return protectionFrom(options.passphraseFile, 'KRYDER_PASSPHRASE', '--passphrase-file', asking);
}

/** The passphrase that replaces another one. */
export function replacementProtection(
  file: string | undefined,
  asking: Terminal = terminal(),
): Promise<Protection> {
  return protectionFrom(file, 'KRYDER_NEW_PASSPHRASE', '--new-passphrase-file', asking);
}

async function protectionFrom(
  file: string | undefined,
  name: string,
  option: string,
  asking: Terminal,
): Promise<Protection> {
  const text = await given(file, name, take(name));
  if (text !== undefined) return { passphrase: newPassphrase(text) };
  if (!asking.interactive) throw missing('a key file needs a passphrase', name, option);
  const passphrase = newPassphrase(await asking.ask('New passphrase: '));
  if (normalisePassphrase(await asking.ask('The same again: ')) !== passphrase) {
    throw new CommandError(
      EXIT.usage,
      'PASSPHRASE_INVALID',
      'the two passphrases differ',
      'nothing was written',
    );
  }
  return { passphrase };
}
