/** What a client may do that wants the node to fall over. */
import { Agent, request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { BountyView, FinalEvent } from '../../src/api/backend.ts';
import { addressOf } from '../../src/api/door.ts';
import type { Block } from '../../src/chain/block.ts';
import { ask, client, GET_STATUS, startVictim, stopVictims, until, type Victim } from './support.ts';

afterEach(stopVictims);

const MIB = 1024 * 1024;
const post = (victim: Victim, body: string, type = 'application/json') =>
  ask(victim, '/v1/transactions', { method: 'POST', body, headers: { 'content-type': type } });
const postHead = (length: number): string =>
  `POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

describe('bodies', () => {
  it('ten thousand requests with broken JSON are refused one by one, and nothing else happens', async () => {
    const victim = await startVictim({ requestsPerSecond: 1_000_000, sharedRequestsPerSecond: 1_000_000 });
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const whole = '{"transactions":["92970147c408"]}';
    const seen = new Map<string, number>();
    let next = 0;
    const one = (body: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json' };
        const outgoing = request(
          `${victim.api.url}/v1/transactions`,
          { method: 'POST', agent, headers },
          (r) => {
            let text = '';
            r.setEncoding('utf8').on('data', (chunk: string) => {
              text += chunk;
            });
            r.on('end', () => {
              const { error } = JSON.parse(text) as { error: { code: string } };
              const key = `${r.statusCode} ${error.code}`;
              seen.set(key, (seen.get(key) ?? 0) + 1);
              resolve();
            });
          },
        );
        outgoing.on('error', reject);
        outgoing.end(body);
      });
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        while (next < 10_000) {
          const n = next++;
          const cut = whole.slice(0, n % whole.length);
          await one(n % 2 === 0 ? cut : `${cut}\u0000${n}`);
        }
      }),
    );
    agent.destroy();
    expect([...seen.keys()].sort()).toEqual(['400 REQUEST_INVALID']);
    expect(seen.get('400 REQUEST_INVALID')).toBe(10_000);
    expect(victim.faults).toEqual([]);
    expect(await ask(victim)).toEqual({ status: 200, code: undefined });
    expect(victim.api.metrics()['refused.REQUEST_INVALID']).toBe(10_000);
  }, 60_000);

  it.each([
    ['a nesting bomb', '['.repeat(MIB)],
    ['a nesting bomb of objects', '{"a":'.repeat(MIB / 5)],
    ['a list of lists without end', `{"transactions":[${'[],'.repeat(MIB / 4)}[]]}`],
    ['numbers without end', `{"transactions":[${'0,'.repeat(MIB / 4)}0]}`],
    ['a number', '{"transactions":[1]}'],
    ['a list of lists', '{"transactions":[["00"]]}'],
    ['no list', '{"transactions":{"length":1}}'],
    ['null', 'null'],
    ['nothing', ''],
    ['a prototype', '{"__proto__":{"transactions":[]}}'],
  ])('%s is refused unread', async (_name, body) => {
    const victim = await startVictim();
    expect(await post(victim, body)).toEqual({ status: 400, code: 'REQUEST_INVALID' });
    expect(victim.faults).toEqual([]);
  });

  it.each([
    ['text', 'text/plain', 415],
    ['a form', 'multipart/form-data; boundary=x', 415],
    ['no type', '', 415],
  ])('%s instead of JSON is refused', async (_name, type, status) => {
    const victim = await startVictim();
    expect((await post(victim, '{}', type)).status).toBe(status);
  });

  it('a body that says that it is too large is refused before it comes, a longer one when it is', async () => {
    const victim = await startVictim({ maxJsonBytes: 100_000 });
    const declared = await client(victim, postHead(4_294_967_295));
    expect(await declared.ended).toMatch(/^HTTP\/1.1 413 .*BODY_TOO_LARGE/s);
    const chunked = await client(
      victim,
      postHead(0).replace('content-length: 0', 'transfer-encoding: chunked'),
    );
    for (let i = 0; i < 20; i++) chunked.socket.write(`2000\r\n${'x'.repeat(0x2000)}\r\n`);
    expect(await chunked.ended).toMatch(/^HTTP\/1.1 413 .*BODY_TOO_LARGE/s);
  });

  it('JSON has a bound of its own, below that of a binary list', async () => {
    const victim = await startVictim({ maxJsonBytes: 100_000, maxBodyBytes: 200_000 });
    const filler = 'x'.repeat(150_000);
    expect((await post(victim, filler)).code).toBe('BODY_TOO_LARGE');
    expect((await post(victim, filler, 'application/octet-stream')).code).toMatch(/^CODEC_/);
    expect((await post(victim, filler + filler, 'application/octet-stream')).code).toBe('BODY_TOO_LARGE');
  });

  it('large bodies share what may be held, small ones do not need it, and all of it comes back', async () => {
    const victim = await startVictim({ heldBodyBytes: 300_000 });
    const hog = await client(victim, postHead(400_000));
    hog.socket.write('x'.repeat(290_000));
    await until('it is held', () => victim.api.metrics()['bodies.held.bytes']! >= 290_000);
    expect(await post(victim, ' '.repeat(100_000))).toEqual({ status: 503, code: 'API_BUSY' });
    expect(await post(victim, '{"transactions":["00"]}')).toEqual({ status: 200, code: undefined });
    hog.socket.destroy();
    await until('it is given back', () => victim.api.metrics()['bodies.held.bytes'] === 0);
    expect((await post(victim, ' '.repeat(100_000))).code).toBe('REQUEST_INVALID');
  });

  it('a binary list that declares four billion transactions is refused', async () => {
    const victim = await startVictim();
    const body = new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff, 0xc4, 1, 0]);
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await ask(victim, '/v1/transactions', { method: 'POST', body, headers });
    expect(answer.status).toBe(400);
    expect(answer.code).toMatch(/^CODEC_/);
  });
});

describe('connections', () => {
  it('a thousand at once that say nothing leave room for one who asks', async () => {
    const victim = await startVictim({
      connectionsPerSecond: 10_000,
      connectionsPerSecondPerAddress: 10_000,
    });
    for (let i = 0; i < 1_000; i += 100) await Promise.all(Array.from({ length: 100 }, () => client(victim)));
    expect(await ask(victim)).toEqual({ status: 200, code: undefined });
    const metrics = victim.api.metrics();
    expect(metrics.connections).toBeLessThanOrEqual(256);
    expect(metrics['connections.evicted']).toBeGreaterThanOrEqual(744);
  });

  it('who is being served does not give way to who comes', async () => {
    let release: () => void = () => undefined;
    const busy = new Promise<void>((resolve) => {
      release = resolve;
    });
    const victim = await startVictim(
      { maxConnections: 2 },
      {
        accountProof: async () => {
          await busy;
          return {
            height: 1,
            proof: new Uint8Array(1),
            finality: { headers: [], certificate: new Uint8Array(1) },
          };
        },
      },
    );
    const address = 'kry1p7d03c3ne0ve0xv8tqvnn77wx879s8rgkx0gdxurc0nvdyrdrywq8x4t0w';
    const served = await client(victim, `GET /v1/accounts/${address}?proof=1 HTTP/1.1\r\nhost: x\r\n\r\n`);
    const idle = await client(victim);
    const third = await client(victim, GET_STATUS);
    await idle.ended;
    await until('the third is answered', () => third.text().includes('"height":1'));
    release();
    await until('the first is answered', () => served.text().includes('"proof"'));
  });

  it('more a second than the rate are refused', async () => {
    const victim = await startVictim({ connectionsPerSecond: 10 });
    await Promise.all(Array.from({ length: 60 }, () => client(victim)));
    await until('some are refused', () => (victim.api.metrics()['connections.refused'] ?? 0) >= 30);
  });

  it.each([
    ['headers that never end', 'GET /v1/status HTTP/1.1\r\nhost: x\r\n', 408],
    ['a body that never ends', `${postHead(1_000)}{`, 408],
    ['nothing but garbage', '\u0016\u0003\u0001\u0002garbage\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}`, 431],
    ['two lengths', 'POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello', 400],
  ])('%s are answered with an error and cut off', async (_name, text, status) => {
    const victim = await startVictim({ headersTimeoutMs: 300, requestTimeoutMs: 600 });
    const { ended } = await client(victim, text);
    expect(await ended).toMatch(new RegExp(`^HTTP/1.1 ${status} .*"code":"[A-Z_]+"`, 's'));
  });

  it('one that sends requests without waiting for answers is cut off', async () => {
    const victim = await startVictim();
    const { ended } = await client(victim, GET_STATUS.repeat(1_000));
    await ended;
    // one of 999: the others were not even parsed
    expect(victim.api.metrics()['refused.PIPELINED']).toBe(1);
    expect(victim.api.metrics().requests).toBe(1);
  });

  it('requests beyond the rate wait, and beyond that are refused', async () => {
    const victim = await startVictim({ requestsPerSecond: 20, maxWaitMs: 100 });
    const codes = await Promise.all(Array.from({ length: 60 }, () => ask(victim)));
    const refused = codes.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every(({ code }) => code === 'API_RATE')).toBe(true);
    expect(codes.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(40);
  });

  it('long lists count as many requests', async () => {
    const [id, tag, nonce, refundTo] = Array.from({ length: 4 }, () => new Uint8Array(32));
    const terms = { tag: tag!, nonce: nonce!, claimKey: nonce!, payee: undefined, refundTo: refundTo! };
    const heights = { claimFrom: 0, claimUntil: 9, postedAt: 0 };
    const bounty: BountyView = {
      id: id!,
      bounty: { status: 'open', amount: 1n, deposit: 1n, ...terms, ...heights },
    };
    const bounties = new Array<BountyView>(100).fill(bounty);
    const victim = await startVictim(
      { requestsPerSecond: 20, maxWaitMs: 100 },
      { bounties: () => ({ height: 1, bounties }) },
    );
    const path = `/v1/tags/${'00'.repeat(32)}/bounties`;
    const codes = [];
    for (let i = 0; i < 8; i++) codes.push((await ask(victim, path)).status);
    expect(codes[0]).toBe(200);
    expect(codes.at(-1)).toBe(429);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('%s counts as %s', (remote, address) => {
    expect(addressOf(remote)).toBe(address);
  });
});

