#!/usr/bin/env node
/** The `kryder` command: one file a group of commands in ./commands, each with a `register(program)`. */
import '../node/polyfills.ts';
import { readFileSync } from 'node:fs';
import { installNodeHash } from '../node/hash.ts';
import * as account from './commands/account.ts';
import * as bounty from './commands/bounty.ts';
import * as keys from './commands/keys.ts';
import * as status from './commands/status.ts';
import * as tx from './commands/tx.ts';
import * as verify from './commands/verify.ts';
import { reportFailure, rootCommand } from './output.ts';

const GROUPS = [keys, account, tx, bounty, status, verify];

function version(): string {
  // From src/cli and from dist/src/cli.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (name === 'kryder' && version !== undefined) return version;
    } catch {
      // Not there: the other one is.
    }
  }
  return 'unknown';
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe went away (`kryder … | head`): nobody is left to tell anything.
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

installNodeHash();
const program = rootCommand()
  .description('Proof-of-stake node that pays people for keeping other people’s data')
  .version(version());
for (const group of GROUPS) group.register(program);
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = await reportFailure(error, process.argv.includes('--json'));
}
