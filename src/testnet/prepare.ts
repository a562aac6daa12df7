/**
 * Makes the files of a testnet: one folder (in containers: one volume) for each of its members, holding nothing
 * but what that member needs, and the genesis for all of them. What is there already is kept: a run that was
 * killed half-way is completed by the next one, and after that nothing changes any more.
 *
 *     <dir>/genesis/genesis.json
 *     <dir>/validator-0 …   data directories, each with a consensus key of its own
 *     <dir>/follower        a data directory without one
 *     <dir>/owner           the account that has the first coins
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import {
  DEVNET_PARAMETERS,
  type Genesis,
  genesisHash,
  genesisToJson,
  validateGenesis,
} from '../chain/genesis.ts';
import { parseKry } from '../codec/amount.ts';
import { type Bytes, equal, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { SigningKey } from '../crypto/interfaces.ts';
import type { ChainParameters } from '../ledger/parameters.ts';
import { dataDirectoryFiles, initDataDirectory, readGenesisFile } from '../node/data-directory.ts';
import { type KeyKind, PLAIN_ACCESS, readKeyFile, writeKeyFile } from '../node/keys/key-file.ts';
import { isThere, writeWholeFile } from '../storage/whole-file.ts';
import { withParameters } from '../story/new-genesis.ts';
import { makeDirectory } from '../system/directory.ts';
import { reasonOf } from '../system/problems.ts';
import { readText } from '../system/text-file.ts';

const MAX_PLAN_BYTES = 65_536;
const port = z.number().int().min(1).max(65_535);
const planSchema = z.strictObject({
  name: z.string(),
  validators: z.number().int().min(1).max(100),
  /** KRY bonded by each validator. */
  stake: z.string().max(40),
  /** KRY in the owner's account. */
  owner: z.string().max(40),
  /** What differs from the devnet's parameters; amounts in µKRY. */
  parameters: z.record(z.string().max(64), z.string().max(20)),
  /** For peers and for the API, the same on every host. */
  p2pPort: port,
  apiPort: port,
});

export interface TestnetPlan {
  readonly name: string;
  readonly validators: number;
  readonly parameters: ChainParameters;
  /** µKRY bonded by each validator, and in the owner's account. */
  readonly stake: bigint;
  readonly ownerBalance: bigint;
  readonly p2pPort: number;
  readonly apiPort: number;
}

/** Throws `TESTNET_PLAN`, `AMOUNT_…` or `GENESIS_INVALID`, saying what is wrong. */
export async function readTestnetPlan(path: string): Promise<TestnetPlan> {
  const refuse = (why: string): never => {
    throw new ProtocolError('TESTNET_PLAN', `the plan "${path}" cannot be used: ${why}`);
  };
  const text = await readText(path, MAX_PLAN_BYTES).catch((error: Error) => refuse(reasonOf(error)));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    refuse('it is not JSON');
  }
  const { success, data, error } = planSchema.safeParse(json);
  if (!success) return refuse(z.prettifyError(error));
  const { stake, owner, parameters, ...rest } = data;
  const assignments = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  return {
    ...rest,
    parameters: withParameters(DEVNET_PARAMETERS, assignments),
    stake: parseKry(stake),
    ownerBalance: parseKry(owner),
  };
}

export interface PreparedTestnet {
  readonly genesisHash: string;
  readonly genesisFile: string;
  /** True when nothing had to be made. */
  readonly unchanged: boolean;
}

const CONSENSUS_FILE = 'consensus.key.json';
const ACCOUNT_FILE = 'account.key.json';

class Preparation {
  readonly #dir: string;
  readonly #plan: TestnetPlan;
  #changes = 0;

  constructor(dir: string, plan: TestnetPlan) {
    this.#dir = dir;
    this.#plan = plan;
  }

  async #folder(name: string): Promise<string> {
    const path = join(this.#dir, name);
    await makeDirectory(path);
    return path;
  }

  async #key(folder: string, file: string, kind: KeyKind): Promise<SigningKey> {
    const path = join(await this.#folder(folder), file);
    if (await isThere(path)) return (await readKeyFile(path, kind, PLAIN_ACCESS)).key;
    this.#changes += 1;
    return writeKeyFile(path, kind, new Uint8Array(randomBytes(32)), 'plain');
  }

