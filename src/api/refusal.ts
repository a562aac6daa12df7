/** What a client is told when it is not served: always `{"error": {"code", "message"}}`, with a status of its own. */
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProtocolError } from '../codec/errors.ts';
import type { Door } from './door.ts';

const STATUS: Readonly<Record<string, number>> = {
  NOT_FOUND: 404,
  BLOCK_UNKNOWN: 404,
  TX_UNKNOWN: 404,
  BODY_TOO_LARGE: 413,
  API_RATE: 429,
  API_BUSY: 503,
  VERIFY_BUSY: 503,
  VERIFY_CLOSED: 503,
  TOO_MANY_STREAMS: 503,
  PROOF_UNAVAILABLE: 503,
  OUTBOX_FULL: 503,
  OUTBOX_FAILED: 503,
};

const RETRY_SECONDS = 1;

function errorBody(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } };
}

/** Answers a request with what was thrown; `onError` hears of what is the node's own fault. */
export function refuse(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  door: Door,
  onError: (error: unknown) => void,
): void {
  // what is left of the body is not waited for
  if (!request.raw.complete) reply.header('connection', 'close');
  const { status, code, message } = describe(error);
  door.count(`refused.${code}`);
  if (status === 500) onError(error);
  if (status === 503 || status === 429) reply.header('retry-after', RETRY_SECONDS);
  reply.status(status).send(errorBody(code, message));
}

function describe(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof ProtocolError) {
    return { status: STATUS[error.code] ?? 400, code: error.code, message: error.message };
  }
  const { statusCode, message } = Object(error) as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return { status: statusCode, code: 'REQUEST_INVALID', message: String(message ?? 'bad request') };
  }
  return { status: 500, code: 'INTERNAL', message: 'the node failed to answer; its log says why' };
}

/** Bytes that are no HTTP, headers that are too long or too slow: one short answer, then the connection ends. */
export function refuseClient(error: NodeJS.ErrnoException, socket: Socket, door: Door): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const [status, code, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'REQUEST_TIMEOUT', 'the request was not complete in time']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'HEADERS_TOO_LARGE', 'the headers are too long']
        : ['400 Bad Request', 'HTTP_INVALID', 'this is no HTTP request'];
  door.count(`refused.${code}`);
  const body = JSON.stringify(errorBody(code, message));
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}
