/**
 * Files that somebody else may have made or that a disk may have spoilt: whatever stands in them, they are read as
 * what they say or refused with a code, and what is sealed opens to what was sealed or to nothing.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { genesisFromJson, genesisHash, genesisToJson } from '../../src/chain/genesis.ts';
import { readPrecomputed } from '../../src/cli/precomputed.ts';
import { verifySignatures } from '../../src/cli/verify-signatures.ts';
import { type Bytes, concat, equal, toHex, u64, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { loadSettings } from '../../src/config/file.ts';
import { publicKeyOf } from '../../src/crypto/keys.ts';
import { dataDirectoryFiles, initDataDirectory, readGenesisFile } from '../../src/node/data-directory.ts';
import {
  inspectKeyFile,
  KEY_KINDS,
  type KeyAccess,
  readKeyFile,
  writeKeyFile,
} from '../../src/node/keys/key-file.ts';
import { normalisePassphrase, readPassphraseFile } from '../../src/node/keys/passphrase.ts';
import { importHistory } from '../../src/node/keys/signing-history.ts';
import { readMarker, writeMarker } from '../../src/node/keys/signing-marker.ts';
import { isThere } from '../../src/storage/whole-file.ts';
import { readTestnetPlan } from '../../src/testnet/prepare.ts';
import { GENESIS_HASH, genesis, keys } from '../hostile/samples.ts';
import { filled } from '../tx/golden.ts';
import { codeOfRefusal, type Form, must, type Target } from './target.ts';

const SEED = filled(0x5d);
const PASSPHRASE = 'a passphrase of some length';
const access: KeyAccess = { plain: true, passphrase: async () => PASSPHRASE };
const CHEAP = { n: 2, r: 1, p: 1 };

interface Plan {
  readonly name: string;
  readonly form?: Form;
  readonly covers: readonly string[];
  readonly file: string;
  readonly seeds: readonly string[];
  readonly codes: readonly (string | RegExp)[];
  /** Reads the file, or throws; holds its own properties. */
  readonly read: (path: string, directory: string, bytes: Bytes) => Promise<void>;
}

/** A directory for each target, made when it first runs. */
function target({ name, form = 'json', covers, file, seeds, codes, read }: Plan): Target {
  let directory: Promise<string> | undefined;
  const run = async (bytes: Bytes): Promise<string> => {
    directory ??= mkdtemp(join(tmpdir(), 'kryder-fuzz-'));
    const path = join(await directory, file);
    await writeFile(path, bytes, { mode: 0o600 });
    try {
      await read(path, await directory, bytes);
      return 'taken';
    } catch (error) {
      return codeOfRefusal(error, codes);
    }
  };
  const close = async (): Promise<void> => {
    if (directory !== undefined) await rm(await directory, { recursive: true, force: true });
    directory = undefined;
  };
  return { name, form, dear: true, covers, seeds: seeds.map(utf8), run, close };
}

/** The text of a file that `write` makes. */
async function textOf(write: (directory: string) => Promise<string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'kryder-fuzz-'));
  try {
    return await readFile(await write(directory), 'utf8');
  } finally {
    await rm(directory, { recursive: true });
  }
}

const keyFile = (kind: (typeof KEY_KINDS)[number], plain: boolean): Promise<string> =>
  textOf(async (directory) => {
    const path = join(directory, 'key.json');
    await writeKeyFile(path, kind, SEED, plain ? 'plain' : { passphrase: PASSPHRASE, cost: CHEAP });
    return path;
  });

