import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiClient } from '../../src/cli/client.ts';
import * as account from '../../src/cli/commands/account.ts';
import * as bounty from '../../src/cli/commands/bounty.ts';
import * as keys from '../../src/cli/commands/keys.ts';
import * as status from '../../src/cli/commands/status.ts';
import * as tx from '../../src/cli/commands/tx.ts';
import { decodeAddress, encodeAddress } from '../../src/codec/address.ts';
import { fromHex, toHex } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { planTransfer, signTransaction } from '../../src/tx/build.ts';
import { challengeSeed } from '../../src/tx/challenge.ts';
import { type ClaimsBody, OUTPUT_BOUNTY, OUTPUT_PAY, type TransferBody } from '../../src/tx/types.ts';
import { filled, GENESIS, owner, PARAMETERS, steward } from '../tx/golden.ts';
import { type FakeNode, startFakeNode } from './fake-node.ts';
import { run as runIn } from './run.ts';

const run = (...args: string[]) => runIn([account, bounty, keys, status, tx], ...args);

let dir: string;
let node: FakeNode;
let api: string;
const path = (name: string) => join(dir, name);
const BLOB = new Uint8Array(5_000).map((_, i) => i * 7);
const TAG = toHex(sha256(BLOB));

beforeAll(async () => {
  vi.stubEnv('KRYDER_PLAIN_KEYS', '1');
  dir = await mkdtemp(join(tmpdir(), 'kryder cli ä '));
  node = await startFakeNode();
  api = node.api.url;
  await writeFile(path('blob'), BLOB);
  for (const name of ['owner', 'steward']) {
    expect(await run('keys', 'new', path(name), '--plain', '--json')).toMatchObject({ status: 0 });
  }
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await node.api.close();
  await rm(dir, { recursive: true });
});
beforeEach(() => {
  node.stalled = false;
  node.bodies.length = 0;
});

const addressOf = async (name: string) =>
  String((await run('keys', 'show', path(name), '--json')).json.address);

describe('keys', () => {
  test('a new file is private, complete, and never overwritten', async () => {
    const made = await run('keys', 'new', path('k1'), '--plain', '--json', '--kind', 'consensus');
    expect(made).toMatchObject({ status: 0, json: { file: path('k1'), kind: 'consensus' } });
    expect(made.json.address).toBeUndefined();
    expect((await stat(path('k1'))).mode & 0o777).toBe(0o600);
    const content = JSON.parse(await readFile(path('k1'), 'utf8'));
    expect(content.publicKey).toBe(toHex(signingKey(fromHex(content.seed)).publicKey));
    expect((await run('keys', 'show', path('k1'))).out).not.toContain(content.seed);
    const again = await run('keys', 'new', path('k1'), '--plain', '--json');
    expect(again).toMatchObject({ status: 2, json: { error: { code: 'KEY_FILE' } } });
    expect(JSON.parse(await readFile(path('k1'), 'utf8'))).toEqual(content);
  });

  test('plain text is agreed to, and kinds are two', async () => {
    expect(await run('keys', 'new', path('k2'))).toMatchObject({ status: 2, out: '' });
    expect(await run('keys', 'new', path('k2'), '--plain', '--kind', 'x', '--json')).toMatchObject({
      status: 2,
    });
    await expect(stat(path('k2'))).rejects.toThrow('ENOENT');
  });

  test.each<[string, string, number]>([
    ['is not JSON', 'x', 0o600],
    ['has a version', '{"version":3}', 0o600],
    ['has no kind', '{"version":1}', 0o600],
    ['32 bytes of hex', '{"version":1,"kind":"account","seed":"00"}', 0o600],
    ['is not JSON', 'null x', 0o600],
    [
      'does not belong',
      JSON.stringify({ version: 1, kind: 'account', seed: '00'.repeat(32), publicKey: '00'.repeat(32) }),
      0o600,
    ],
    ['is too long', ' '.repeat(5_000), 0o600],
    ['others can read', '{}', 0o640],
  ])('a file that %s is refused', async (why, content, mode) => {
    await writeFile(path('bad'), content, { mode: 0o600 });
    await chmod(path('bad'), mode);
    const { status: exit, json } = await run('keys', 'show', path('bad'), '--json');
    expect(exit).toBe(2);
    expect(json).toMatchObject({ error: { code: 'KEY_FILE', message: expect.stringContaining(why) } });
    await rm(path('bad'));
  });
});

