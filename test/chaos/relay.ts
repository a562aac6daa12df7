/**
 * The relay between the nodes, a process of its own: it listens at the address that the others know of each node and
 * hands every connection on to the node's own address, from the address that the others know of the caller. What
 * passes, and the end of it, is late by what it is told for this direction, and stays in order; a reset passes at once. It
 * holds a bounded number of bytes a direction: a side that does not read is felt by the other.
 *
 * Standard input, one JSON object a line: first `{"places": [{"own", "known"}, …], "port", "seed"}`, then
 * `{"late": [[{"delayMs", "jitterMs"}, …], …]}` as often as it changes. Standard output: `{"ready": true}`, and, when
 * the input ends, `{"connections", "bytes", "delayedBytes"}`.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Prng } from '../simulator/prng.ts';
import type { Conditions, Place } from './conditions.ts';

const MOST_HELD_BYTES = 1 << 20;

interface Held {
  readonly due: number;
  /** Absent: the other side said that nothing follows. */
  readonly chunk: Buffer | undefined;
}

export interface RelayPlan {
  readonly places: readonly Place[];
  readonly port: number;
  readonly seed: number;
}

export interface RelayCounts {
  connections: number;
  bytes: number;
  delayedBytes: number;
}

function forward(from: Socket, to: Socket, lateMs: () => number, counts: RelayCounts): void {
  const queue: Held[] = [];
  let held = 0;
  let latest = 0;
  let blocked = false;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    while (queue.length > 0 && !blocked && !to.destroyed) {
      const wait = queue[0]!.due - performance.now();
      if (wait > 0) {
        timer = setTimeout(flush, Math.ceil(wait));
        break;
      }
      const { chunk } = queue.shift()!;
      if (chunk === undefined) to.end();
      else {
        held -= chunk.length;
        blocked = !to.write(chunk);
      }
    }
    if (held < MOST_HELD_BYTES && from.isPaused()) from.resume();
  };
  const take = (chunk: Buffer | undefined): void => {
    const late = lateMs();
    latest = Math.max(latest, performance.now() + late);
    queue.push({ due: latest, chunk });
    if (chunk !== undefined) {
      counts.bytes += chunk.length;
      if (late > 0) counts.delayedBytes += chunk.length;
      held += chunk.length;
      if (held >= MOST_HELD_BYTES) from.pause();
    }
    if (timer === undefined) flush();
  };
  from.on('data', take);
  from.on('end', () => take(undefined));
  to.on('drain', () => {
    blocked = false;
    flush();
  });
  to.on('close', () => clearTimeout(timer));
  from.on('error', () => to.resetAndDestroy());
}

/** Servers at all known addresses; `late` answers for a direction, in ms. */
export async function startRelay(
  places: readonly Place[],
  port: number,
  late: (from: number, to: number) => number,
  counts: RelayCounts,
): Promise<Server[]> {
  return Promise.all(
    places.map(async ({ known, own }, called) => {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
        const caller = places.findIndex((place) => place.own === near.remoteAddress);
        if (caller < 0) {
          near.destroy();
          return;
        }
        counts.connections += 1;
        const far = connect({
          host: own,
          port,
          localAddress: places[caller]!.known,
          allowHalfOpen: true,
          noDelay: true,
        });
        forward(near, far, () => late(caller, called), counts);
        forward(far, near, () => late(called, caller), counts);
      });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen({ host: known, port }, resolve);
      });
      return server;
    }),
  );
}

async function main(): Promise<void> {
  const counts: RelayCounts = { connections: 0, bytes: 0, delayedBytes: 0 };
  let table: Conditions['late'] = [];
  let prng = new Prng('');
  const late = (from: number, to: number): number => {
    const { delayMs, jitterMs } = table[from]?.[to] ?? { delayMs: 0, jitterMs: 0 };
    return delayMs + prng.float() * jitterMs;
  };
  const say = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
  let started = false;
  for await (const text of createInterface({ input: process.stdin })) {
    const line = JSON.parse(text) as RelayPlan | { late: Conditions['late'] };
    if ('late' in line) table = line.late;
    else if (!started) {
      started = true;
      prng = new Prng(`chaos/${line.seed}/relay`);
      await startRelay(line.places, line.port, late, counts);
      say({ ready: true });
    }
  }
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