async function keyFiles(): Promise<Plan[]> {
  const sealed = await Promise.all(KEY_KINDS.map((kind) => keyFile(kind, false)));
  const plain = await Promise.all(KEY_KINDS.map((kind) => keyFile(kind, true)));
  // What a file says in the clear of its cost may be dear work: not for a fuzzer.
  const dear = (bytes: Bytes): boolean => /"[nrp]":\s*\d{3}/.test(new TextDecoder().decode(bytes));
  const common = { covers: ['readKeyFile', 'inspectKeyFile', 'readPrivateFile'], file: 'key.json' };
  return [
    {
      ...common,
      name: 'key-file-sealed',
      seeds: sealed,
      codes: ['KEY_FILE', 'KEY_PASSPHRASE'],
      read: async (path, _directory, bytes) => {
        const head = await inspectKeyFile(path);
        if (dear(bytes)) return;
        const { kind, seed } = await readKeyFile(path, undefined, access);
        if (!head.encrypted) return;
        must(equal(seed, SEED), 'it opens to another key');
        must(kind === head.kind, 'it opens to a key of another kind than it says');
        must(
          sealed.some(
            (text) =>
              JSON.parse(text).cipher.sealed === JSON.parse(new TextDecoder().decode(bytes)).cipher.sealed,
          ),
          'a file opens that nobody sealed',
        );
      },
    },
    {
      ...common,
      name: 'key-file-plain',
      seeds: plain,
      codes: ['KEY_FILE', 'KEY_PASSPHRASE'],
      read: async (path, _directory, bytes) => {
        if (dear(bytes)) return;
        const { kind, key, seed } = await readKeyFile(path, undefined, access);
        must(KEY_KINDS.includes(kind), `a key of kind ${kind}`);
        must(
          seed.length === 32 && equal(publicKeyOf(seed), key.publicKey),
          'its public key is not that of its seed',
        );
      },
    },
  ];
}

const marker = {
  genesisHash: GENESIS_HASH,
  publicKey: keys[0]!.publicKey,
  journal: 'begun',
  serial: 3,
} as const;

async function others(): Promise<Plan[]> {
  return [
    {
      name: 'genesis-file',
      covers: ['readGenesisFile', 'readText'],
      file: 'genesis.json',
      seeds: [genesisToJson(genesis)],
      codes: ['GENESIS_INVALID', 'ADDRESS_INVALID', /^FILE_/],
      read: async (path) => {
        const read = await readGenesisFile(path);
        const again = genesisFromJson(genesisToJson(read));
        must(equal(genesisHash(read), genesisHash(again)), 'written again, it is another chain');
      },
    },
    {
      name: 'settings-file',
      covers: ['loadSettings'],
      file: 'node.json',
      seeds: [
        '{"workers": 2, "bootstrap": ["/ip4/127.0.0.1/tcp/7300"], "api": "127.0.0.1:7070", "logLevel": "info"}',
        '{"listen": ["/ip4/0.0.0.0/tcp/0"], "metrics": true, "allow": ["10.0.0.0/8"], "journalSegmentBytes": 1048576}',
        '{}',
      ],
      codes: ['SETTINGS_FILE', 'SETTING_INVALID', 'DATA_DIRECTORY', /^FILE_/],
      read: async (_path, directory) => {
        const { settings } = await loadSettings(directory);
        must(Number.isSafeInteger(settings.workers) && settings.workers >= 1, `${settings.workers} workers`);
        must(({} as Record<string, unknown>).workers === undefined, 'a file has written to a prototype');
        must(
          isDeepStrictEqual(settings, (await loadSettings(directory)).settings),
          'read again, it says something else',
        );
      },
    },
    {
      name: 'signing-marker',
      covers: ['readMarker', 'findPrivateFile'],
      file: 'signing.json',
      seeds: [
        await textOf(async (directory) => {
          await writeMarker(directory, marker);
          return join(directory, 'signing.json');
        }),
      ],
      codes: ['DATA_DIRECTORY'],
      read: async (_path, directory) => {
        const read = await readMarker(directory);
        must(read !== undefined, 'it is there');
        await writeMarker(directory, read);
        must(isDeepStrictEqual(await readMarker(directory), read), 'written again, it says something else');
      },
    },
    {
      name: 'passphrase-file',
      form: 'text',
      covers: ['readPassphraseFile'],
      file: 'passphrase',
      seeds: [`${PASSPHRASE}\n`, 'é\u0301ñ ﬁ ①\r\n'],
      codes: ['PASSPHRASE_FILE', 'PASSPHRASE_INVALID'],
      read: async (path) => {
        const phrase = await readPassphraseFile(path);
        must(phrase !== '' && !/[\r\n\p{Cc}]/u.test(phrase), 'a passphrase of several lines');
        must(normalisePassphrase(phrase) === phrase, 'a passphrase that is not in its normal form');
      },
    },
    {
      name: 'precomputed-file',
      covers: ['readPrecomputed'],
      file: 'challenges.json',
      seeds: [
        JSON.stringify({
          ...{ version: 1, genesisHash: toHex(GENESIS_HASH), tag: toHex(filled(1)), length: 70_000 },
          ...{ secret: toHex(filled(2)), first: 3, claimKeys: [toHex(filled(3)), toHex(filled(4))] },
        }),
      ],
      codes: ['USAGE'],
      read: async (path) => {
        const { claimKeys } = await readPrecomputed(path, GENESIS_HASH);
        for (const [index, key] of claimKeys)
          must(Number.isSafeInteger(index) && key.length === 32, `challenge ${index}`);
      },
    },
    {
      name: 'testnet-plan',
      covers: ['readTestnetPlan'],
      file: 'testnet.json',
      seeds: [
        JSON.stringify({
          ...{ name: 'test', validators: 4, stake: '1000', owner: '5000.5' },
          ...{ parameters: { blockInterval: '500', baseFee: '2' }, p2pPort: 7_300, apiPort: 7_070 },
        }),
      ],
      codes: ['TESTNET_PLAN', /^AMOUNT_/, 'GENESIS_INVALID', 'USAGE', /^PARAMETER/],
      read: async (path) => {
        const plan = await readTestnetPlan(path);
        must(plan.stake >= 0n && plan.ownerBalance >= 0n, 'a negative amount');
      },
    },
    {
      name: 'signatures-file',
      covers: ['verifySignatures'],
      file: 'signatures.json',
      seeds: [
        JSON.stringify([
          {
            publicKey: toHex(keys[0]!.publicKey),
            message: toHex(filled(7)),
            signature: toHex(keys[0]!.sign(filled(7))),
          },
        ]),
      ],
      codes: ['VERIFY_INPUT'],
      read: async (path, _directory, bytes) => {
        const verdicts = await verifySignatures(path, {});
        const asked = JSON.parse(new TextDecoder().decode(bytes)) as unknown[];
        must(verdicts.length === asked.length, 'not one verdict for each');
      },
    },
  ];
}

