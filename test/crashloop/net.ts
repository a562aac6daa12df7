/** Four validators as real processes that are killed and started again, and what their doors say. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { Genesis, GenesisAccount } from '../../src/chain/genesis.ts';
import { ApiClient } from '../../src/cli/client.ts';
import type { ChainParameters } from '../../src/ledger/parameters.ts';
import { readGenesisFile } from '../../src/node/data-directory.ts';
import { Child } from '../../src/story/child.ts';
import { createDevnet, genesisFileOf } from '../../src/story/devnet.ts';
import type { FailPointVisit } from './plan.ts';

/** What a devnet's node.json says, as far as it matters here. */
const settingsSchema = z.looseObject({ api: z.string() });

const READY_MS = 60_000;
const ANSWER_MS = 10_000;

interface Member {
  readonly index: number;
  /** Its data directory. */
  readonly path: string;
  readonly client: ApiClient;
  child: Child | undefined;
  /** Its API answers. */
  ready: boolean;
  /** Its end is our doing. */
  doomed: boolean;
}

export interface NetPlan {
  readonly dir: string;
  readonly validators: number;
  readonly parameters: ChainParameters;
  readonly accounts: readonly GenesisAccount[];
  readonly journalSegmentBytes: number;
  /** A node ended that nobody had killed. */
  readonly onEnd: (what: string) => void;
}

export class CrashNet {
  readonly genesis: Genesis;
  readonly #members: readonly Member[];
  readonly #onEnd: (what: string) => void;

  private constructor(genesis: Genesis, members: readonly Member[], onEnd: (what: string) => void) {
    this.genesis = genesis;
    this.#members = members;
    this.#onEnd = onEnd;
  }

  /** Makes the network; nothing runs yet. */
  static async create(plan: NetPlan): Promise<CrashNet> {
    const { dir, validators, parameters, accounts } = plan;
    await createDevnet(dir, { validators, followers: 0, parameters, accounts });
    const members: Member[] = [];
    for (let index = 0; index < validators; index++) {
      const path = join(dir, `node-${index}`);
      const file = join(path, 'node.json');
      const settings = settingsSchema.parse(JSON.parse(await readFile(file, 'utf8')));
      const { journalSegmentBytes } = plan;
      await writeFile(file, `${JSON.stringify({ ...settings, journalSegmentBytes }, null, 2)}\n`);
      const client = new ApiClient(`http://${settings.api}`, { timeoutMs: ANSWER_MS });
      members.push({ index, path, client, child: undefined, ready: false, doomed: false });
    }
    return new CrashNet(await readGenesisFile(genesisFileOf(dir)), members, plan.onEnd);
  }

  get size(): number {
    return this.#members.length;
  }

  client(index: number): ApiClient {
    return this.#members[index]!.client;
  }

  journals(): string[] {
    return this.#members.map(({ path }) => join(path, 'journal'));
  }

  logFile(index: number): string {
    return join(this.#members[index]!.path, 'node.log');
  }

  /** The nodes whose API answers, as far as is known. */
  ready(): number[] {
    return this.#members.flatMap(({ index, ready }) => (ready ? [index] : []));
  }

  /** Starts a node; with `visit` it dies at that fail point. Resolves once the process is there. */
  async start(index: number, visit?: FailPointVisit): Promise<void> {
    const member = this.#members[index]!;
    const { path } = member;
    const child = await Child.start({
      name: `node ${index}`,
      args: ['node', '--dir', path, '--log-level', 'info', '--supervised', '--json'],
      log: this.logFile(index),
      environment: visit === undefined ? {} : { KRYDER_FAIL_POINT: `${visit.point}:${visit.pass}` },
    });
    member.child = child;
    member.doomed = visit !== undefined;
    void child.exited.then(({ code, signal }) => {
      if (member.child !== child) return;
      member.ready = false;
      if (!member.doomed) this.#onEnd(`node ${index} ended by itself (${signal ?? `status ${code}`})`);
    });
  }

  /** Waits until a node that was started says that it is ready. */
  async untilReady(index: number, signal: AbortSignal): Promise<void> {
    const member = this.#members[index]!;
    const { child } = member;
    await child!.waitFor('ready', READY_MS, signal);
    if (member.child === child && child!.running) member.ready = true;
  }

  /** SIGKILL, at once; false when it was not running. Resolves when the process is gone. */
  async kill(index: number): Promise<boolean> {
    const member = this.#members[index]!;
    const { child } = member;
    if (child === undefined || !child.running) return false;
    member.doomed = true;
    member.ready = false;
    child.kill();
    await child.exited;
    return true;
  }

  /** Whether a node that was started with a fail point died at it within `ms`. */
  async diedAtFailPoint(index: number, ms: number, signal: AbortSignal): Promise<boolean> {
    const { child } = this.#members[index]!;
    const exit = await Promise.race([
      child!.exited,
      delay(ms, undefined, { signal, ref: false }).catch(() => undefined),
    ]);
    if (exit !== undefined && exit.signal !== 'SIGKILL') {
      const how = exit.signal ?? `status ${exit.code}`;
      this.#onEnd(`node ${index} ended by itself (${how}) on its way to a fail point`);
    }
    return exit?.signal === 'SIGKILL';
  }

  /** Asks every node to end in order; true when all did, with status 0. */
  async stop(): Promise<boolean> {
    const ends = await Promise.all(
      this.#members.map(async (member) => {
        if (member.child === undefined || !member.child.running) return false;
        member.doomed = true;
        member.ready = false;
        return (await member.child.stop()).code === 0;
      }),
    );
    return ends.every((clean) => clean);
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#members.map(({ index }) => this.kill(index)));
  }
}

const whole = z.number().int().nonnegative();
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const coins = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);

const blockSchema = z.looseObject({
  height: whole,
  hash: hex32,
  parent: hex32,
  transactions: z.array(z.looseObject({ id: hex32 })),
});

const supplySchema = z.looseObject({
  height: whole,
  genesis: coins,
  minted: coins,
  burned: coins,
  accounts: coins,
  bounties: coins,
  deposits: coins,
  feePool: coins,
  staked: coins,
  findings: z.array(z.string()),
});

/** A final block and the ids in it. */
export async function finalBlock(client: ApiClient, height: number) {
  const { hash, parent, transactions, ...rest } = await client.get(blockSchema, `/v1/blocks/${height}`);
  return { height: rest.height, hash, parent, ids: transactions.map(({ id }) => id) };
}

export function supplyOf(client: ApiClient) {
  return client.get(supplySchema, '/v1/supply');
}
