/** The door for transactions: JSON for one or some, a binary list for many. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Bytes, EMPTY_BYTES } from '../codec/bytes.ts';
import { mapInTurns } from '../system/turns.ts';
import type { ApiBackend, SubmitOutcome } from './backend.ts';
import { readBody, submittedBinary, submittedJson } from './bodies.ts';
import { addressOf, type Door } from './door.ts';
import { JSON_TYPE, submitJson } from './present.ts';

/** Transactions that are hashed and handed to the workers before other work gets a turn. */
const TURN = 4_096;
/** What judging a transaction that is refused takes of the main thread, about, in milliseconds. */
const REFUSED_MS = 0.03;

interface Body {
  readonly bytes: Bytes;
  readonly binary: boolean;
}

async function submit(
  backend: ApiBackend,
  transactions: readonly Bytes[],
  client: string,
): Promise<SubmitOutcome[]> {
  const out: SubmitOutcome[] = [];
  for (let at = 0; at < transactions.length; at += TURN) {
    out.push(...(await backend.submit(transactions.slice(at, at + TURN), client)));
  }
  return out;
}

/** A list as JSON; it may be long. */
async function listJson<T>(items: readonly T[], each: (item: T, index: number) => unknown): Promise<string> {
  const parts = await mapInTurns(items, (item, i) => JSON.stringify(each(item, i)));
  return `[${parts.join(',')}]`;
}

export function registerSubmission(app: FastifyInstance, backend: ApiBackend, door: Door): void {
  const { maxSubmitted, maxBodyBytes, maxJsonBytes, shortBodyBytes } = door.limits;
  // only read here: what a parser throws costs the client its connection
  const parser =
    (binary: boolean) =>
    async (_request: FastifyRequest, payload: IncomingMessage): Promise<Body> => ({
      bytes: await readBody(payload, door, binary ? maxBodyBytes : maxJsonBytes),
      binary,
    });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', parser(false));
  app.addContentTypeParser('application/octet-stream', parser(true));
  app.post<{ Body: Body | undefined }>('/v1/transactions', async (request, reply) => {
    const { bytes, binary } = request.body ?? { bytes: EMPTY_BYTES, binary: false };
    const read = (): Bytes[] => (binary ? submittedBinary : submittedJson)(bytes, maxSubmitted);
    const transactions = bytes.length < shortBodyBytes ? read() : await door.submissions.run(read);
    const outcomes = await submit(backend, transactions, addressOf(request.raw.socket.remoteAddress));
    const refused: { readonly index: number; readonly outcome: SubmitOutcome }[] = [];
    outcomes.forEach((outcome, index) => {
      if (outcome.status === 'rejected') refused.push({ index, outcome });
    });
    door.submissions.charge(refused.length * REFUSED_MS);
    reply.type(JSON_TYPE);
    if (!binary) return `{"results":${await listJson(outcomes, submitJson)}}`;
    const list = await listJson(refused, ({ index, outcome }) => ({ index, ...submitJson(outcome) }));
    return `{"accepted":${outcomes.length - refused.length},"refused":${list}}`;
  });
}
