/**
 * The HTTP API: REST with JSON, a binary door for many transactions at once, and a stream of final blocks. It
 * listens on loopback unless told otherwise. Every input is bounded before it is read; every refusal is
 * `{"error": {"code", "message"}}` with a status of its own; nothing that a client sends can stop the node, and
 * what clients take of it together is bounded: see door.ts and limits.ts.
 */
import Fastify from 'fastify';
import { ProtocolError } from '../codec/errors.ts';
import { reasonOf } from '../system/problems.ts';
import type { ApiBackend } from './backend.ts';
import { Door } from './door.ts';
import { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';
import { type ApiLoad, type ApiObserver, observeRequests, registerMetrics } from './observe.ts';
import { registerQueries } from './queries.ts';
import { refuse, refuseClient } from './refusal.ts';
import { registerStream } from './stream.ts';
import { registerSubmission } from './submission.ts';

export interface ApiOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly backend: ApiBackend;
  /** Called with what went wrong inside, never with what a client sent. */
  readonly onError: (error: unknown) => void;
  readonly limits?: Partial<ApiLimits>;
  readonly observer?: ApiObserver;
  /** What `/metrics` answers, in Prometheus' text format; without it there is no such route. */
  readonly metrics?: () => Promise<string>;
}

export interface ApiServer {
  /** `http://host:port` */
  readonly url: string;
  readonly load: ApiLoad;
  /** Counters and gauges: `requests`, `connections`, `streams`, `refused.<code>` and so on. */
  metrics(): Record<string, number>;
  close(): Promise<void>;
}

const TIMEOUT_CHECK_MS = 1_000;
const MAX_HEADERS = 64;
const MAX_PARAMETER = 200;

/** Starts the server; resolves when it accepts connections. Throws `API_ADDRESS` or
 * `API_ADDRESS_IN_USE` when it cannot listen. */
export async function startApi(options: ApiOptions): Promise<ApiServer> {
  const { backend, onError } = options;
  const limits: ApiLimits = { ...DEFAULT_API_LIMITS, ...options.limits };
  const door = new Door(limits, () => performance.now());
  const app = Fastify({
    http: {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      noDelay: true,
    },
    bodyLimit: limits.maxBodyBytes,
    connectionTimeout: 2 * limits.requestTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: MAX_PARAMETER },
    clientErrorHandler: (error, socket) => refuseClient(error, socket, door),
    frameworkErrors: (error, request, reply) => refuse(error, request, reply, door, onError),
  });
  app.server.maxHeadersCount = MAX_HEADERS;
  door.attach(app.server);
  const inFlight = observeRequests(app, options.observer);
  app.addHook('onRequest', async (request, reply) => {
    if (!(await door.enter(request.raw, reply.raw))) reply.hijack();
  });
  app.addHook('preHandler', async (request) => door.serve(request.raw));
  app.addHook('onSend', async (_request, reply, payload: unknown) => {
    const bytes = typeof payload === 'string' || payload instanceof Uint8Array ? payload.length : 0;
    door.leave(reply.raw, bytes);
    return payload;
  });
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, door, onError));
  app.setNotFoundHandler(() => {
    throw new ProtocolError('NOT_FOUND', 'there is nothing here; docs/api.md lists the routes');
  });
  registerQueries(app, backend, door);
  registerSubmission(app, backend, door);
  if (options.metrics !== undefined) registerMetrics(app, options.metrics);
  const streams = registerStream(app, backend, door);
  try {
    const url = await app.listen({ host: options.host, port: options.port });
    return {
      url,
      get load() {
        return { inFlight: Math.max(0, inFlight() - streams.open), streams: streams.open };
      },
      metrics: () => ({ ...door.metrics(), streams: streams.open }),
      close: async () => {
        streams.end();
        await app.close();
      },
    };
  } catch (error) {
    throw new ProtocolError(
      (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'API_ADDRESS_IN_USE' : 'API_ADDRESS',
      `the API cannot listen on ${options.host}:${options.port}: ${reasonOf(error)}; --api chooses another address`,
    );
  }
}
