/** The real server over a backend that answers from memory, and clients that do as they like. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ApiBackend, FinalEvent } from '../../src/api/backend.ts';
import type { ApiLimits } from '../../src/api/limits.ts';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { DEVNET_PARAMETERS, type Genesis } from '../../src/chain/genesis.ts';
import { ProtocolError } from '../../src/codec/errors.ts';

const GENESIS: Genesis = {
  name: 'test',
  time: 0,
  parameters: DEVNET_PARAMETERS,
  accounts: [],
  validators: [],
  seed: new Uint8Array(32),
};

export interface Victim {
  readonly api: ApiServer;
  readonly port: number;
  /** What the server called its own fault. */
  readonly faults: unknown[];
  announce(event: FinalEvent): void;
}

const victims: Victim[] = [];
const sockets = new Set<Socket>();

export async function stopVictims(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(victims.splice(0).map(({ api }) => api.close()));
}

export async function startVictim(
  limits: Partial<ApiLimits> = {},
  over: Partial<ApiBackend> = {},
): Promise<Victim> {
  const listeners = new Set<(event: FinalEvent) => void>();
  const faults: unknown[] = [];
  const unused = (): never => {
    throw new ProtocolError('NOT_FOUND', 'not part of this test');
  };
  const backend: ApiBackend = {
    genesis: GENESIS,
    status: () => ({
      chainName: 'test',
      genesisHash: new Uint8Array(32),
      version: '0',
      height: 1,
      blockHash: new Uint8Array(32),
      blockTime: 0,
      view: 1,
      validators: 1,
      self: undefined,
      peers: [],
      addresses: [],
      mempool: { transactions: 0, bytes: 0 },
      syncing: false,
      uptimeSeconds: 0,
      warnings: [],
    }),
    unhealthy: () => undefined,
    warnings: () => [],
    submit: async (transactions) =>
      transactions.map(() => ({ status: 'rejected', id: undefined, code: 'TX_SHAPE', reason: 'no' })),
    transactionStatus: () => ({ status: 'unknown' }),
    transactionProof: unused,
    account: () => ({ height: 1, balance: undefined, pending: 0n }),
    accountProof: unused,
    bounties: () => ({ height: 1, bounties: [] }),
    bountiesProof: unused,
    block: () => undefined,
    supply: unused,
    onFinal: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ...over,
  };
  const api = await startApi({
    host: '127.0.0.1',
    port: 0,
    backend,
    onError: (error) => faults.push(error),
    limits,
  });
  const victim: Victim = {
    api,
    port: Number(new URL(api.url).port),
    faults,
    announce: (event) => {
      for (const listener of listeners) listener(event);
    },
  };
  victims.push(victim);
  return victim;
}

export interface Client {
  readonly socket: Socket;
  /** All that has come, as text. */
  readonly text: () => string;
  /** Resolves when the server has ended the connection, with all that came. */
  readonly ended: Promise<string>;
}

/** A connection by hand. It reads unless it is paused. */
export async function client(victim: Victim, say = ''): Promise<Client> {
  const socket = connect({ port: victim.port, host: '127.0.0.1' });
  sockets.add(socket);
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  const ended = once(socket, 'close').then(() => text);
  await once(socket, 'connect');
  if (say !== '') socket.write(say);
  return { socket, text: () => text, ended };
}

export async function until(what: string, condition: () => boolean, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const GET_STATUS = 'GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n';

/** Status and error code of an honest request. */
export async function ask(
  victim: Victim,
  path = '/v1/status',
  init: RequestInit = {},
): Promise<{ status: number; code: string | undefined }> {
  const response = await fetch(`${victim.api.url}${path}`, init);
  const body = (await response.json()) as { error?: { code: string } };
  return { status: response.status, code: body.error?.code };
}
