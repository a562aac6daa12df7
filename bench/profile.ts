/** Sums up the CPU profiles that `throughput --profile DIR` writes: for each thread, what it was busy with. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  /** Microseconds. */
  readonly timeDeltas: readonly number[];
}

export interface ThreadProfile {
  readonly file: string;
  readonly busySeconds: number;
  /** Percent of the busy time, the largest first; what is under one percent is left out. */
  readonly shares: Record<string, number>;
}

/** Threads that were busy for less than this are not part of the load. */
const LEAST_BUSY_SECONDS = 5;

function groupOf(functionName: string, url: string): string {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage';
  if (url.includes('sodium-native')) return 'signatures';
  if (/node_modules\/(classic|abstract)-level/.test(url)) return 'database';
  if (/node_modules\/(@?libp2p|@chainsafe\/libp2p|uint8|@multiformats|multiformats|it-)/.test(url))
    return 'libp2p';
  return /dist\/src\/(\w+)\//.exec(url)?.[1] ?? (url.includes('node_modules') ? 'packages' : 'node');
}

function summarise(file: string, profile: Profile): ThreadProfile {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const spent = new Map<string, number>();
  profile.samples.forEach((id, i) => {
    const { functionName, url } = frames.get(id)!;
    const group = groupOf(functionName, url);
    spent.set(group, (spent.get(group) ?? 0) + profile.timeDeltas[i]!);
  });
  spent.delete('idle');
  const busy = [...spent.values()].reduce((sum, time) => sum + time, 0);
  const shares = [...spent]
    .map(([group, time]): [string, number] => [group, Math.round((100 * time) / busy)])
    .filter(([, share]) => share > 0)
    .sort(([, a], [, b]) => b - a);
  return { file, busySeconds: Math.round(busy / 100_000) / 10, shares: Object.fromEntries(shares) };
}

export async function profileReport(directory: string): Promise<ThreadProfile[]> {
  const threads: ThreadProfile[] = [];
  for (const file of (await readdir(directory)).sort()) {
    if (!file.endsWith('.cpuprofile')) continue;
    threads.push(summarise(file, JSON.parse(await readFile(join(directory, file), 'utf8')) as Profile));
  }
  return threads.filter(({ busySeconds }) => busySeconds >= LEAST_BUSY_SECONDS);
}
