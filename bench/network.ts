/** Networks of real processes for benchmarks, and the final blocks as a node streams them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Block, decodeBlock } from '../src/chain/block.ts';
import type { GenesisAccount } from '../src/chain/genesis.ts';
import type { ChainParameters } from '../src/ledger/parameters.ts';
import { createDevnet, type Devnet, startDevnet } from '../src/story/devnet.ts';

export interface BenchPlan {
  readonly validators: number;
  readonly followers: number;
  readonly parameters: ChainParameters;
  readonly accounts: readonly GenesisAccount[];
  /** Folder for CPU profiles of every node, one file a thread. */
  readonly profile?: string | undefined;
  readonly say: (line: string) => void;
}

/** Runs `work` on a fresh network in a temporary folder and takes both down again, whatever happens. */
export async function withNetwork<T>(plan: BenchPlan, work: (net: Devnet) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'kryder-bench-'));
  try {
    const dir = join(folder, 'net');
    await createDevnet(dir, plan);
    const runtimeArgs = plan.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${plan.profile}`];
    const signal = AbortSignal.timeout(180_000);
    const net = await startDevnet(dir, { logLevel: 'warn', signal, runtimeArgs, report: plan.say });
    try {
      return await work(net);
    } finally {
      await net.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface FinalNotice {
  readonly height: number;
  readonly transactions: number;
  readonly finalityMs: number;
  /** When the notice arrived here, on this process's monotonic clock. */
  readonly at: number;
}

/**
 * Calls back for every final block of a node until the returned function is called; `onBroken` when the stream
 * ends by itself.
 */
export function followFinal(
  api: string,
  onFinal: (notice: FinalNotice) => void,
  onBroken: () => void = () => undefined,
): () => void {
  let ended = false;
  const broken = (): void => {
    if (ended) return;
    ended = true;
    onBroken();
  };
  const outgoing = get(`${api}/v1/blocks/stream`, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const at = performance.now();
      text += chunk;
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end < 0) return;
        const data = /^data: (.*)$/m.exec(text.slice(0, end));
        text = text.slice(end + 2);
        if (data !== null) onFinal({ ...(JSON.parse(data[1]!) as Omit<FinalNotice, 'at'>), at });
      }
    });
    response.on('error', broken);
    response.on('close', broken);
  });
  outgoing.on('error', broken);
  return () => {
    ended = true;
    outgoing.destroy();
  };
}

/** A final block, whole. */
export async function rawBlock(api: string, height: number, maxBlockBytes: number): Promise<Block> {
  const response = await fetch(`${api}/v1/blocks/${height}/raw`);
  if (!response.ok) throw new Error(`block ${height}: the node answered ${response.status}`);
  return decodeBlock(new Uint8Array(await response.arrayBuffer()), maxBlockBytes);
}

/** Middle value, and the one that 95 % stay below. */
export function quantiles(values: readonly number[]): { median: number; p95: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95), max: at(1) };
}
