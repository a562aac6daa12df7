import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeAddress } from '../../src/codec/address.ts';
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { publicKeyOf } from '../../src/crypto/keys.ts';
import { challengeSeedOfFile, tagOfFile } from '../../src/node/challenge-file.ts';
import { fetchBlob } from '../../src/story/blob-fetch.ts';
import { type BlobServer, serveBlob } from '../../src/story/blob-server.ts';
import { flipByte } from '../../src/story/play.ts';

const STEWARD = publicKeyOf(new Uint8Array(32).fill(9));
const never = new AbortController().signal;

let dir: string;
let copies: string;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder blob ü-'));
  copies = await mkdtemp(join(dir, 'steward '));
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await rm(dir, { recursive: true, force: true });
});

async function door(data: Bytes): Promise<{ server: BlobServer; tag: Bytes; path: string; served: Bytes[] }> {
  const path = join(dir, 'ein Blob – 数据');
  await writeFile(path, data);
  const tag = sha256(data);
  const served: Bytes[] = [];
  const server = await serveBlob({ path, tag, length: data.length, onServed: (to) => served.push(to) });
  closing.push(() => server.close());
  return { server, tag, path, served };
}

/** An owner's door that gives whatever a test wants. */
async function hostileDoor(answer: Parameters<typeof createServer>[1]): Promise<Bytes> {
  const server: Server = createServer(answer!);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(
    () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  );
  return utf8(`http://127.0.0.1:${(server.address() as AddressInfo).port}/blob`);
}

describe('the way of a blob from owner to steward', () => {
  for (const length of [1, 65_536, 3_000_001]) {
    it(`carries ${length} bytes and names the steward to the owner`, async () => {
      const data = new Uint8Array(randomBytes(length));
      const { server, tag, served } = await door(data);
      const copy = join(copies, 'copy');
      const offer = utf8(server.url);
      await fetchBlob({ tag, size: BigInt(length), offer, steward: STEWARD }, copy, never);
      expect(sha256(await readFile(copy))).toEqual(tag);
      expect(served).toEqual([STEWARD]);
      expect(await readdir(copies)).toEqual(['copy']);
    });
  }

  it('serves nothing to who does not say where to be paid, and nothing but the blob', async () => {
    const { server, served } = await door(utf8('data'));
    const nameless = await fetch(server.url);
    expect(nameless.status).toBe(400);
    expect(await nameless.json()).toMatchObject({ error: { code: 'ADDRESS_INVALID' } });
    const other = await fetch(new URL(`/${'0'.repeat(64)}?steward=${encodeAddress(STEWARD)}`, server.url));
    expect(other.status).toBe(404);
    expect(served).toEqual([]);
  });

  it('keeps no copy that is not what the tag says', async () => {
    const data = new Uint8Array(randomBytes(100_000));
    const { server, path, tag } = await door(data);
    await flipByte(path, 50_000);
    const wanted = { tag, size: 100_000n, offer: utf8(server.url), steward: STEWARD };
    await expect(fetchBlob(wanted, join(copies, 'copy'), never)).rejects.toMatchObject({
      code: 'BLOB_MISMATCH',
    });
    expect(await readdir(copies)).toEqual([]);
  });

  it('takes neither more nor less than the advert says', async () => {
    const { server, tag } = await door(new Uint8Array(5_000));
    for (const size of [4_999n, 5_001n]) {
      const wanted = { tag, size, offer: utf8(server.url), steward: STEWARD };
      await expect(fetchBlob(wanted, join(copies, 'copy'), never)).rejects.toMatchObject({
        code: 'BLOB_LENGTH',
      });
    }
    expect(await readdir(copies)).toEqual([]);
  });

  it('stops a door that never stops', async () => {
    let sent = 0;
    const offer = await hostileDoor((_request, response) => {
      const chunk = new Uint8Array(65_536);
      const more = (): void => {
        while (!response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) break;
        }
      };
      response.on('drain', more);
      more();
    });
    const wanted = { tag: sha256(utf8('x')), size: 100_000n, offer, steward: STEWARD };
    await expect(fetchBlob(wanted, join(copies, 'copy'), never)).rejects.toMatchObject({
      code: 'BLOB_LENGTH',
    });
    expect(sent).toBeLessThan(64_000_000);
    expect(await readdir(copies)).toEqual([]);
  });

  it('follows an advert nowhere but to 127.0.0.1, and takes no blob that does not fit', async () => {
    const wanted = { tag: sha256(utf8('x')), size: 1n, steward: STEWARD };
    for (const offer of [
      '',
      'file:///etc/passwd',
      'http://example.org/x',
      'http://127.0.0.1@example.org/x',
      '\0',
    ]) {
      await expect(
        fetchBlob({ ...wanted, offer: utf8(offer) }, join(copies, 'copy'), never),
      ).rejects.toMatchObject({ code: 'OFFER_UNUSABLE' });
    }
    const offer = utf8('http://127.0.0.1:9/x');
    for (const size of [0n, 1n << 62n]) {
      await expect(fetchBlob({ ...wanted, offer, size }, join(copies, 'copy'), never)).rejects.toMatchObject({
        code: 'BLOB_TOO_LARGE',
      });
    }
  });

  it('passes on that the owner refuses, and ends when it is told to', async () => {
    const refusing = await hostileDoor((_request, response) => {
      response.writeHead(503).end();
    });
    const wanted = { tag: sha256(utf8('x')), size: 1n, steward: STEWARD };
    await expect(
      fetchBlob({ ...wanted, offer: refusing }, join(copies, 'copy'), never),
    ).rejects.toMatchObject({ code: 'BLOB_REFUSED' });
    const silent = await hostileDoor(() => {});
    const controller = new AbortController();
    const fetching = fetchBlob({ ...wanted, offer: silent }, join(copies, 'copy'), controller.signal);
    controller.abort();
    await expect(fetching).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a damaged copy', () => {
  for (const length of [1, 65_536]) {
    it(`of ${length} bytes gives another claim key after one byte was flipped, and the old one after it was mended`, async () => {
      const path = join(dir, 'copy');
      const data = new Uint8Array(randomBytes(length));
      await writeFile(path, data);
      const { tag } = await tagOfFile(path);
      const [genesis, nonce] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
      const whole = await challengeSeedOfFile(path, genesis, tag, nonce);
      const position = Math.floor(length / 2);
      await flipByte(path, position);
      const damaged = new Uint8Array(await readFile(path));
      expect([...damaged].filter((byte, i) => byte !== data[i])).toHaveLength(1);
      expect(await challengeSeedOfFile(path, genesis, tag, nonce)).not.toEqual(whole);
      await flipByte(path, position);
      expect(await challengeSeedOfFile(path, genesis, tag, nonce)).toEqual(whole);
    });
  }

  it('cannot be damaged where it has no byte', async () => {
    const path = join(dir, 'copy');
    await writeFile(path, 'abc');
    await expect(flipByte(path, 3)).rejects.toMatchObject({ code: 'BLOB_LENGTH' });
  });
});
