#!/usr/bin/env node
/** The `kryder` command: one file a group of commands in ./commands, each with a `register(program)`. */
import '../node/polyfills.ts';
import { installNodeHash } from '../node/hash.ts';
import * as account from './commands/account.ts';
import * as bounty from './commands/bounty.ts';
import * as config from './commands/config.ts';
import * as devnet from './commands/devnet.ts';
import * as genesis from './commands/genesis.ts';
import * as init from './commands/init.ts';
import * as keys from './commands/keys.ts';
import * as node from './commands/node.ts';
import * as status from './commands/status.ts';
import * as story from './commands/story.ts';
import * as testnet from './commands/testnet.ts';
import * as tx from './commands/tx.ts';
import * as verify from './commands/verify.ts';
import { reportFailure, rootCommand } from './output.ts';
import { packageVersion } from './version.ts';

const GROUPS = [
  genesis,
  init,
  node,
  config,
  devnet,
  story,
  testnet,
  keys,
  account,
  tx,
  bounty,
  status,
  verify,
];

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe went away (`kryder … | head`): nobody is left to tell anything.
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

installNodeHash();
const program = rootCommand()
  .description('Proof-of-stake node that pays people for keeping other people’s data')
  .version(packageVersion());
for (const group of GROUPS) group.register(program);
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = await reportFailure(error, process.argv.includes('--json'));
}
