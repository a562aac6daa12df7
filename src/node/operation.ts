/**
 * What an operator sees of a node and what the node needs of its machine: metrics and resource watchers, put
 * together. It observes and warns; it ends the node only through `onStop`, when going on would do damage.
 */

import type { Warning } from '../api/backend.ts';
import type { ApiObserver } from '../api/observe.ts';
import { MAX_CLOCK_LEAD_MS } from '../chain/rules.ts';
import type { Settings } from '../config/settings.ts';
import { DEFAULT_LIMITS, type NetworkLimits } from '../p2p/limits.ts';
import { DATABASE_FILES } from '../storage/database.ts';
import { networkLimits } from './limits.ts';
import { type NodeFigures, recordNode } from './metrics/collect.ts';
import { recordNetwork } from './metrics/network.ts';
import { observeGarbageCollection, recordProcess } from './metrics/process.ts';
import { Metrics } from './metrics/registry.ts';
import { ClockWatcher } from './resources/clock.ts';
import { DiskWatcher } from './resources/disk.ts';
import { EventLoopMonitor, EventLoopWatcher } from './resources/event-loop.ts';
import {
  type HandlePlan,
  HandleWatcher,
  limitsWithin,
  peerHandles,
  planFileHandles,
} from './resources/file-handles.ts';
import { stopError, WARNING_CODES } from './resources/finding.ts';
import { MemoryWatcher } from './resources/memory.ts';
import {
  directoryBytes,
  fileHandleLimit,
  freeBytes,
  memoryUse,
  openFileHandles,
} from './resources/system.ts';
import { ResourceWatch, type WatchLog } from './resources/watch.ts';

const MEMORY_WARN_SHARE = 0.85;
const EVERY_MS = { disk: 2_000, clock: 5_000, handles: 5_000, eventLoop: 10_000, memory: 10_000 };
const SIZES_EVERY_MS = 10_000;

export interface OperationOptions {
  readonly settings: Settings;
  readonly directory: { readonly path: string; readonly database: string; readonly journal: string };
  readonly stakes: readonly bigint[];
  readonly self: number | undefined;
  readonly parameters: { readonly delta: number; readonly executionBudget: number };
  readonly log: WatchLog;
  readonly onStop: (error: Error) => void;
}

export class Operation {
  readonly metrics = new Metrics();
  /** What there are file handles for. */
  readonly handles: HandlePlan;
  readonly #o: OperationOptions;
  readonly #loop = new EventLoopMonitor();
  readonly #disk: DiskWatcher;
  readonly #clock: ClockWatcher;
  readonly #handles: HandleWatcher;
  readonly #watch: ResourceWatch;
  readonly #undo: (() => void)[] = [];
  #started = false;
  #stopError: Error | undefined;

  private constructor(options: OperationOptions, limit: number | undefined, handles: HandlePlan) {
    this.#o = options;
    this.handles = handles;
    const { settings, directory, parameters } = options;
    this.#disk = new DiskWatcher({
      paths: [directory.path, directory.database, directory.journal],
      warnBytes: settings.diskWarnBytes,
      stopBytes: settings.diskStopBytes,
      free: freeBytes,
    });
    this.#clock = new ClockWatcher({
      stakes: options.stakes,
      self: options.self,
      delta: parameters.delta,
      allowance: parameters.executionBudget + parameters.delta,
      stopMs: settings.clockStop ? MAX_CLOCK_LEAD_MS + parameters.delta : 0,
      wall: Date.now,
      monotonic: () => performance.now(),
    });
    this.#handles = new HandleWatcher({ limit, open: openFileHandles });
    this.#watch = new ResourceWatch({
      watchers: [
        { watcher: this.#disk, everyMs: EVERY_MS.disk },
        { watcher: this.#clock, everyMs: EVERY_MS.clock },
        { watcher: this.#handles, everyMs: EVERY_MS.handles },
        {
          watcher: new EventLoopWatcher({ warnMs: settings.lagWarnMs, next: () => this.#loop.next() }),
          everyMs: EVERY_MS.eventLoop,
        },
        {
          watcher: new MemoryWatcher({ warnShare: MEMORY_WARN_SHARE, look: memoryUse }),
          everyMs: EVERY_MS.memory,
        },
      ],
      log: options.log,
      onStop: (finding) => {
        this.#stopError = stopError(finding);
        if (this.#started) options.onStop(this.#stopError);
      },
      now: Date.now,
    });
    this.metrics.onScrape(() => this.#recordResources());
  }

  /** Throws `RESOURCE_FILE_HANDLES` when the process may open too few files. */
  static async prepare(options: OperationOptions): Promise<Operation> {
    const limit = await fileHandleLimit();
    const handles = planFileHandles(limit, {
      tables: DATABASE_FILES,
      connections: peerHandles({ ...DEFAULT_LIMITS, ...networkLimits(options.settings) }),
      clients: options.settings.apiConnections,
    });
    if (handles.remark !== undefined) {
      options.log.warn({ detail: handles.remark }, 'fewer file handles than the settings need');
    }
    return new Operation(options, limit, handles);
  }

  /** The network's limits as far as there are file handles for them. */
  networkLimits(wanted: Partial<NetworkLimits>): Partial<NetworkLimits> {
    if (this.handles.remark === undefined) return wanted;
    return { ...wanted, ...limitsWithin(this.handles.connections, { ...DEFAULT_LIMITS, ...wanted }) };
  }

  /** Looks at the machine; rejects with a `ResourceError` when it is no place to start on. */
  async start(): Promise<void> {
    await this.#watch.start();
    this.#started = true;
    if (this.#stopError !== undefined) throw this.#stopError;
    this.#undo.push(observeGarbageCollection(this.metrics));
    await this.#measureSizes();
    const timer = setInterval(() => void this.#measureSizes(), SIZES_EVERY_MS).unref();
    this.#undo.push(() => clearInterval(timer));
  }

  stop(): void {
    this.#watch.stop();
    this.#loop.stop();
    for (const undo of this.#undo) undo();
  }

  warnings(): readonly Warning[] {
    return this.#watch.warnings();
  }

  /** The parts to read at every scrape. */
  read(figures: () => NodeFigures, network: () => Readonly<Record<string, number>>): void {
    this.metrics.onScrape(() => {
      recordNode(this.metrics, figures());
      recordNetwork(this.metrics, network());
    });
  }

  /** A fresh proposal of `leader` with a time that it chose itself. */
  onProposalTime(leader: number, time: number): void {
    this.#clock.onProposal(leader, time);
  }

  readonly api: ApiObserver = {
    answered: (route, status, seconds) => {
      this.metrics.inc('kryder_api_requests_total', 1, { route, status: String(status) });
      this.metrics.observe('kryder_api_request_seconds', seconds);
    },
  };

  #recordResources(): void {
    const { metrics } = this;
    recordProcess(metrics, this.#loop.last);
    metrics.set('kryder_disk_free_bytes', this.#disk.free);
    metrics.set('kryder_clock_offset_seconds', (this.#clock.offset ?? 0) / 1_000);
    metrics.set('kryder_file_handles', this.#handles.open);
    metrics.set('kryder_file_handles_limit', this.#handles.limit ?? 0);
    for (const code of WARNING_CODES)
      metrics.set('kryder_warning', this.#watch.active(code) ? 1 : 0, { code });
  }

  async #measureSizes(): Promise<void> {
    const { database, journal } = this.#o.directory;
    this.metrics.set('kryder_storage_bytes', await directoryBytes(database), { directory: 'database' });
    this.metrics.set('kryder_storage_bytes', await directoryBytes(journal), { directory: 'journal' });
  }
}
