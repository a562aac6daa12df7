/**
 * A network of real node processes on this machine, in one folder:
 *
 *     devnet.json          written last: the folder is complete
 *     genesis.json
 *     faucet.key.json      an account with the first coins
 *     node-0/ …            a data directory each, validators first, then followers; node.log is in it
 *
 * Ports are chosen once and kept in each node.json, so a node that is started again is found again. Every node
 * is given exactly one bootstrap address: node 0's, and node 0 that of node 1.
 */
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { type GenesisAccount, genesisHash, genesisToJson } from '../chain/genesis.ts';
import { parseKry } from '../codec/amount.ts';
import { type Bytes, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { publicKeyOf } from '../crypto/keys.ts';
import type { ChainParameters } from '../ledger/parameters.ts';
import { initDataDirectory, readGenesisFile } from '../node/data-directory.ts';
import { writeKeyFile } from '../node/keys/key-file.ts';
import { makeDirectory } from '../system/directory.ts';
import { reasonOf } from '../system/problems.ts';
import { readText } from '../system/text-file.ts';
import { Child } from './child.ts';
import { requestText } from './http.ts';
import { newGenesis } from './new-genesis.ts';
import { freePorts } from './ports.ts';

const LAYOUT = { marker: 'devnet.json', genesis: 'genesis.json', faucet: 'faucet.key.json', log: 'node.log' };
const VALIDATOR_STAKE = parseKry('1000');
export const FAUCET_AMOUNT = parseKry('1000000');

const START_MS = 60_000;
const POLL_MS = 50;
const ANSWER_MS = 2_000;
const MAX_ANSWER = 1 << 20;
const MAX_MARKER_BYTES = 4_096;

const markerSchema = z.object({ validators: z.number().int(), followers: z.number().int() });

export interface DevnetPlan {
  readonly validators: number;
  readonly followers: number;
  readonly parameters: ChainParameters;
  /** Accounts besides the faucet's. */
  readonly accounts?: readonly GenesisAccount[];
}

export function genesisFileOf(dir: string): string {
  return join(dir, LAYOUT.genesis);
}

export function faucetFileOf(dir: string): string {
  return join(dir, LAYOUT.faucet);
}

function nodeDirectory(dir: string, index: number): string {
  return join(dir, `node-${index}`);
}

/** What a folder holds: a devnet, or nothing. Throws `DEVNET_DIRECTORY` for anything else. */
export async function readDevnet(
  dir: string,
): Promise<{ validators: number; followers: number } | undefined> {
  const entries = await readdir(dir).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw new ProtocolError('DEVNET_DIRECTORY', `"${dir}" cannot be used: ${reasonOf(error)}`);
  });
  if (entries.length === 0) return undefined;
  if (!entries.includes(LAYOUT.marker)) {
    throw new ProtocolError('DEVNET_DIRECTORY', `"${dir}" holds something else; choose another folder`);
  }
  try {
    return markerSchema.parse(JSON.parse(await readText(join(dir, LAYOUT.marker), MAX_MARKER_BYTES)));
  } catch {
    throw new ProtocolError('DEVNET_DIRECTORY', `"${join(dir, LAYOUT.marker)}" is damaged`);
  }
}

/** Makes a devnet in a folder that is empty or does not exist. */
export async function createDevnet(dir: string, plan: DevnetPlan): Promise<void> {
  const count = plan.validators + plan.followers;
  const faucet: Bytes = new Uint8Array(randomBytes(32));
  const { genesis, seeds } = newGenesis({
    name: 'devnet',
    validators: plan.validators,
    stake: VALIDATOR_STAKE,
    accounts: [{ address: publicKeyOf(faucet), amount: FAUCET_AMOUNT }, ...(plan.accounts ?? [])],
    parameters: plan.parameters,
  });
  await makeDirectory(dir);
  await writeFile(genesisFileOf(dir), genesisToJson(genesis));
  await writeKeyFile(faucetFileOf(dir), 'account', faucet, 'plain');
  const ports = await freePorts(2 * count);
  const address = (index: number): string => `/ip4/127.0.0.1/tcp/${ports[index]}`;
  for (let i = 0; i < count; i++) {
    const bootstrap = count === 1 ? [] : [address(i === 0 ? 1 : 0)];
    const api = { host: '127.0.0.1', port: ports[count + i]! };
    const settings = { listen: [address(i)], bootstrap, api, plainKeys: true };
    const consensus = seeds[i];
    await initDataDirectory(
      nodeDirectory(dir, i),
      genesis,
      settings,
      consensus === undefined ? {} : { consensus: { seed: consensus } },
    );
  }
  const { validators, followers } = plan;
  await writeFile(join(dir, LAYOUT.marker), `${JSON.stringify({ validators, followers })}\n`);
}

