/** Real networks for end-to-end tests: processes on loopback, killed, stopped and started again. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DEVNET_PARAMETERS } from '../../src/chain/genesis.ts';
import { type Bytes, fromHex, toHex } from '../../src/codec/bytes.ts';
import type { SigningKey } from '../../src/crypto/interfaces.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import type { ChainParameters } from '../../src/ledger/parameters.ts';
import type { FailPoint } from '../../src/storage/fail-points.ts';
import { Child } from '../../src/story/child.ts';
import { createDevnet, startDevnet } from '../../src/story/devnet.ts';
import { planTransfer, signTransaction } from '../../src/tx/build.ts';
import { OUTPUT_PAY } from '../../src/tx/types.ts';

const START_MS = 40_000;
/** Restarted nodes get their ports again, but only once the old process is gone. */
const GONE_MS = 30_000;

interface Running {
  child: Child;
  api: string;
}

export interface Status {
  readonly height: number;
  readonly blockHash: string;
  readonly view: number;
  readonly syncing: boolean;
  readonly peers: readonly { id: string }[];
}

const OWNER: SigningKey = signingKey(new Uint8Array(32).fill(7));

export class TestNet {
  readonly parameters: ChainParameters;
  readonly genesisHash: Bytes;
  readonly #dir: string;
  readonly #nodes: Running[];

  private constructor(dir: string, nodes: Running[], parameters: ChainParameters, genesisHash: string) {
    this.#dir = dir;
    this.#nodes = nodes;
    this.parameters = parameters;
    this.genesisHash = fromHex(genesisHash, 32);
  }

  /** `settings` goes into each node.json. */
  static async start(
    validators: number,
    change: Partial<ChainParameters> = {},
    settings: Record<string, unknown> = {},
  ): Promise<TestNet> {
    const dir = await mkdtemp(join(tmpdir(), 'kryder e2e ü-'));
    const parameters = { ...DEVNET_PARAMETERS, blockInterval: 200, ...change };
    const accounts = [{ address: OWNER.publicKey, amount: 1_000_000_000n }];
    const net = join(dir, 'net');
    await createDevnet(net, { validators, followers: 0, parameters, accounts });
    for (let i = 0; i < validators; i++) {
      const file = join(net, `node-${i}`, 'node.json');
      const json = JSON.parse(await readFile(file, 'utf8')) as object;
      await writeFile(file, JSON.stringify({ ...json, ...settings }));
    }
    const started = await startDevnet(net, {
      logLevel: 'info',
      signal: AbortSignal.timeout(START_MS * 2),
      report: () => {},
    });
    const nodes = started.nodes.map(({ child, api }) => ({ child, api }));
    return new TestNet(dir, nodes, parameters, started.genesisHash);
  }

  api(index: number): string {
    return this.#nodes[index]!.api;
  }

  dataDirectory(index: number): string {
    return join(this.#dir, 'net', `node-${index}`);
  }

  async kill(...indexes: number[]): Promise<void> {
    for (const index of indexes) process.kill(this.#nodes[index]!.child.pid, 'SIGKILL');
    await this.gone(...indexes);
  }

  async gone(...indexes: number[]): Promise<void> {
    for (const index of indexes) {
      await Promise.race([
        this.#nodes[index]!.child.exited,
        delay(GONE_MS).then(() => Promise.reject(new Error(`node ${index} is still there`))),
      ]);
    }
  }

  /** Waits until a node ends by itself: its exit status and the error that it reports. */
  async ended(index: number): Promise<{ code: number | null; reason: string }> {
    const { child } = this.#nodes[index]!;
    const said = child.waitFor('nothing', GONE_MS).then(
      () => '',
      (error: Error & { code?: string }) => `${error.code}: ${error.message}`,
    );
    await this.gone(index);
    return { code: (await child.exited).code, reason: await said };
  }

  /** SIGTERM; resolves to how the process ended and how long that took, in ms. */
  async terminate(index: number): Promise<{ code: number | null; ms: number }> {
    const began = performance.now();
    const { code } = await this.#nodes[index]!.child.stop();
    return { code, ms: performance.now() - began };
  }

  /** Starts nodes again; with `failAt` they die at that fail point. */
  async restart(indexes: readonly number[], failAt?: `${FailPoint}:${number}`): Promise<void> {
    await Promise.all(
      indexes.map(async (index) => {
        const dir = this.dataDirectory(index);
        this.#nodes[index]!.child = await Child.start({
          name: `node ${index}`,
          args: ['node', '--dir', dir, '--log-level', 'info', '--supervised', '--json'],
          log: join(dir, 'node.log'),
          environment: failAt === undefined ? {} : { KRYDER_FAIL_POINT: failAt },
        });
        if (failAt === undefined) await this.#nodes[index]!.child.waitFor('ready', START_MS);
      }),
    );
  }

  async get<T>(index: number, path: string): Promise<T> {
    const response = await fetch(`${this.api(index)}${path}`, { signal: AbortSignal.timeout(10_000) });
    const body = (await response.json()) as T;
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${JSON.stringify(body)}`);
    return body;
  }

  status(index: number): Promise<Status> {
    return this.get<Status>(index, '/v1/status');
  }

  async post<T>(index: number, body: unknown): Promise<T> {
    const response = await fetch(`${this.api(index)}/v1/transactions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return (await response.json()) as T;
  }

  /** A signed payment of the owner to `to`. */
  async payment(to: Bytes, amount: bigint): Promise<{ id: string; hex: string; bytes: Bytes }> {
    const { height } = await this.anyStatus();
    const plan = {
      from: OWNER.publicKey,
      outputs: [{ type: OUTPUT_PAY, to, amount } as const],
      validUntil: height + this.parameters.txLifetime - 5,
      salt: new Uint8Array(randomBytes(8)),
    };
    const { id, bytes } = signTransaction(
      planTransfer(plan, this.parameters, this.parameters.baseFee),
      this.genesisHash,
      [OWNER],
    );
    return { id: toHex(id), hex: toHex(bytes), bytes };
  }

  async anyStatus(): Promise<Status> {
    for (let i = 0; i < this.#nodes.length; i++) {
      const status = await this.status(i).catch(() => undefined);
      if (status !== undefined) return status;
    }
    throw new Error('no node answers');
  }

  /** Waits until `condition` holds; fails after `ms` with `what`. */
  async until(what: string, condition: () => Promise<boolean>, ms = 30_000): Promise<void> {
    const deadline = performance.now() + ms;
    while (!(await condition().catch(() => false))) {
      if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain: ${what}`);
      await delay(50);
    }
  }

  untilHeight(index: number, height: number, ms?: number): Promise<void> {
    return this.until(
      `node ${index} at height ${height}`,
      async () => (await this.status(index)).height >= height,
      ms,
    );
  }

  untilFinal(index: number, id: string, ms?: number): Promise<void> {
    return this.until(
      `${id} final at node ${index}`,
      async () => (await this.get<{ status: string }>(index, `/v1/transactions/${id}`)).status === 'final',
      ms,
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ child }) => child.stop()));
    await rm(this.#dir, { recursive: true, force: true });
  }
}