const HISTORY_CONTEXT = utf8('kryder/signing-history/1');
const VALIDATOR = keys[0]!.publicKey;

interface History {
  readonly serial: number;
  readonly view: number;
}
/** Exports that were really made. */
const HISTORIES: readonly History[] = [
  { serial: 1, view: 300 },
  { serial: 2, view: 450 },
  { serial: 9, view: 70_000 },
];

function historyFile({ serial, view }: History): string {
  const checksum = sha256(concat(HISTORY_CONTEXT, GENESIS_HASH, VALIDATOR, u64(serial), u64(view)));
  const owner = { genesisHash: toHex(GENESIS_HASH), publicKey: toHex(VALIDATOR) };
  return JSON.stringify({
    version: 1,
    type: 'signing-history',
    ...owner,
    serial,
    view,
    checksum: toHex(checksum),
  });
}

/** A validator's directory, which forgets after each import that there was one. */
const ofHistories: Plan = {
  name: 'signing-history',
  covers: ['importHistory'],
  file: 'history.json',
  seeds: HISTORIES.map(historyFile),
  codes: ['HISTORY_FILE', 'HISTORY_FOREIGN', 'HISTORY_OLD'],
  read: async (path, directory) => {
    const home = join(directory, 'node');
    const files = dataDirectoryFiles(home);
    if (!(await isThere(files.genesis)))
      await initDataDirectory(home, genesis, {}, { consensus: { seed: filled(0x71) } });
    try {
      const { serial, view } = await importHistory(home, path);
      const real = HISTORIES.some((one) => one.serial === serial && one.view === view);
      must(real, `a history passes that nobody exported: serial ${serial}, view ${view}`);
    } finally {
      await rm(files.journal, { recursive: true, force: true });
      await writeMarker(home, { ...marker, journal: 'none', serial: 0 });
    }
  },
};

export async function fileTargets(): Promise<Target[]> {
  return [...(await keyFiles()), ...(await others()), ofHistories].map(target);
}