interface DevnetNode {
  readonly index: number;
  readonly validator: boolean;
  readonly dir: string;
  readonly api: string;
  readonly child: Child;
}

export interface Devnet {
  readonly genesisHash: string;
  readonly parameters: ChainParameters;
  readonly nodes: readonly DevnetNode[];
  /** Stops every node; resolves when all have ended. */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly logLevel: string;
  readonly signal: AbortSignal;
  /** Options of the JavaScript runtime for every node, for profiling. */
  readonly runtimeArgs?: readonly string[];
  /** Hears what happens on the way, for people. */
  readonly report: (text: string) => void;
}

/** Height that a node has finalised, or undefined while it does not answer or says that it is not well. */
async function heightOf(api: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    const limits = { signal, silenceMs: ANSWER_MS };
    const health = await requestText(new URL('/healthz', api), limits, MAX_ANSWER);
    const { text } = await requestText(new URL('/v1/status', api), limits, MAX_ANSWER);
    const { height } = Object(JSON.parse(text)) as { height?: unknown };
    return health.status === 200 && typeof height === 'number' ? height : undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Waits until every node answers and has seen a block become final since it was started. */
async function untilFinal(
  nodes: readonly DevnetNode[],
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  const first = new Map<number, number>();
  let waiting = nodes;
  while (waiting.length > 0) {
    const heights = await Promise.all(waiting.map(({ api }) => heightOf(api, signal)));
    waiting = waiting.filter((node, i) => {
      const height = heights[i];
      if (height === undefined) return true;
      if (!first.has(node.index)) first.set(node.index, height);
      return height === 0 || height <= first.get(node.index)!;
    });
    const gone = waiting.find(({ child }) => !child.running);
    if (gone !== undefined) await gone.child.waitFor('stopped', START_MS, signal);
    if (waiting.length > 0 && Date.now() > deadline) {
      const names = waiting
        .map(({ child, dir }) => `${child.name} (log: ${join(dir, LAYOUT.log)})`)
        .join(', ');
      throw new ProtocolError('DEVNET_STUCK', `no block became final at ${names}`);
    }
    if (waiting.length > 0) await delay(POLL_MS, undefined, { signal });
  }
}

/**
 * Starts every node of the devnet in `dir` and waits until all answer and blocks become final. When it throws,
 * nothing runs any more.
 */
export async function startDevnet(dir: string, options: StartOptions): Promise<Devnet> {
  const found = await readDevnet(dir);
  if (found === undefined) throw new ProtocolError('DEVNET_DIRECTORY', `there is no devnet in "${dir}"`);
  const { signal, report, logLevel } = options;
  const genesis = await readGenesisFile(genesisFileOf(dir));
  const children: Child[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.stop()));
  };
  try {
    for (let i = 0; i < found.validators + found.followers; i++) {
      signal.throwIfAborted();
      const folder = nodeDirectory(dir, i);
      children.push(
        await Child.start({
          name: i < found.validators ? `validator ${i}` : `follower ${i}`,
          args: ['node', '--dir', folder, '--log-level', logLevel, '--supervised', '--json'],
          log: join(folder, LAYOUT.log),
          runtimeArgs: options.runtimeArgs ?? [],
        }),
      );
    }
    const nodes = await Promise.all(
      children.map(async (child, index): Promise<DevnetNode> => {
        const { api } = await child.waitFor('ready', START_MS, signal);
        const validator = index < found.validators;
        return { index, validator, dir: nodeDirectory(dir, index), api: String(api), child };
      }),
    );
    report('all nodes answer; waiting for the first final block');
    const deadline = Date.now() + START_MS + 20 * genesis.parameters.blockInterval;
    await untilFinal(nodes, deadline, signal);
    return { genesisHash: toHex(genesisHash(genesis)), parameters: genesis.parameters, nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
