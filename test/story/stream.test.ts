import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/cli/client.ts';
import { advertsIn, type FinalEvent, finalBlocks, supply } from '../../src/story/queries.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(answer: (response: ServerResponse, path: string) => void): Promise<string> {
  const server = createServer((request, response) => answer(response, request.url ?? ''));
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const event = (height: number): string => {
  const hash = 'ab'.repeat(32);
  const value = { height, hash, view: height, time: 1, transactions: 2, bytes: 3, finalityMs: 4 };
  return `event: final\ndata: ${JSON.stringify(value)}\n\n`;
};

async function take(url: string, count: number): Promise<number[]> {
  const controller = new AbortController();
  const heights: number[] = [];
  for await (const { height } of finalBlocks(url, controller.signal)) {
    heights.push(height);
    if (heights.length === count) controller.abort();
  }
  return heights;
}

describe('the stream of final blocks', () => {
  it('reads events however they are cut into pieces', async () => {
    const url = await serve((response) => {
      const text = `: kryder\n\n${event(1)}${event(2)}${event(3)}`;
      let at = 0;
      const next = (): void => {
        if (at >= text.length || response.destroyed) return;
        response.write(text.slice(at, at + 7), () => setImmediate(next));
        at += 7;
      };
      next();
    });
    expect(await take(url, 3)).toEqual([1, 2, 3]);
  });

  it('is opened again when it breaks, or when what comes is no event', async () => {
    let calls = 0;
    const url = await serve((response) => {
      calls++;
      if (calls === 1) response.end(event(1));
      else if (calls === 2) response.end('data: {"height": "seven"}\n\n');
      else if (calls === 3) response.write(`data: ${'x'.repeat(100_000)}`);
      else response.write(event(9));
    });
    expect(await take(url, 2)).toEqual([1, 9]);
    expect(calls).toBe(4);
  });

  it('ends without a word when it is told to', async () => {
    const url = await serve((response) => {
      response.write(': kryder\n\n');
    });
    const controller = new AbortController();
    const events: FinalEvent[] = [];
    setTimeout(() => controller.abort(), 50);
    for await (const one of finalBlocks(url, controller.signal)) events.push(one);
    expect(events).toEqual([]);
  });
});

describe('questions to a node', () => {
  it('finds the adverts of a block among everything else', async () => {
    const tag = '11'.repeat(32);
    const url = await serve((response, path) => {
      expect(path).toBe('/v1/blocks/7');
      const outputs = [
        { type: 'pay', to: 'kry1', amount: '1' },
        { type: 'advert', tag, size: '18446744073709551615', offer: '6869' },
      ];
      const transactions = [
        { id: tag, kind: 'claims', claims: [] },
        { id: tag, kind: 'transfer', outputs },
      ];
      response.end(JSON.stringify({ hash: tag, height: 7, transactions }));
    });
    expect(await advertsIn(new ApiClient(url), 7)).toEqual([
      { tag: new Uint8Array(32).fill(0x11), size: 2n ** 64n - 1n, offer: new Uint8Array([0x68, 0x69]) },
    ]);
  });

  it('refuses an answer whose fields are not what they should be', async () => {
    const url = await serve((response) => {
      response.end(JSON.stringify({ height: 1, genesis: '-5', minted: '0', burned: '0', balanced: true }));
    });
    await expect(supply(new ApiClient(url))).rejects.toMatchObject({ code: 'API_ANSWER' });
  });
});
