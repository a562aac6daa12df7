/** `kryder keys`: makes, shows, imports and exports key files, and changes their passphrases. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { encodeAddress } from '../../codec/address.ts';
import { type Bytes, fromHex, toHex } from '../../codec/bytes.ts';
import {
  inspectKeyFile,
  KEY_KINDS,
  type KeyKind,
  protectKeyFile,
  readKeyFile,
  writeKeyFile,
} from '../../node/keys/key-file.ts';
import { createPrivateFile, readPrivateFile, refuser } from '../../node/keys/private-file.ts';
import { type Answer, addCommand, usageError } from '../output.ts';
import {
  type KeyAccessOptions,
  keyAccess,
  newProtection,
  type PassphraseOption,
  replacementProtection,
  withPassphrase,
} from '../passphrase.ts';
import { terminal } from '../terminal.ts';
import { registerHistory } from './keys-history.ts';

const MOST_SEED_BYTES = 1_024;

function answer(file: string, kind: KeyKind, publicKey: Uint8Array, encrypted: boolean): Answer {
  const address = kind === 'account' ? { address: encodeAddress(publicKey) } : {};
  return {
    json: { file, kind, ...address, publicKey: toHex(publicKey), encrypted },
    text: [
      `${kind} key in ${file}${encrypted ? '' : ', not encrypted'}`,
      ...(kind === 'account' ? [`address     ${encodeAddress(publicKey)}`] : []),
      `public key  ${toHex(publicKey)}`,
    ],
  };
}

interface MakingOptions extends PassphraseOption {
  readonly kind: string;
  readonly plain?: boolean;
}

function withMaking(command: Command): Command {
  return withPassphrase(command)
    .option('--kind <kind>', `what the key is for: ${KEY_KINDS.join(' or ')}`, 'account')
    .option('--plain', 'leave the secret in the file in plain text: for test networks');
}

async function make(file: string, options: MakingOptions, seed: () => Promise<Bytes>): Promise<Answer> {
  const kind = KEY_KINDS.find((name) => name === options.kind);
  if (kind === undefined)
    throw usageError(`"${options.kind}" is not a kind of key`, `choose ${KEY_KINDS.join(' or ')}`);
  const secret = await seed();
  const protection = await newProtection(options);
  const key = await writeKeyFile(file, kind, secret, protection);
  return answer(file, kind, key.publicKey, protection !== 'plain');
}

async function readAllOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > MOST_SEED_BYTES) throw usageError('what came in is too long to be a seed');
  }
  return text;
}

/** 32 bytes of hex, from a private file, or with "-" from standard input. */
async function importedSeed(from: string): Promise<Bytes> {
  const asking = terminal();
  let text: string;
  if (from !== '-')
    text = await readPrivateFile(from, MOST_SEED_BYTES, refuser('KEY_SEED', 'seed file', from));
  else if (asking.interactive) text = await asking.ask('Seed (64 hex digits): ');
  else text = await readAllOf(process.stdin);
  try {
    return fromHex(text.trim(), 32);
  } catch {
    // Never with what was read: it may be a secret in another form.
    throw usageError('a seed is 32 bytes, written as 64 hex digits and nothing else');
  }
}

function registerMaking(keys: Command): void {
  addCommand<MakingOptions>(keys, {
    usage: 'new <file>',
    description: 'make a key pair and write it, encrypted, to a new file, readable by you alone',
    configure: withMaking,
    run: ([file], options) => make(file!, options, async () => new Uint8Array(randomBytes(32))),
  });

  addCommand<MakingOptions & { seedFile: string }>(keys, {
    usage: 'import <file>',
    description: 'write a key file for a seed that you have',
    configure: (c) =>
      withMaking(c).requiredOption(
        '--seed-file <file>',
        'file with the seed in hex, mode 0600; "-" is standard input',
      ),
    run: ([file], options) => make(file!, options, () => importedSeed(options.seedFile)),
  });
}

export function register(program: Command): void {
  const keys = program.command('keys').description('key files and signing histories');
  registerMaking(keys);

  addCommand<KeyAccessOptions & { check?: boolean }>(keys, {
    usage: 'show <file>',
    description: 'print kind, address and public key of a key file, never its secret',
    configure: (c) => withPassphrase(c).option('--check', 'open the file too, which needs its passphrase'),
    run: async ([file], options) => {
      const head = await inspectKeyFile(file!);
      if (!head.encrypted || options.check === true)
        await readKeyFile(file!, head.kind, { ...keyAccess(options), plain: true });
      return answer(file!, head.kind, head.publicKey, head.encrypted);
    },
  });

  addCommand<PassphraseOption & { plain?: boolean }>(keys, {
    usage: 'export <file> <seed-file>',
    description: 'write the seed of a key file, in plain text, to a new file, readable by you alone',
    configure: (c) => withPassphrase(c).option('--plain', 'agree that whoever gets the new file has the key'),
    run: async ([file, target], options) => {
      if (options.plain !== true) {
        throw usageError(
          'an exported seed is in plain text',
          'add --plain if that is what you want; for a backup, copy the encrypted file',
        );
      }
      const { kind, key, seed } = await readKeyFile(file!, undefined, { ...keyAccess(options), plain: true });
      await createPrivateFile(target!, `${toHex(seed)}\n`, refuser('KEY_SEED', 'seed file', target!));
      return {
        json: { file: target, kind, publicKey: toHex(key.publicKey) },
        text: [`the seed of ${kind} key ${toHex(key.publicKey)} is in ${target}, in plain text`],
      };
    },
  });

  addCommand<PassphraseOption & { newPassphraseFile?: string }>(keys, {
    usage: 'passphrase <file>',
    description: 'change the passphrase of a key file, or give one to a file that has none',
    configure: (c) =>
      withPassphrase(c).option(
        '--new-passphrase-file <file>',
        'file that holds the new one (default: $KRYDER_NEW_PASSPHRASE, or you are asked)',
      ),
    run: async ([file], options) => {
      const opened = await readKeyFile(file!, undefined, { ...keyAccess(options), plain: true });
      await protectKeyFile(file!, opened, await replacementProtection(options.newPassphraseFile));
      return answer(file!, opened.kind, opened.key.publicKey, true);
    },
  });

  registerHistory(keys);
}
