/** `kryder genesis`: makes and checks genesis files. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Genesis, genesisHash, genesisToJson, PARAMETER_RULES } from '../../chain/genesis.ts';
import { decodeAddress } from '../../codec/address.ts';
import { formatKry, parseKry } from '../../codec/amount.ts';
import { toHex } from '../../codec/bytes.ts';
import { readGenesisFile } from '../../node/data-directory.ts';
import { writeKeyFile } from '../../node/keys/key-file.ts';
import { newGenesis, PARAMETER_SETS, withParameters } from '../../story/new-genesis.ts';
import { makeDirectory } from '../../system/directory.ts';
import { collect, wholeNumber } from '../options.ts';
import { type Answer, addCommand, CommandError, EXIT, usageError } from '../output.ts';
import { newProtection, type PassphraseOption, withPassphrase } from '../passphrase.ts';

interface NewOptions extends PassphraseOption {
  readonly plain?: boolean;
  readonly name: string;
  readonly validators: string;
  readonly stake: string;
  readonly account?: readonly string[];
  readonly parameters: string;
  readonly interval?: string;
  readonly set?: readonly string[];
  readonly out: string;
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((a, b) => a + b, 0n);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function describe(genesis: Genesis): Answer {
  const balances = sum(genesis.accounts.map(({ amount }) => amount));
  const stakes = sum(genesis.validators.map(({ stake }) => stake));
  const parameters = Object.fromEntries(PARAMETER_RULES.map(({ name }) => [name, genesis.parameters[name]]));
  return {
    json: {
      name: genesis.name,
      genesisHash: toHex(genesisHash(genesis)),
      time: genesis.time,
      validators: genesis.validators.length,
      accounts: genesis.accounts.length,
      supply: balances + stakes,
      staked: stakes,
      parameters,
    },
    text: [
      `chain         ${genesis.name}, from ${new Date(genesis.time).toISOString()}`,
      `genesis hash  ${toHex(genesisHash(genesis))}`,
      `supply        ${formatKry(balances + stakes)} KRY: ${formatKry(balances)} in ` +
        `${counted(genesis.accounts.length, 'account')}, ${formatKry(stakes)} staked by ` +
        counted(genesis.validators.length, 'validator'),
      'parameters',
      ...Object.entries(parameters).map(([name, value]) => `  ${name.padEnd(18)} ${value}`),
    ],
  };
}

function parseAccount(text: string) {
  const [address = '', amount, ...rest] = text.split('=');
  if (amount === undefined || rest.length > 0) {
    throw usageError(`"${text.slice(0, 120)}" is not an account`, 'write --account ADDRESS=KRY');
  }
  return { address: decodeAddress(address), amount: parseKry(amount) };
}

function parametersOf(options: NewOptions) {
  const base = PARAMETER_SETS[options.parameters];
  if (base === undefined) {
    throw usageError(
      `"${options.parameters}" is no set of parameters`,
      `choose ${Object.keys(PARAMETER_SETS).join(' or ')}`,
    );
  }
  const interval = options.interval === undefined ? [] : [`blockInterval=${options.interval}`];
  return withParameters(base, [...interval, ...(options.set ?? [])]);
}

function registerNew(group: Command): void {
  addCommand<NewOptions>(group, {
    usage: 'new',
    description: 'make a genesis file and an encrypted consensus key file for each of its validators',
    configure: (c) =>
      withPassphrase(c)
        .requiredOption('--name <name>', 'name of the chain: a-z, 0-9 and "-"')
        .requiredOption('--validators <n>', 'how many validators it begins with')
        .requiredOption('--out <dir>', 'where to write genesis.json and the key files')
        .option('--stake <kry>', 'what each of them has bonded', '1000')
        .option('--account <address=kry>', 'a first balance; may be repeated', collect)
        .option('--parameters <set>', `${Object.keys(PARAMETER_SETS).join(' or ')}`, 'devnet')
        .option('--interval <ms>', 'time between blocks')
        .option('--set <parameter=value>', 'another value of a parameter, amounts in µKRY', collect)
        .option('--plain', 'leave the keys in their files in plain text: for test networks'),
    run: async (_, options) => {
      const { genesis, seeds } = newGenesis({
        name: options.name,
        validators: wholeNumber(options.validators, '--validators', 1, 1_024),
        stake: parseKry(options.stake),
        accounts: (options.account ?? []).map(parseAccount),
        parameters: parametersOf(options),
      });
      const protection = await newProtection(options);
      await makeDirectory(options.out);
      const file = join(options.out, 'genesis.json');
      await writeFile(file, genesisToJson(genesis), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
        throw new CommandError(
          EXIT.usage,
          'GENESIS_EXISTS',
          `${file} exists already`,
          'choose another --out',
        );
      });
      const keyFiles = seeds.map((_seed, i) => join(options.out, `validator-${i}.consensus.key.json`));
      for (const [i, seed] of seeds.entries()) {
        await writeKeyFile(keyFiles[i]!, 'consensus', seed, protection);
      }
      const { json, text } = describe(genesis);
      return {
        json: { file, keyFiles, ...json },
        text: [`wrote ${file}`, ...keyFiles.map((path) => `wrote ${path}`), ...text],
      };
    },
  });
}

export function register(program: Command): void {
  const group = program.command('genesis').description('genesis files');
  registerNew(group);
  addCommand(group, {
    usage: 'verify <file>',
    description: 'check a genesis file; print its hash, its supply and its parameters',
    run: async ([file]) => describe(await readGenesisFile(file!)),
  });
}