describe('tx', () => {
  test('send pays, waits, and says what happened', async () => {
    const to = encodeAddress(filled(9));
    const sent = await run(
      ...['tx', 'send', '--to', to, '--amount', '1.5', '--memo', 'thanks', '--key', path('owner')],
      ...['--api', api, '--json'],
    );
    expect(sent).toMatchObject({ status: 0, err: '', json: { status: 'final', height: node.height } });
    const [body] = node.bodies as TransferBody[];
    expect(body!.outputs).toEqual([{ type: OUTPUT_PAY, to: filled(9), amount: 1_500_000n }]);
    expect(body!.validUntil).toBe(node.height - 1 + 60);
    expect(sent.json.fee).toBe(body!.fee.toString());
    const asked = await run('tx', 'status', String(sent.json.id), '--api', api, '--json');
    expect(asked.json).toMatchObject({ status: 'final', height: node.height });
  });

  test('build, sign and submit are three steps, and submitting twice is harmless', async () => {
    const from = await addressOf('owner');
    const built = await run(
      ...['tx', 'build', '--from', from, '--to', from, '--amount', '2', '--api', api, '--json'],
    );
    expect(built.json).toMatchObject({ genesisHash: toHex(GENESIS) });
    await writeFile(path('body'), `${built.json.body}\n`);
    const signed = await run(
      ...['tx', 'sign', `@${path('body')}`, '--key', path('owner'), '--genesis', toHex(GENESIS), '--json'],
    );
    expect(signed.json.id).toBe(built.json.id);
    for (let i = 0; i < 2; i++) {
      const sent = await run('tx', 'submit', String(signed.json.transaction), '--api', api, '--json');
      expect(sent).toMatchObject({ status: 0, json: { id: built.json.id, status: 'final' } });
    }
    const wrongKey = await run(
      ...['tx', 'sign', `@${path('body')}`, '--key', path('steward'), '--genesis', toHex(GENESIS), '--json'],
    );
    expect(wrongKey).toMatchObject({ status: 2, json: { error: { code: 'KEY_MISSING' } } });
  });

  test('what the node refuses has the node’s code and status 3', async () => {
    const plan = { from: owner.publicKey, outputs: [], validUntil: 110, salt: filled(0, 8) };
    const alien = signTransaction(planTransfer(plan, PARAMETERS, 1n), filled(1), [owner]);
    const refused = await run('tx', 'submit', toHex(alien.bytes), '--api', api, '--json');
    expect(refused).toMatchObject({ status: 3, json: { error: { code: 'TX_SIGNATURE' } } });
    const asText = await run('tx', 'submit', toHex(alien.bytes), '--api', api);
    expect(asText.out).toBe('');
    expect(asText.err).toContain('(TX_SIGNATURE)');
    expect(asText.err).not.toContain(' at ');
  });

  test('waiting ends with the time limit or with the transaction’s last height', async () => {
    node.stalled = true;
    const send = (...more: string[]) =>
      run(
        ...['tx', 'send', '--to', encodeAddress(filled(9)), '--amount', '1', '--key', path('owner')],
        ...['--api', api, '--json', ...more],
      );
    expect(await send('--timeout', '1')).toMatchObject({
      status: 5,
      json: { error: { code: 'WAIT_TIMEOUT' } },
    });
    expect(await send('--no-wait')).toMatchObject({ status: 0, json: { status: 'pending' } });
    const waiting = send('--valid-until', String(node.height + 1));
    node.height += 2;
    // A node that is already past it may refuse the height itself; either way the sender is told.
    const { status: exit, json } = await waiting;
    expect([2, 3]).toContain(exit);
    expect(JSON.stringify(json)).toMatch(/TX_EXPIRED|--valid-until/);
  });

  test.each([
    ['--amount', '-1', 'AMOUNT_INVALID'],
    ['--amount', '1.0000001', 'AMOUNT_INVALID'],
    ['--to', 'kry1qqqq', 'ADDRESS_INVALID'],
    ['--to', 'nobody', 'ADDRESS_INVALID'],
    ['--salt', '00', 'HEX_INVALID'],
    ['--valid-until', '99999999', 'USAGE'],
    ['--memo', 'x'.repeat(2_000), 'USAGE'],
    ['--api', 'ftp://x', 'USAGE'],
    ['--key', '/nowhere', 'KEY_FILE'],
  ])('%s %s is an error in the command line', async (option, value, code) => {
    const good = { '--to': encodeAddress(filled(9)), '--amount': '1', '--key': path('owner'), '--api': api };
    const args = Object.entries({ ...good, [option]: value }).map(([name, text]) => `${name}=${text}`);
    const { status: exit, json } = await run('tx', 'send', ...args, '--json');
    expect({ exit, json }).toMatchObject({ exit: 2, json: { error: { code } } });
    expect(node.bodies).toEqual([]);
  });
});

