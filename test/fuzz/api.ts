/**
 * The HTTP API against raw bytes on a socket: whatever a client sends, the backend is asked with values of the right
 * kind alone, an answer is HTTP with a code of ours below 500, or the connection ends; none of it is the node's fault,
 * and the next client is served. And the other way round: the command line's client against answers of anybody.
 */
import { connect } from 'node:net';
import type { ApiBackend } from '../../src/api/backend.ts';
import { ApiClient } from '../../src/cli/client.ts';
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import { GET_STATUS, startVictim, stopVictims, type Victim } from '../api/support.ts';
import { codeOfRefusal, must, type Target } from './target.ts';

/** Without a word for so long a server waits for more; who has begun to answer, or must answer, has longer. */
const QUIET_MS = 40;
const PATIENCE_MS = 20_000;
/** Behind a whole answer: another one may follow at once. */
const BEHIND_ANSWER_MS = 3;
const HEX = 'ab'.repeat(32);

const is32 = (bytes: unknown): void =>
  must(bytes instanceof Uint8Array && bytes.length === 32, 'the backend is given no 32 bytes');
const isHeight = (height: unknown): void =>
  must(Number.isSafeInteger(height), `the backend is given the height ${String(height)}`);

/** Answers from nothing, and looks at what it is asked. */
const backend: Partial<ApiBackend> = {
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
    must(
      Number.isSafeInteger(limit) && limit >= 0 && limit <= 100,
      `the backend is given the limit ${limit}`,
    );
    return { height: 1, bounties: [] };
  },
  block: (height) => {
    isHeight(height);
    return undefined;
  },
  submit: async (transactions) => {
    for (const tx of transactions)
      must(tx instanceof Uint8Array && tx.length > 0, 'the backend is given no bytes');
    return transactions.map(() => ({ status: 'rejected', id: undefined, code: 'TX_SHAPE', reason: 'no' }));
  },
};

/** How much longer to wait for a server that has said this much. */
function patience(text: string, mustAnswer: boolean, mayLackBody: boolean): number {
  if (text === '') return mustAnswer ? PATIENCE_MS : QUIET_MS;
  const end = text.indexOf('\r\n\r\n', Math.max(0, text.lastIndexOf('HTTP/1.1 ')));
  if (end < 0) return PATIENCE_MS;
  const head = text.slice(text.lastIndexOf('HTTP/1.1 '), end);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  // An answer without a length goes on for ever, or to the end of the connection.
  const whole = length === undefined || mayLackBody || text.length >= end + 4 + Number(length);
  return whole || /^HTTP\/1\.1 (100|204|304) /.test(head) ? BEHIND_ANSWER_MS : PATIENCE_MS;
}

/** Sends bytes and takes what comes back until it is quiet or over. */
function talk(port: number, bytes: Bytes, mustAnswer = false): Promise<string> {
  // An answer to HEAD says the length of what it does not send.
  const mayLackBody = new TextDecoder('latin1').decode(bytes).includes('HEAD');
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(finish, patience(text, mustAnswer, mayLackBody));
    };
    socket.setEncoding('latin1');
    socket.on('error', finish);
    socket.on('close', finish);
    socket.on('data', (chunk: string) => {
      text += chunk;
      wait();
    });
    socket.on('connect', () => {
      socket.write(bytes);
      wait();
    });
  });
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The answers in what came: each with a length of its own, in chunks, or up to the end. */
function answersIn(text: string): Answer[] {
  const answers: Answer[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\r\n\r\n', at);
    const head = end < 0 ? '' : text.slice(at, end);
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1];
    must(status !== undefined, `this is no answer: ${JSON.stringify(text.slice(at, at + 120))}`);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    const bare = text.startsWith('HTTP/1.1 ', end + 4);
    const rest = length === undefined ? text.length : bare ? end + 4 : end + 4 + Number(length);
    answers.push({ status: Number(status), body: text.slice(end + 4, rest) });
    at = status === '100' ? end + 4 : rest;
  }
  return answers;
}

function judge({ status, body }: Answer): string {
  must(status < 500 || status === 503, `an answer of ${status}: ${body.slice(0, 200)}`);
  if (status >= 400 && body !== '') {
    const { error } = JSON.parse(body) as { error?: { code?: unknown } };
    must(/^[A-Z][A-Z0-9_]+$/.test(String(error?.code)), `a refusal without a code: ${body.slice(0, 200)}`);
  }
  return String(status);
}

function post(type: string, body: string): string {
  const length = Buffer.byteLength(body, 'latin1');
  return `POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n${body}`;
}