describe('answers', () => {
  const large = { bytes: new Uint8Array(12 * MIB) } as Block;

  it('large ones that nobody reads take up a bounded amount, and end', async () => {
    const victim = await startVictim(
      { heldAnswerBytes: 30 * MIB, leastAnswerBytesPerSecond: 1_000 * MIB },
      { block: () => large },
    );
    const get = 'GET /v1/blocks/1/raw HTTP/1.1\r\nhost: x\r\n\r\n';
    const clients = await Promise.all(Array.from({ length: 8 }, () => client(victim)));
    for (const { socket } of clients) {
      socket.pause();
      socket.write(get);
    }
    await until('they are answered', () => (victim.api.metrics()['refused.API_BUSY'] ?? 0) >= 6);
    expect(victim.api.metrics()['answers.held.bytes']).toBe(24 * MIB);
    expect(await ask(victim)).toEqual({ status: 200, code: undefined });
    await until('they are cut off', () => victim.api.metrics()['answers.held.bytes'] === 0, 20_000);
    expect(victim.api.metrics()['refused.SLOW_READER']).toBe(2);
    expect((await fetch(`${victim.api.url}/v1/blocks/1/raw`)).status).toBe(200);
  });

  it('dear ones take turns, and the line is bounded', async () => {
    let running = 0;
    let most = 0;
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const victim = await startVictim(
      { maxDear: 5 },
      {
        bountiesProof: async () => {
          most = Math.max(most, ++running);
          await gate;
          running--;
          return {
            height: 1,
            proof: new Uint8Array(1),
            finality: { headers: [], certificate: new Uint8Array(1) },
          };
        },
      },
    );
    const path = `/v1/tags/${'00'.repeat(32)}/bounties?proof=1`;
    const answers = Promise.all(Array.from({ length: 12 }, () => ask(victim, path)));
    await until('the rest is refused', () => victim.api.metrics()['refused.API_BUSY'] === 7);
    expect(victim.api.metrics()['dear.waiting']).toBe(5);
    release();
    expect((await answers).filter(({ status }) => status === 200)).toHaveLength(5);
    expect(most).toBe(1);
  });
});

