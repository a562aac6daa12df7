/**
 * File handles. At the start the limit of the process is compared with what its settings need; where it is lower,
 * the database's open tables and then the places for peers and API clients are cut down, and below the least that
 * a node can live with it does not start. While it runs it warns when four fifths of the limit are in use.
 */
import type { NetworkLimits } from '../../p2p/limits.ts';
import { type Finding, ResourceError, type Watcher } from './finding.ts';

/** Standard streams, event loops, threads, journal, logs, files that are read for a moment. */
const BASE = 64;
const LEAST_TABLES = 64;
const LEAST_CONNECTIONS = 32;
const LEAST_CLIENTS = 16;
const WARN_SHARE = 0.8;

export interface HandleWants {
  /** Files of the database that it may keep open. */
  readonly tables: number;
  /** Connections to peers, with those that are being made. */
  readonly connections: number;
  /** Connections of API clients. */
  readonly clients: number;
}

export interface HandlePlan extends HandleWants {
  /** What was cut down and why; undefined when there is room for everything. */
  readonly remark: string | undefined;
}

/** Fits what is wanted into `limit` (undefined: unknown, taken as enough). Throws `RESOURCE_FILE_HANDLES`. */
export function planFileHandles(limit: number | undefined, wants: HandleWants): HandlePlan {
  const need = BASE + wants.tables + wants.connections + wants.clients;
  if (limit === undefined || limit >= need) return { ...wants, remark: undefined };
  const least = BASE + LEAST_TABLES + LEAST_CONNECTIONS + LEAST_CLIENTS;
  const how = 'raise the limit (ulimit -n, LimitNOFILE= of a systemd unit, --ulimit nofile= of a container)';
  if (limit < least) {
    throw new ResourceError(
      'RESOURCE_FILE_HANDLES',
      `the process may open ${limit} files and sockets, a node needs at least ${least} and its settings ${need}: ${how}`,
    );
  }
  let missing = need - limit;
  const cut = (want: number, least: number): number => {
    const given = Math.min(missing, Math.max(0, want - least));
    missing -= given;
    return want - given;
  };
  const tables = cut(wants.tables, LEAST_TABLES);
  const clients = cut(wants.clients, LEAST_CLIENTS);
  const connections = cut(wants.connections, LEAST_CONNECTIONS);
  return {
    tables,
    clients,
    connections,
    remark: `the process may open ${limit} files and sockets, its settings need ${need}: going on with ${tables} for the database, ${connections} for peers, ${clients} for API clients; ${how}`,
  };
}

type PeerLimits = Pick<NetworkLimits, 'maxConnections' | 'maxStrangers' | 'inboundPending' | 'maxDials'>;

/** Connections to peers, with those that are being made. */
export function peerHandles({ maxConnections, inboundPending, maxDials }: PeerLimits): number {
  return maxConnections + inboundPending + maxDials;
}

/** The same limits, cut down in proportion so that they keep to so many handles. */
export function limitsWithin(handles: number, wanted: PeerLimits): PeerLimits {
  const all = peerHandles(wanted);
  if (handles >= all) return wanted;
  const share = (limit: number): number => Math.max(2, Math.floor((handles * limit) / all));
  return {
    maxConnections: share(wanted.maxConnections),
    maxStrangers: share(wanted.maxStrangers),
    inboundPending: share(wanted.inboundPending),
    maxDials: share(wanted.maxDials),
  };
}

export interface HandleOptions {
  readonly limit: number | undefined;
  /** Files and sockets that the process has open; undefined where the system does not tell. */
  readonly open: () => Promise<number | undefined>;
}

export class HandleWatcher implements Watcher {
  readonly name = 'file-handles';
  readonly limit: number | undefined;
  readonly #o: HandleOptions;
  #open = Number.NaN;

  constructor(options: HandleOptions) {
    this.#o = options;
    this.limit = options.limit;
  }

  /** At the last look; NaN where that is not known. */
  get open(): number {
    return this.#open;
  }

  async check(): Promise<readonly Finding[]> {
    const open = await this.#o.open();
    this.#open = open ?? Number.NaN;
    if (open === undefined || this.limit === undefined || open < WARN_SHARE * this.limit) return [];
    return [
      {
        code: 'FILE_HANDLES_LOW',
        level: 'warn',
        message: `${open} of ${this.limit} files and sockets are open: raise the limit (ulimit -n, LimitNOFILE) or lower the limits on peers`,
      },
    ];
  }
}
