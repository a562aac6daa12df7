/**
 * The HTTP API: REST with JSON, a binary door for many transactions at once, and a stream of final blocks. It
 * listens on loopback unless told otherwise. Every input is bounded before it is read; every refusal is
 * `{"error": {"code", "message"}}` with a status of its own; nothing that a client sends can stop the node.
 */
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { decodeAddress, encodeAddress } from '../codec/address.ts';
import { type Bytes, fromHex, plain, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import { MAX_TRANSACTION_BYTES } from '../tx/types.ts';
import type { ApiBackend, FinalEvent, StateProof } from './backend.ts';
import {
  blockJson,
  bountyJson,
  finalEventJson,
  finalityJson,
  headerJson,
  statusJson,
  submitJson,
  supplyJson,
} from './present.ts';

export interface ApiOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly backend: ApiBackend;
  /** Called with what went wrong inside, never with what a client sent. */
  readonly onError: (error: unknown) => void;
}

export interface ApiServer {
  /** `http://host:port` */
  readonly url: string;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;
const MAX_SUBMITTED = 50_000;
const MAX_STREAMS = 64;
const MAX_STREAM_BACKLOG = 1024 * 1024;
const MAX_PAGE = 100;

const NOT_FOUND = new Set(['NOT_FOUND', 'BLOCK_UNKNOWN', 'TX_UNKNOWN']);
const BUSY = new Set(['VERIFY_BUSY', 'TOO_MANY_STREAMS', 'PROOF_UNAVAILABLE', 'VERIFY_CLOSED']);

function httpStatus(code: string): number {
  if (NOT_FOUND.has(code)) return 404;
  return BUSY.has(code) ? 503 : 400;
}

function number(text: string, what: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new ProtocolError('REQUEST_INVALID', `${what} must be a whole number`);
  return Number(text);
}

function hex32(text: string, what: string): Bytes {
  try {
    return fromHex(text, 32);
  } catch {
    throw new ProtocolError('REQUEST_INVALID', `${what} must be 64 hex digits`);
  }
}

function submittedJson(body: unknown): Bytes[] {
  const list = (body as { transactions?: unknown } | null)?.transactions;
  if (!Array.isArray(list) || list.length > MAX_SUBMITTED) {
    throw new ProtocolError(
      'REQUEST_INVALID',
      `expected {"transactions": [hex, …]} with at most ${MAX_SUBMITTED}`,
    );
  }
  return list.map((item) => {
    if (typeof item !== 'string' || item.length > 2 * MAX_TRANSACTION_BYTES) {
      throw new ProtocolError('REQUEST_INVALID', 'a transaction must be a string of hex');
    }
    return fromHex(item);
  });
}

function submittedBinary(body: Bytes): Bytes[] {
  const r = new Reader(body);
  const out: Bytes[] = [];
  for (let n = r.array(0, MAX_SUBMITTED); n > 0; n--) out.push(r.bin(1, MAX_TRANSACTION_BYTES));
  r.end();
  return out;
}

function stateProofJson(p: StateProof): Record<string, unknown> {
  return { height: p.height, proof: toHex(p.proof), finality: finalityJson(p.finality) };
}

function registerQueries(app: FastifyInstance, backend: ApiBackend): void {
  app.get('/healthz', async (_request, reply) => {
    const reason = backend.unhealthy();
    if (reason === undefined) return { ok: true };
    reply.status(503);
    return { ok: false, reason };
  });
  app.get('/v1/status', async () => statusJson(backend.status(), backend.genesis));
  app.get('/v1/supply', async () => supplyJson(await backend.supply()));

  app.get<{ Params: { address: string }; Querystring: { proof?: string } }>(
    '/v1/accounts/:address',
    async (request) => {
      const address = decodeAddress(request.params.address);
      const { balance, height, pending } = backend.account(address);
      return {
        address: encodeAddress(address),
        exists: balance !== undefined,
        balance: (balance ?? 0n).toString(),
        pending: pending.toString(),
        height,
        ...(request.query.proof === '1'
          ? { proof: stateProofJson(await backend.accountProof(address)) }
          : {}),
      };
    },
  );

  app.get<{ Params: { id: string }; Querystring: { proof?: string; validUntil?: string } }>(
    '/v1/transactions/:id',
    async (request) => {
      const id = hex32(request.params.id, 'the transaction id');
      const { validUntil } = request.query;
      const status = backend.transactionStatus(
        id,
        validUntil === undefined ? undefined : number(validUntil, 'validUntil'),
      );
      if (request.query.proof !== '1' || status.status !== 'final') return { id: toHex(id), ...status };
      const proof = await backend.transactionProof(id);
      if (proof === undefined) throw new ProtocolError('TX_UNKNOWN', 'the block is not here any more');
      return {
        id: toHex(id),
        ...status,
        proof: { bytes: toHex(proof.bytes), path: toHex(proof.path), finality: finalityJson(proof.finality) },
      };
    },
  );

  app.get<{ Params: { height: string }; Querystring: { transactions?: string } }>(
    '/v1/blocks/:height',
    async (request) => {
      const { height } = request.params;
      const at = height === 'latest' ? backend.status().height : number(height, 'the height');
      const block = backend.block(at);
      if (block === undefined) throw new ProtocolError('BLOCK_UNKNOWN', `there is no final block ${at} here`);
      if (request.query.transactions !== '0') return blockJson(block);
      return {
        hash: toHex(block.hash),
        ...headerJson(block.header),
        bytes: block.bytes.length,
        count: block.transactions.length,
      };
    },
  );

  app.get<{ Params: { height: string } }>('/v1/blocks/:height/raw', async (request, reply) => {
    const at = number(request.params.height, 'the height');
    const block = backend.block(at);
    if (block === undefined) throw new ProtocolError('BLOCK_UNKNOWN', `there is no final block ${at} here`);
    reply.type('application/octet-stream');
    return reply.send(block.bytes);
  });

  app.get<{ Params: { tag: string }; Querystring: { proof?: string; after?: string; limit?: string } }>(
    '/v1/tags/:tag/bounties',
    async (request) => {
      const tag = hex32(request.params.tag, 'the tag');
      const { after, limit, proof } = request.query;
      const count = limit === undefined ? MAX_PAGE : Math.min(MAX_PAGE, number(limit, 'limit'));
      const page = backend.bounties(tag, after === undefined ? undefined : hex32(after, 'after'), count);
      return {
        tag: toHex(tag),
        height: page.height,
        bounties: page.bounties.map(bountyJson),
        ...(proof === '1' ? { proof: stateProofJson(await backend.bountiesProof(tag)) } : {}),
      };
    },
  );
}

function registerSubmission(app: FastifyInstance, backend: ApiBackend): void {
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.post('/v1/transactions', { bodyLimit: MAX_BODY_BYTES }, async (request) => {
    if (!(request.body instanceof Uint8Array)) {
      const outcomes = await backend.submit(submittedJson(request.body));
      return { results: outcomes.map(submitJson) };
    }
    const outcomes = await backend.submit(submittedBinary(plain(request.body)));
    const refused: Record<string, unknown>[] = [];
    outcomes.forEach((outcome, index) => {
      if (outcome.status === 'rejected') refused.push({ index, ...submitJson(outcome) });
    });
    return { accepted: outcomes.length - refused.length, refused };
  });
}

function registerStream(app: FastifyInstance, backend: ApiBackend): () => void {
  const open = new Set<FastifyReply['raw']>();
  app.get('/v1/blocks/stream', (request, reply) => {
    if (open.size >= MAX_STREAMS) {
      reply
        .status(503)
        .send({ error: { code: 'TOO_MANY_STREAMS', message: 'too many open streams; try another node' } });
      return;
    }
    reply.hijack();
    const { raw } = reply;
    open.add(raw);
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    raw.write(': kryder\n\n');
    const stop = backend.onFinal((event: FinalEvent) => {
      if (raw.writableLength > MAX_STREAM_BACKLOG) raw.destroy();
      else raw.write(`event: final\ndata: ${JSON.stringify(finalEventJson(event))}\n\n`);
    });
    const end = (): void => {
      stop();
      open.delete(raw);
    };
    request.raw.on('close', end);
    raw.on('close', end);
    raw.on('error', end);
  });
  return () => {
    for (const raw of open) raw.destroy();
  };
}

/** Starts the server; resolves when it accepts connections. Throws `API_ADDRESS` when it cannot listen. */
export async function startApi(options: ApiOptions): Promise<ApiServer> {
  const app = Fastify({
    bodyLimit: 1024 * 1024,
    connectionTimeout: 60_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 30_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (error, _request, reply) => {
      const message = error instanceof Error ? error.message : 'bad request';
      (reply as FastifyReply)
        .status(error.statusCode ?? 400)
        .send({ error: { code: 'REQUEST_INVALID', message } });
    },
  });
  app.setErrorHandler((error: unknown, _request, reply) => {
    if (error instanceof ProtocolError) {
      reply.status(httpStatus(error.code)).send({ error: { code: error.code, message: error.message } });
      return;
    }
    const { statusCode, message } = error as { statusCode?: number; message?: string };
    if (statusCode !== undefined && statusCode < 500) {
      reply
        .status(statusCode)
        .send({ error: { code: 'REQUEST_INVALID', message: message ?? 'bad request' } });
      return;
    }
    options.onError(error);
    reply
      .status(500)
      .send({ error: { code: 'INTERNAL', message: 'the node failed to answer; its log says why' } });
  });
  app.setNotFoundHandler((_request, reply) => {
    reply
      .status(404)
      .send({ error: { code: 'NOT_FOUND', message: 'there is nothing here; docs/api.md lists the routes' } });
  });
  registerQueries(app, options.backend);
  registerSubmission(app, options.backend);
  const endStreams = registerStream(app, options.backend);
  try {
    const url = await app.listen({ host: options.host, port: options.port });
    return {
      url,
      close: async () => {
        endStreams();
        await app.close();
      },
    };
  } catch (error) {
    throw new ProtocolError(
      'API_ADDRESS',
      `the API cannot listen on ${options.host}:${options.port}: ${(error as Error).message}`,
    );
  }
}
