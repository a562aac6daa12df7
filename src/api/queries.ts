/** What can be asked: small questions at once, proofs and whole blocks one at a time, a share of the node's time. */
import type { FastifyInstance } from 'fastify';
import { decodeAddress, encodeAddress } from '../codec/address.ts';
import { type Bytes, fromHex, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { ApiBackend, StateProof } from './backend.ts';
import type { Door } from './door.ts';
import {
  blockJson,
  bountyJson,
  finalityJson,
  headerJson,
  JSON_TYPE,
  statusJson,
  supplyJson,
} from './present.ts';

const MAX_PAGE = 100;
/** Bounties of a page that cost about as much as one small request. */
const BOUNTIES_PER_REQUEST = 10;

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

function stateProofJson(p: StateProof): Record<string, unknown> {
  return { height: p.height, proof: toHex(p.proof), finality: finalityJson(p.finality) };
}

export function registerQueries(app: FastifyInstance, backend: ApiBackend, door: Door): void {
  const { dear } = door;
  app.get('/healthz', async (_request, reply) => {
    const reason = backend.unhealthy();
    const warnings = backend.warnings();
    if (reason === undefined) return { ok: true, warnings };
    reply.status(503);
    return { ok: false, reason, warnings };
  });
  app.get('/v1/status', async () => statusJson(backend.status(), backend.genesis));
  app.get('/v1/supply', async () => supplyJson(await backend.supply()));

  app.get<{ Params: { address: string }; Querystring: { proof?: string } }>(
    '/v1/accounts/:address',
    async (request) => {
      const address = decodeAddress(request.params.address);
      const { balance, height, pending } = backend.account(address);
      const answer = {
        address: encodeAddress(address),
        exists: balance !== undefined,
        balance: (balance ?? 0n).toString(),
        pending: pending.toString(),
        height,
      };
      if (request.query.proof !== '1') return answer;
      return { ...answer, proof: stateProofJson(await dear.run(() => backend.accountProof(address))) };
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
      const proof = await dear.run(() => backend.transactionProof(id));
      if (proof === undefined) throw new ProtocolError('TX_UNKNOWN', 'the block is not here any more');
      return {
        id: toHex(id),
        ...status,
        proof: { bytes: toHex(proof.bytes), path: toHex(proof.path), finality: finalityJson(proof.finality) },
      };
    },
  );

  const unknownBlock = (at: number): ProtocolError =>
    new ProtocolError('BLOCK_UNKNOWN', `there is no final block ${at} here`);

  app.get<{ Params: { height: string }; Querystring: { transactions?: string } }>(
    '/v1/blocks/:height',
    async (request, reply) => {
      const { height } = request.params;
      const at = height === 'latest' ? backend.status().height : number(height, 'the height');
      const json = await dear.run(() => {
        const block = backend.block(at);
        if (block === undefined) throw unknownBlock(at);
        if (request.query.transactions !== '0') return JSON.stringify(blockJson(block));
        const { hash, header, bytes, transactions } = block;
        const count = transactions.length;
        return JSON.stringify({ hash: toHex(hash), ...headerJson(header), bytes: bytes.length, count });
      });
      reply.type(JSON_TYPE);
      return json;
    },
  );

  app.get<{ Params: { height: string } }>('/v1/blocks/:height/raw', async (request, reply) => {
    const at = number(request.params.height, 'the height');
    const block = await dear.run(() => backend.block(at));
    if (block === undefined) throw unknownBlock(at);
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
      door.charge(request.raw, Math.floor(page.bounties.length / BOUNTIES_PER_REQUEST));
      const answer = { tag: toHex(tag), height: page.height, bounties: page.bounties.map(bountyJson) };
      if (proof !== '1') return answer;
      return { ...answer, proof: stateProofJson(await dear.run(() => backend.bountiesProof(tag))) };
    },
  );
}