describe('streams', () => {
  const stream = 'GET /v1/blocks/stream HTTP/1.1\r\nhost: x\r\n\r\n';
  const event: FinalEvent = {
    height: 1,
    hash: new Uint8Array(32),
    view: 1,
    time: 0,
    transactions: 0,
    bytes: 0,
    finalityMs: 1,
  };

  it('are few for one address, and a place comes free when one ends', async () => {
    const victim = await startVictim({ maxStreamsPerAddress: 3 });
    const clients = await Promise.all(Array.from({ length: 3 }, () => client(victim, stream)));
    await until('all are open', () => victim.api.metrics().streams === 3);
    expect(await ask(victim, '/v1/blocks/stream')).toEqual({ status: 503, code: 'TOO_MANY_STREAMS' });
    clients[0]!.socket.destroy();
    await until('one is gone', () => victim.api.metrics().streams === 2);
    const again = await client(victim, stream);
    await until('it is open', () => victim.api.metrics().streams === 3);
    victim.announce(event);
    await until('it hears of blocks', () => again.text().includes('event: final'));
  });

  it('that are not read are cut off', async () => {
    const victim = await startVictim({ maxStreamBacklog: 20_000 });
    const { socket } = await client(victim, stream);
    await until('it is open', () => victim.api.metrics().streams === 1);
    socket.pause();
    await until('it is cut off', () => {
      for (let i = 0; i < 1_000; i++) victim.announce(event);
      return victim.api.metrics().streams === 0;
    });
    expect(victim.api.metrics()['refused.SLOW_READER']).toBe(1);
  });

  it('say something even when no block comes', async () => {
    const victim = await startVictim({ streamKeepAliveMs: 50 });
    const { text } = await client(victim, stream);
    await until('there are signs of life', () => text().split(':\n\n').length > 3);
  });
});