describe('bounty', () => {
  const post = (...more: string[]) =>
    run('bounty', 'post', '--key', path('owner'), '--amount', '1', '--api', api, '--json', ...more);

  test('advert, post, list, claim', async () => {
    const advert = await run(
      ...[
        'bounty',
        'advert',
        '--blob',
        path('blob'),
        '--key',
        path('owner'),
        '--offer',
        'hi',
        '--api',
        api,
        '--json',
      ],
    );
    expect(advert).toMatchObject({ status: 0, json: { tag: TAG, size: 5_000 } });

    const stewardAddress = await addressOf('steward');
    const posted = await post('--blob', path('blob'), '--payee', stewardAddress);
    expect(posted.status).toBe(0);
    const made = posted.json.bounty as Record<string, string>;
    const seed = challengeSeed(GENESIS, fromHex(made.nonce!), fromHex(TAG), BLOB);
    expect(made).toMatchObject({ tag: TAG, claimKey: toHex(signingKey(seed).publicKey), amount: '1000000' });
    const output = (node.bodies.at(-1) as TransferBody).outputs[0]!;
    expect(output).toMatchObject({ type: OUTPUT_BOUNTY, payee: decodeAddress(stewardAddress) });

    const list = await run('bounty', 'list', '--blob', path('blob'), '--api', api, '--json');
    expect(list.json.bounties).toMatchObject([{ id: made.id, status: 'open', amount: '1000000' }]);

    const notMine = await run(
      'bounty',
      'claim',
      '--blob',
      path('blob'),
      '--key',
      path('owner'),
      '--api',
      api,
      '--json',
    );
    expect(notMine).toMatchObject({ status: 3, json: { error: { code: 'NOTHING_TO_CLAIM' } } });

    const claimed = await run(
      ...['bounty', 'claim', '--blob', path('blob'), '--key', path('steward'), '--api', api, '--json'],
    );
    expect(claimed).toMatchObject({ status: 0, err: '', json: { status: 'final', bounties: [made.id] } });
    expect((node.bodies.at(-1) as ClaimsBody).claims[0]).toMatchObject({
      claimKey: fromHex(made.claimKey!),
      destination: decodeAddress(stewardAddress),
    });
  });

  test('a damaged copy says so, and claims only when it is told to', async () => {
    const damaged = BLOB.slice();
    damaged[4_000]! ^= 1;
    await writeFile(path('damaged'), damaged);
    const args = [
      'bounty',
      'claim',
      '--blob',
      path('damaged'),
      '--tag',
      TAG,
      '--key',
      path('steward'),
      '--api',
      api,
      '--json',
    ];
    const refused = await run(...args);
    expect(refused).toMatchObject({ status: 3, json: { error: { code: 'COPY_DAMAGED' } } });
    expect(node.bodies).toEqual([]);
    const forced = await run(...args, '--force');
    expect(forced.err).toContain('not answered by this copy');
    expect(node.bodies).toHaveLength(1);
  });

  test('precomputed challenges are posted without the blob, each once', async () => {
    const file = path('challenges');
    const made = await run(
      ...[
        'bounty',
        'precompute',
        file,
        '--blob',
        path('blob'),
        '--genesis',
        toHex(GENESIS),
        '--count',
        '3',
        '--json',
      ],
    );
    expect(made).toMatchObject({ status: 0, json: { tag: TAG, count: 3 } });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const posted = await post('--precomputed', file, '--index', '2', '--open');
    const { nonce, claimKey } = posted.json.bounty as Record<string, string>;
    const seed = challengeSeed(GENESIS, fromHex(nonce!), fromHex(TAG), BLOB);
    expect(claimKey).toBe(toHex(signingKey(seed).publicKey));
    const twice = await post('--precomputed', file, '--index', '2', '--open');
    expect(twice).toMatchObject({
      status: 2,
      json: { error: { message: expect.stringContaining('posted already') } },
    });
    expect(await post('--precomputed', file, '--index', '3', '--open')).toMatchObject({ status: 2 });
    expect(await post('--precomputed', file, '--open')).toMatchObject({ status: 2 });
    expect(await post('--precomputed', path('blob'), '--index', '1', '--open')).toMatchObject({ status: 2 });
  });

  test.each<[string[], string]>([
    [['--blob', 'x'], 'USAGE'],
    [['--blob', 'x', '--open', '--payee', 'kry1'], 'USAGE'],
    [['--open'], 'USAGE'],
    [['--open', '--blob', '/nowhere'], 'BLOB_NOT_FOUND'],
    [['--open', '--blob', '/'], 'BLOB_UNREADABLE'],
    [['--open', '--blob', '/dev/null'], 'BLOB_UNREADABLE'],
    [['--open', '--blob', 'PATH', '--window', '5'], 'USAGE'],
    [['--open', '--blob', 'PATH', '--amount', '0.01'], 'TX_BOUNTY_AMOUNT'],
  ])('post %s is refused', async (args, code) => {
    const { json, status: exit } = await post(...args.map((arg) => (arg === 'PATH' ? path('blob') : arg)));
    expect(json).toMatchObject({ error: { code } });
    expect([2, 3]).toContain(exit);
  });
});

