/**
 * Runs seeds on worker threads, a few seeds at a time to whoever is free, and gives the results out in the order of the
 * seeds, so that nothing that is computed from them depends on the number of workers.
 */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type Facets, pinsOf } from './facets.ts';
import { scenarioOf } from './scenario.ts';
import { type RunResult, runScenario } from './world.ts';

interface Job {
  readonly seeds: readonly number[];
  readonly scenario: string | undefined;
}

export interface TimedResult extends RunResult {
  /** Seconds of a core that the run took. */
  readonly seconds: number;
}

const CHUNK = 4;
/** Results that may wait for an earlier seed; a chunk of smoke runs takes as long as hundreds of others. */
const WINDOW = 4_000;

async function play(
  seed: number,
  pins: Partial<Facets>,
  print?: (line: string) => void,
): Promise<TimedResult> {
  const before = process.cpuUsage();
  const started = performance.now();
  const result = await runScenario(scenarioOf(seed, pins), print);
  const { user, system } = process.cpuUsage(before);
  // Of one thread alone this is the processor's time; beside others it is bounded by the wall clock.
  const seconds = Math.min((user + system) / 1e6, (performance.now() - started) / 1_000);
  return { ...result, seconds };
}

/** What a worker thread does: plays the seeds that it is sent. */
export function serve(): void {
  if (isMainThread || parentPort === null) throw new Error('not a worker thread');
  const port = parentPort;
  port.on('message', (job: Job) => {
    const pins = job.scenario === undefined ? {} : pinsOf(job.scenario);
    void (async () => {
      const results: TimedResult[] = [];
      for (const seed of job.seeds) results.push(await play(seed, pins));
      port.postMessage(results);
    })();
  });
}

interface PoolOptions {
  readonly from: number;
  /** The first seed that is not played. */
  readonly until: number;
  readonly jobs: number;
  /** Pins facets of the scenarios. */
  readonly scenario: string | undefined;
  /** Of a trace: one thread, this one. */
  readonly print?: ((line: string) => void) | undefined;
  /** Called in the order of the seeds; false ends everything. */
  readonly onResult: (result: TimedResult) => boolean;
}

/** Resolves when all seeds are played or `onResult` has ended it. Rejects if a worker dies. */
export async function playSeeds(entry: URL, options: PoolOptions): Promise<void> {
  if (options.jobs <= 1 || options.print !== undefined) {
    const pins = options.scenario === undefined ? {} : pinsOf(options.scenario);
    for (let seed = options.from; seed < options.until; seed++) {
      if (!options.onResult(await play(seed, pins, options.print))) return;
    }
    return;
  }
  const workers: Worker[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const order = new InOrder(options, resolve);
      for (let i = 0; i < options.jobs; i++) {
        const worker = new Worker(entry);
        workers.push(worker);
        const feed = (): void => {
          const seeds = order.next(feed);
          if (seeds !== undefined) worker.postMessage({ seeds, scenario: options.scenario } satisfies Job);
        };
        worker.on('message', (results: readonly TimedResult[]) => {
          order.take(results);
          feed();
        });
        worker.on('error', reject);
        feed();
      }
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Hands out seeds and puts results back in their order. */
class InOrder {
  readonly #options: PoolOptions;
  readonly #resolve: () => void;
  readonly #waiting = new Map<number, TimedResult>();
  readonly #idle: (() => void)[] = [];
  #handedOut: number;
  #due: number;
  #over = false;

  constructor(options: PoolOptions, resolve: () => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#handedOut = options.from;
    this.#due = options.from;
    this.#finish();
  }

  /** Seeds to play now; `again` is called when there are some later. */
  next(again: () => void): number[] | undefined {
    if (this.#over || this.#handedOut >= this.#options.until) return undefined;
    if (this.#handedOut - this.#due >= WINDOW) {
      this.#idle.push(again);
      return undefined;
    }
    const seeds: number[] = [];
    while (seeds.length < CHUNK && this.#handedOut < this.#options.until) seeds.push(this.#handedOut++);
    return seeds;
  }

  take(results: readonly TimedResult[]): void {
    for (const result of results) this.#waiting.set(result.seed, result);
    for (
      let result = this.#waiting.get(this.#due);
      result !== undefined;
      result = this.#waiting.get(this.#due)
    ) {
      if (this.#over) return;
      this.#waiting.delete(this.#due++);
      this.#over = !this.#options.onResult(result);
    }
    this.#finish();
    for (const again of this.#idle.splice(0)) again();
  }

  #finish(): void {
    if (!this.#over && this.#due < this.#options.until) return;
    this.#over = true;
    this.#resolve();
  }
}
