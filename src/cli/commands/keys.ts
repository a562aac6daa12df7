/** `kryder keys`: makes and shows key files. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { encodeAddress } from '../../codec/address.ts';
import { toHex } from '../../codec/bytes.ts';
import { KEY_KINDS, type KeyKind, readKeyFile, writeKeyFile } from '../../node/key-file.ts';
import { type Answer, addCommand, usageError } from '../output.ts';

function answer(file: string, kind: KeyKind, publicKey: Uint8Array): Answer {
  const address = kind === 'account' ? { address: encodeAddress(publicKey) } : {};
  return {
    json: { file, kind, ...address, publicKey: toHex(publicKey) },
    text: [
      `${kind} key in ${file}`,
      ...(kind === 'account' ? [`address     ${encodeAddress(publicKey)}`] : []),
      `public key  ${toHex(publicKey)}`,
    ],
  };
}

export function register(program: Command): void {
  const keys = program.command('keys').description('key files');

  addCommand<{ kind: string; plain?: boolean }>(keys, {
    usage: 'new <file>',
    description: 'make a key pair and write it to a new file, readable by you alone',
    configure: (c) =>
      c
        .option('--kind <kind>', `what the key is for: ${KEY_KINDS.join(' or ')}`, 'account')
        .option('--plain', 'agree that the secret stands in the file in plain text (test networks)'),
    run: async ([file], { kind, plain }) => {
      const wanted = KEY_KINDS.find((name) => name === kind);
      if (wanted === undefined)
        throw usageError(`"${kind}" is not a kind of key`, `choose ${KEY_KINDS.join(' or ')}`);
      if (plain !== true) {
        throw usageError(
          'a key file holds its secret in plain text',
          'add --plain if that is good enough here, as on a test network',
        );
      }
      const key = await writeKeyFile(file!, wanted, new Uint8Array(randomBytes(32)));
      return answer(file!, wanted, key.publicKey);
    },
  });

  addCommand(keys, {
    usage: 'show <file>',
    description: 'print kind, address and public key of a key file, never its secret',
    run: async ([file]) => {
      const { kind, key } = await readKeyFile(file!);
      return answer(file!, kind, key.publicKey);
    },
  });
}