  /** The genesis of the first member that has one: it is the chain's, also where the common copy is gone. */
  async #restore(path: string, members: readonly string[]): Promise<void> {
    for (const name of members) {
      const { genesis } = dataDirectoryFiles(join(this.#dir, name));
      if (!(await isThere(genesis))) continue;
      this.#changes += 1;
      await writeWholeFile(path, genesisToJson(await readGenesisFile(genesis)));
      return;
    }
  }

  async #genesis(path: string, validators: readonly Bytes[], owner: Bytes): Promise<Genesis> {
    if (await isThere(path)) {
      const genesis = await readGenesisFile(path);
      const same =
        genesis.validators.length === validators.length &&
        genesis.validators.every(({ publicKey }, i) => equal(publicKey, validators[i]!)) &&
        genesis.accounts.some(({ address }) => equal(address, owner));
      if (same) return genesis;
      throw new ProtocolError(
        'GENESIS_MISMATCH',
        `the keys in ${this.#dir} are not those of ${path}; remove all of the testnet's folders to begin anew`,
      );
    }
    const { name, parameters, stake, ownerBalance } = this.#plan;
    const genesis: Genesis = {
      name,
      time: Date.now(),
      parameters,
      accounts: [{ address: owner, amount: ownerBalance }],
      validators: validators.map((publicKey) => ({ publicKey, stake })),
      seed: new Uint8Array(randomBytes(32)),
    };
    validateGenesis(genesis);
    this.#changes += 1;
    await writeWholeFile(path, genesisToJson(genesis));
    return genesis;
  }

  async #node(name: string, genesis: Genesis, bootstrap: readonly string[]): Promise<void> {
    const folder = await this.#folder(name);
    const { p2pPort, apiPort } = this.#plan;
    const consensus = join(folder, CONSENSUS_FILE);
    const { genesis: own } = dataDirectoryFiles(folder);
    if (await isThere(own)) {
      if (equal(genesisHash(await readGenesisFile(own)), genesisHash(genesis))) return;
      throw new ProtocolError(
        'GENESIS_MISMATCH',
        `"${own}" is of another chain than the testnet's genesis; remove all of the testnet's folders to begin anew`,
      );
    }
    this.#changes += 1;
    await initDataDirectory(
      folder,
      genesis,
      {
        listen: [`/ip4/0.0.0.0/tcp/${p2pPort}`],
        announce: [this.#address(name)],
        bootstrap: [...bootstrap],
        api: { host: '0.0.0.0', port: apiPort },
      },
      (await isThere(consensus)) ? { consensus: { file: consensus } } : {},
    );
  }

  #address(name: string): string {
    return `/dns4/${name}/tcp/${this.#plan.p2pPort}`;
  }

  async run(): Promise<PreparedTestnet> {
    const names = Array.from({ length: this.#plan.validators }, (_, i) => `validator-${i}`);
    const keys: Bytes[] = [];
    for (const name of names) keys.push((await this.#key(name, CONSENSUS_FILE, 'consensus')).publicKey);
    const owner = await this.#key('owner', ACCOUNT_FILE, 'account');
    const genesisFile = join(await this.#folder('genesis'), 'genesis.json');
    if (!(await isThere(genesisFile))) await this.#restore(genesisFile, [...names, 'follower']);
    const genesis = await this.#genesis(genesisFile, keys, owner.publicKey);
    for (const [i, name] of names.entries()) {
      await this.#node(name, genesis, names.length === 1 ? [] : [this.#address(names[i === 0 ? 1 : 0]!)]);
    }
    await this.#node(
      'follower',
      genesis,
      names.slice(0, 2).map((name) => this.#address(name)),
    );
    return { genesisHash: toHex(genesisHash(genesis)), genesisFile, unchanged: this.#changes === 0 };
  }
}

/** Throws `GENESIS_MISMATCH`, `GENESIS_INVALID`, `KEY_FILE`, or what the disk throws. */
export function prepareTestnet(dir: string, plan: TestnetPlan): Promise<PreparedTestnet> {
  return new Preparation(dir, plan).run();
}