const PATHS = [
  ...[
    '/v1/status',
    '/v1/supply',
    '/v1/blocks/1',
    '/v1/blocks/1/raw',
    '/v1/blocks/latest',
    '/healthz',
    '/metrics',
  ],
  ...[
    `/v1/transactions/${HEX}?validUntil=5`,
    `/v1/transactions/${HEX}?proof=1`,
    `/v1/tags/${HEX}/bounties?limit=5&after=${HEX}`,
  ],
  ...[
    `/v1/tags/${HEX}/bounties?proof=1`,
    '/v1/accounts/kry1qqqq?proof=1',
    '/v1/genesis',
    '/',
    '/v1/blocks/stream',
  ],
];
const REQUESTS: readonly string[] = [
  ...PATHS.map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`),
  post('application/json', `{"transactions":["${HEX}","${HEX}"]}`),
  post('application/octet-stream', '\x92\xc4\x02\x01\x02\xc4\x01\x03'),
  post('text/plain', 'hello'),
  'POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n13\r\n{"transactions":[]}\r\n0\r\n\r\n',
  `HEAD /v1/status HTTP/1.1\r\nhost: x\r\n\r\nGET /v1/supply HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
  'OPTIONS * HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\r\n',
  'GET /v1/status HTTP/1.0\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
];

function serverTarget(): Target {
  let victim: Promise<Victim> | undefined;
  let asked = 0;
  const start = (): Promise<Victim> =>
    startVictim(
      { requestsPerSecond: 1_000_000, connectionsPerSecond: 1_000_000, streamKeepAliveMs: 3_600_000 },
      backend,
    );
  return {
    name: 'http-api',
    form: 'text',
    dear: true,
    covers: ['startApi', 'readBody', 'submittedJson', 'submittedBinary'],
    seeds: REQUESTS.map((text) => Uint8Array.from(Buffer.from(text, 'latin1'))),
    run: async (bytes) => {
      victim ??= start();
      const { port, faults } = await victim;
      const outcomes = answersIn(await talk(port, bytes)).map(judge);
      must(faults.length === 0, `the server takes it for its own fault: ${String(faults[0])}`);
      if (++asked % 64 === 0) {
        const [answer] = answersIn(await talk(port, utf8(GET_STATUS), true));
        must(answer?.status === 200, 'the next client is not served');
      }
      return outcomes[0] ?? 'no answer';
    },
    close: async () => {
      if (victim !== undefined) await stopVictims();
      victim = undefined;
    },
  };
}

// --- a hostile node ----------------------------------------------------------------------------------------------

const ADDRESS = new Uint8Array(32).fill(5);
type Ask = (client: ApiClient) => Promise<unknown>;

const ASKS: readonly Ask[] = [
  (client) => client.status(),
  (client) => client.account(ADDRESS),
  (client) => client.submit([ADDRESS]),
  (client) => client.submitBinary([ADDRESS]),
  (client) => client.transaction(ADDRESS, 5),
  (client) => client.bounties(ADDRESS, 5),
];

const ANSWERS: readonly object[] = [
  {
    ...{
      chainName: 'x',
      genesisHash: HEX,
      version: '1',
      height: 1,
      blockHash: HEX,
      time: 1,
      view: 1,
      validators: 4,
    },
    ...{ self: null, peers: [{ id: 'p', validator: 1 }], syncing: false, uptimeSeconds: 1, warnings: [] },
    mempool: { transactions: 0, bytes: 0 },
    parameters: {
      ...{
        baseFee: '1',
        claimFee: '1',
        bountyDeposit: '1',
        leastBounty: '1',
        advertFee: '1',
        accountDeposit: '1',
      },
      ...{ txLifetime: 1, leastClaimWindow: 1, longestClaimUntil: 1, blockInterval: 1 },
    },
  },
  { address: 'kry1', exists: true, balance: '5', pending: '0', height: 1 },
  { results: [{ id: HEX, status: 'pending' }] },
  { accepted: 0, refused: [{ id: null, status: 'rejected', code: 'X', reason: 'y', index: 0 }] },
  { id: HEX, status: 'final', height: 5, index: 0 },
  {
    height: 5,
    bounties: [
      {
        ...{ id: HEX, tag: HEX, nonce: HEX, amount: '5', refundTo: 'kry1', status: 'open', claimKey: HEX },
        ...{ payee: null, claimFrom: 1, claimUntil: 5 },
      },
    ],
  },
  { error: { code: 'NOT_FOUND', message: 'there is none' } },
];

async function ask(bytes: Bytes): Promise<string> {
  const text = new TextDecoder().decode(bytes);
  const answer = async (): Promise<Response> =>
    new Response(bytes as Uint8Array<ArrayBuffer>, { status: 200 });
  const client = new ApiClient('http://127.0.0.1:1', { fetch: answer as typeof fetch });
  let taken = 0;
  for (const one of ASKS) {
    try {
      await one(client);
      taken++;
    } catch (error) {
      // What a node says of a refusal is its own word.
      if (!/"error"/.test(text)) codeOfRefusal(error, ['API_UNREACHABLE', 'API_ANSWER']);
      else codeOfRefusal(error, [/^/]);
    }
  }
  return taken > 0 ? 'taken' : 'API_ANSWER';
}

export function apiTargets(): Target[] {
  return [
    serverTarget(),
    {
      name: 'node-answers',
      form: 'json',
      covers: ['ApiClient'],
      seeds: ANSWERS.map((answer) => utf8(JSON.stringify(answer))),
      run: ask,
    },
  ];
}
