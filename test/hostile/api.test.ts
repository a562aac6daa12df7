/**
 * Paths, queries and bodies of the API at random: whatever a client writes there, the node's own parts are asked
 * with values of the right kind alone, the answer has a code, and none of it is the node's fault. Bodies that are broken or large,
 * slow clients and crowds: test/api/hostile.test.ts.
 */
import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bytes } from '../../src/codec/bytes.ts';
import { utf8 } from '../../src/codec/bytes.ts';
import { startVictim, stopVictims, type Victim } from '../api/support.ts';
import { mutated } from './mutations.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 8 });
let victim: Victim;

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`the backend was given ${what}`);
}
const is32 = (bytes: Bytes): void => must(bytes instanceof Uint8Array && bytes.length === 32, 'no 32 bytes');
const isHeight = (height: unknown): void =>
  must(Number.isSafeInteger(height), `the height ${String(height)}`);

beforeAll(async () => {
  victim = await startVictim(
    { requestsPerSecond: 1_000_000 },
    {
      transactionStatus: (id, validUntil) => {
        is32(id);
        if (validUntil !== undefined) isHeight(validUntil);
        return { status: 'unknown' };
      },
      account: (address) => {
        is32(address);
        return { height: 1, balance: undefined, pending: 0n };
      },
      bounties: (tag, after, limit) => {
        is32(tag);
        if (after !== undefined) is32(after);
        must(Number.isSafeInteger(limit) && limit >= 0 && limit <= 100, `the limit ${String(limit)}`);
        return { height: 1, bounties: [] };
      },
      block: (height) => {
        isHeight(height);
        return undefined;
      },
      submit: async (transactions) => {
        must(
          transactions.every((tx) => tx instanceof Uint8Array),
          'no transactions',
        );
        return transactions.map(() => ({
          status: 'rejected',
          id: undefined,
          code: 'TX_SHAPE',
          reason: 'no',
        }));
      },
    },
  );
});
afterAll(async () => {
  agent.destroy();
  await stopVictims();
});

/** Status and parsed body. Rejects where the answer is no JSON. */
function send(
  path: string,
  body?: { type: string; bytes: Bytes },
): Promise<{ status: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        agent,
        host: '127.0.0.1',
        port: victim.port,
        path,
        method: body === undefined ? 'GET' : 'POST',
        headers: body === undefined ? {} : { 'content-type': body.type, 'content-length': body.bytes.length },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          try {
            resolve({ status: answer.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString()) });
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body?.bytes);
  });
}

function judge({ status, json }: { status: number; json: unknown }): void {
  expect(status).toBeLessThan(500);
  if (status >= 400) expect((json as { error: { code: string } }).error.code).toMatch(/^[A-Z][A-Z0-9_]+$/);
  expect(victim.faults).toEqual([]);
}

const HEX = 'ab'.repeat(32);
const word = fc.oneof(
  fc.constantFrom(
    '0',
    '1',
    '-1',
    '1e3',
    '0x10',
    '007',
    '9007199254740993',
    '99999999999999999999',
    'NaN',
    'Infinity',
    '',
    '1.5',
    ' 1',
    '%00',
    '%2e%2e%2f',
    '%',
    '%zz',
    '__proto__',
    'constructor',
    'toString',
    'latest',
    'stream',
    HEX,
    HEX.toUpperCase(),
    `${HEX}0`,
    'kry1',
    'kry1qqqq',
    '[object Object]',
    'ü',
    '%F0%9F%98%80',
    'a'.repeat(199),
    'a'.repeat(5_000),
  ),
  fc.string({ maxLength: 12 }).map(encodeURIComponent),
);
const path = fc
  .tuple(
    fc.constantFrom('accounts', 'transactions', 'blocks', 'tags', 'status', 'supply', '__proto__'),
    word,
    fc.constantFrom('', '/raw', '/bounties', '/', '//'),
  )
  .map(([room, name, tail]) => `/v1/${room}/${name}${tail}`)
  // An open stream of events is no answer.
  .filter((text) => text !== '/v1/blocks/stream');
const query = fc.array(
  fc
    .tuple(
      fc.constantFrom('proof', 'validUntil', 'transactions', 'after', 'limit', '__proto__', 'a[b]', '[]'),
      word,
    )
    .map(([key, value]) => `${key}=${value}`),
  { maxLength: 4 },
);

const clean = (text: string): string => text.replace(/[^\x21-\x7e]/g, (c) => encodeURIComponent(c));

describe('a request', () => {
  it('for any path with any query gets an answer with a code', async () => {
    await fc.assert(
      fc.asyncProperty(path, query, async (where, asked) => {
        judge(await send(clean(`${where}?${asked.join('&')}`)));
      }),
      { numRuns: 800 },
    );
  }, 60_000);

  it.each([
    ['application/json', utf8(`{"transactions":["${HEX}","${HEX}"]}`)],
    ['application/octet-stream', Uint8Array.of(0x92, 0xc4, 2, 1, 2, 0xc4, 1, 3)],
  ])(
    'with any body in %s is answered, or refused with a code',
    async (type, good) => {
      const words = [
        '{"__proto__":{"transactions":[]}}',
        '{"transactions":{"length":1e9}}',
        '[[[[',
        '"\\ud800"',
        'null',
        '1e999',
      ];
      await fc.assert(
        fc.asyncProperty(mutated(good, words.map(utf8)), async (bytes) => {
          judge(await send('/v1/transactions', { type, bytes }));
        }),
        { numRuns: 400 },
      );
      for (const text of words) judge(await send('/v1/transactions', { type, bytes: utf8(text) }));
      expect(({} as Record<string, unknown>).transactions).toBeUndefined();
    },
    60_000,
  );
});