describe('what a node says is not trusted', () => {
  const client = (answer: () => Response) => new ApiClient('http://node', { fetch: async () => answer() });
  const unusable = expect.objectContaining({ exit: 4 });

  test.each<[string, () => Response]>([
    ['no JSON', () => new Response('<html>')],
    ['another object', () => new Response('{"height": 1}')],
    ['a list', () => new Response('[]')],
    ['nothing', () => new Response('')],
    [
      'an endless answer',
      () => new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1 << 22)) })),
    ],
    ['a dead line', () => Response.error()],
  ])('%s', async (_, answer) => {
    await expect(client(answer).status()).rejects.toThrow(unusable);
  });

  test('another number of outcomes than submissions', async () => {
    const none = () => new Response('{"results": []}');
    await expect(client(none).submit([filled(1)])).rejects.toThrow(unusable);
  });

  test('control characters do not reach the terminal', async () => {
    const { out, status: exit } = await run('status', '--api', api);
    expect(exit).toBe(0);
    expect(out).toContain('test?[2J');
    expect(out).not.toContain('\u001b');
  });

  test.each<[string, typeof fetch]>([
    [
      'asked',
      (_, init) =>
        new Promise((_done, failed) => {
          init?.signal?.addEventListener('abort', () => failed(init.signal?.reason));
        }),
    ],
    ['polled', async () => new Response(JSON.stringify({ id: toHex(filled(1)), status: 'pending' }))],
  ])('who is stopped while a node is %s does not wait for it', async (_, fetch) => {
    const stop = new AbortController();
    const stopped = new ApiClient('http://node', { fetch, signal: stop.signal });
    const waiting = stopped.waitUntilFinal(filled(1), { timeoutMs: 3_600_000, pollMs: 1 });
    const reason = new Error('stopped');
    setTimeout(() => stop.abort(reason), 20);
    await expect(waiting).rejects.toBe(reason);
    await expect(stopped.status()).rejects.toBe(reason);
  });

  test('nobody there', async () => {
    const { status: exit, json } = await run('status', '--api', 'http://127.0.0.1:9', '--json');
    expect(exit).toBe(4);
    expect(json).toMatchObject({ error: { code: 'API_UNREACHABLE' } });
  });
});

describe('the rest', () => {
  test('account and status', async () => {
    const shown = await run('account', encodeAddress(steward.publicKey), '--api', api, '--json');
    expect(shown.json).toMatchObject({ balance: '5250000', pending: '1', exists: true });
    expect((await run('account', encodeAddress(steward.publicKey), '--api', api)).out).toContain('5.25 KRY');
    const state = await run('status', '--api', api, '--json');
    expect(state.json).toMatchObject({ validators: 4, parameters: { baseFee: '1', txLifetime: 60 } });
  });

  test('the binary door takes many at once and names the refused ones', async () => {
    const txs = [1, 2].map((byte) => {
      const plan = { from: owner.publicKey, outputs: [], validUntil: 110, salt: filled(byte, 8) };
      return signTransaction(planTransfer(plan, PARAMETERS, 1n), GENESIS, [owner]).bytes;
    });
    const answer = await new ApiClient(api).submitBinary([txs[0]!, filled(0, 10), txs[1]!]);
    expect(answer).toMatchObject({ accepted: 2, refused: [{ index: 1, code: 'CODEC_TYPE' }] });
  });

  test('an unknown command or option is a usage error in both forms', async () => {
    for (const args of [['nonsense'], ['tx', 'send'], ['status', '--what'], ['tx']]) {
      expect(await run(...args, '--json')).toMatchObject({ status: 2, json: { error: { code: 'USAGE' } } });
    }
    expect(await run('--help')).toMatchObject({ status: 0 });
  });
});
