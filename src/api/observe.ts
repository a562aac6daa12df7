/**
 * What the API tells about itself: which route was answered with which status and how fast, how many requests are
 * being answered, how many clients listen. Routes and statuses are closed sets, so that what a client asks for
 * makes no new series.
 */
import type { FastifyInstance } from 'fastify';
import { Dear } from './pace.ts';

/** The templates that the server registers: a route that is not among them cannot be registered. */
export const API_ROUTES = [
  '/healthz',
  '/metrics',
  '/v1/status',
  '/v1/supply',
  '/v1/accounts/:address',
  '/v1/transactions',
  '/v1/transactions/:id',
  '/v1/blocks/:height',
  '/v1/blocks/:height/raw',
  '/v1/blocks/stream',
  '/v1/tags/:tag/bounties',
  'other',
] as const;

export const API_STATUSES = [
  '200',
  '400',
  '404',
  '405',
  '408',
  '413',
  '415',
  '429',
  '431',
  '500',
  '503',
  'other',
] as const;

/** Codes of refusals that are counted apart. */
export const API_REFUSALS = [
  'ADDRESS_INVALID',
  'API_BUSY',
  'API_RATE',
  'BLOCK_UNKNOWN',
  'BODY_TOO_LARGE',
  'HEADERS_TOO_LARGE',
  'HEX_INVALID',
  'HTTP_INVALID',
  'INTERNAL',
  'NOT_FOUND',
  'PIPELINED',
  'PROOF_UNAVAILABLE',
  'REQUEST_INVALID',
  'REQUEST_TIMEOUT',
  'SLOW_READER',
  'TOO_MANY_STREAMS',
  'TX_UNKNOWN',
  'VERIFY_BUSY',
  'VERIFY_CLOSED',
  'other',
] as const;

export interface ApiObserver {
  /** An answer has been sent; `seconds` since its request came. */
  answered(route: string, status: number, seconds: number): void;
}

export interface ApiLoad {
  /** Requests that are being answered, streams left out. */
  readonly inFlight: number;
  readonly streams: number;
}

/** The part of the main thread that making the page may take, milliseconds of it at once, and scrapes that wait. */
const METRICS_SHARE = 0.1;
const METRICS_BURST_MS = 500;
const METRICS_WAITING = 16;

export function registerMetrics(app: FastifyInstance, metrics: () => Promise<string>): void {
  const line = new Dear(METRICS_SHARE, METRICS_BURST_MS, METRICS_WAITING, () => performance.now());
  app.get('/metrics', async (_request, reply) => {
    const page = await line.run(metrics);
    reply.type('text/plain; version=0.0.4; charset=utf-8');
    return reply.send(page);
  });
}

/** Counts requests from now on; returns how many are in work, streams included. */
export function observeRequests(app: FastifyInstance, observer: ApiObserver | undefined): () => number {
  const began = new WeakMap<object, number>();
  let inFlight = 0;
  app.addHook('onRoute', ({ url }) => {
    if (!(API_ROUTES as readonly string[]).includes(url)) throw new Error(`${url} is not in API_ROUTES`);
  });
  app.addHook('onRequest', (request, reply, done) => {
    began.set(request, performance.now());
    inFlight += 1;
    let open = true;
    // `close` comes once, whatever becomes of the answer: sent, cut off, or taken over by a stream
    reply.raw.once('close', () => {
      if (open) inFlight -= 1;
      open = false;
    });
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const since = began.get(request);
    const route = request.routeOptions.url ?? 'other';
    if (since !== undefined) observer?.answered(route, reply.statusCode, (performance.now() - since) / 1_000);
    done();
  });
  return () => inFlight;
}
