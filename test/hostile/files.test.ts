/**
 * Key files and settings files with any byte changed, cut at any length, or written by somebody hostile: refused
 * with a code, or they say the same as before; never another key, and never work or memory without bound.
 */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Bytes, equal, utf8 } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { loadSettings } from '../../src/config/file.ts';
import { type KeyAccess, type Protection, readKeyFile, writeKeyFile } from '../../src/node/keys/key-file.ts';
import { filled } from '../tx/golden.ts';
import { flipped, mutated, truncated } from './mutations.ts';

const root = await mkdtemp(join(tmpdir(), 'kryder-hostile-files-'));
afterAll(() => rm(root, { recursive: true }));

const SEED = filled(0x5d);
const ONE_BIT = [(byte: number) => byte ^ 0x01];
const access: KeyAccess = { plain: true, passphrase: async () => 'a passphrase of some length' };
const encrypted: Protection = { passphrase: 'a passphrase of some length', cost: { n: 2, r: 1, p: 1 } };
const path = join(root, 'key.json');

async function bytesOf(protection: Protection): Promise<Bytes> {
  await rm(path, { force: true });
  await writeKeyFile(path, 'consensus', SEED, protection);
  return new Uint8Array(await readFile(path));
}

async function codeOf(take: () => Promise<string>): Promise<string> {
  try {
    return await take();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

/** "the same" for a file that holds the same key of the same kind. */
async function open(bytes: Bytes): Promise<string> {
  await writeFile(path, bytes);
  return codeOf(async () => {
    const { kind, seed } = await readKeyFile(path, undefined, access);
    return kind === 'consensus' && equal(seed, SEED) ? 'the same' : 'another key';
  });
}

describe.each([
  ['encrypted', encrypted, ['KEY_FILE', 'KEY_PASSPHRASE']],
  ['plain', 'plain' as const, ['KEY_FILE']],
])('a key file, %s', (_, protection, outcomes) => {
  it('with any byte changed opens to its own key or not at all', async () => {
    const seen = new Set<string>();
    for (const { bytes } of flipped(await bytesOf(protection), ONE_BIT)) seen.add(await open(bytes));
    expect([...seen].sort()).toEqual(outcomes);
  });

  it('cut at any length does not open', async () => {
    const whole = await bytesOf(protection);
    for (const bytes of truncated(whole)) {
      // Without the line's end it is whole.
      expect(await open(bytes)).toBe(bytes.length === whole.length - 1 ? 'the same' : 'KEY_FILE');
    }
  });

  it('changed in any way is refused with a code', async () => {
    const whole = await bytesOf(protection);
    await fc.assert(
      fc.asyncProperty(
        mutated(whole, [utf8('{"version":2,"__proto__":{"kind":"host"}}'), utf8('"n":1073741824')]),
        async (bytes) => {
          expect(await open(bytes)).not.toBe('another key');
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a key file of somebody else', () => {
  const head = { version: 2, kind: 'account', publicKey: '00'.repeat(32) };
  const cipher = { name: 'chacha20-poly1305', nonce: '00'.repeat(12), sealed: '00'.repeat(48) };
  const salt = '00'.repeat(32);

  it.each([
    { n: 2 ** 24, r: 8, p: 1 },
    { n: 2 ** 14, r: 8, p: 2 ** 20 },
    { n: 2 ** 53, r: 1, p: 1 },
    { n: 3, r: 8, p: 1 },
    { n: 2.5, r: 8, p: 1 },
    { n: -2, r: 8, p: 1 },
    { n: 0, r: 0, p: 0 },
    { n: 2, r: 1e300, p: 1 },
  ])('that asks for dear or impossible work is refused before any is done: %o', async (cost) => {
    const text = JSON.stringify({ ...head, kdf: { name: 'scrypt', ...cost, salt }, cipher });
    let asked = false;
    await writeFile(path, text);
    await chmod(path, 0o600);
    const nosy: KeyAccess = {
      plain: true,
      passphrase: async () => {
        asked = true;
        return 'x';
      },
    };
    expect(await codeOf(async () => (await readKeyFile(path, undefined, nosy)).kind)).toBe('KEY_FILE');
    expect(asked).toBe(false);
  });

  it('that is a million brackets, or has no end, is refused', async () => {
    expect(await open(utf8('['.repeat(1_000_000)))).toBe('KEY_FILE');
    expect(await open(utf8('['.repeat(4_000)))).toBe('KEY_FILE');
    expect(await codeOf(async () => (await readKeyFile('/dev/zero', undefined, access)).kind)).toBe(
      'KEY_FILE',
    );
  });
});

describe('a settings file', () => {
  it('that is broken in any way is refused with a code, or read as what it says', async () => {
    const good = utf8(
      '{\n  "workers": 2,\n  "bootstrap": ["/ip4/127.0.0.1/tcp/7300"],\n  "api": "127.0.0.1:7070"\n}\n',
    );
    const file = join(root, 'node.json');
    const words = [
      '{"__proto__":{"workers":9}}',
      '{"constructor":1}',
      '1e999',
      '['.repeat(300),
      '"\\u0000"',
    ].map(utf8);
    const load = async (bytes: Bytes): Promise<string> => {
      await writeFile(file, bytes);
      return codeOf(async () => {
        await loadSettings(root);
        return 'taken';
      });
    };
    expect(await load(good)).toBe('taken');
    for (const { bytes } of flipped(good, ONE_BIT))
      expect(await load(bytes)).toMatch(/^(SETTING|FILE_NOT_TEXT|taken)/);
    await fc.assert(
      fc.asyncProperty(mutated(good, words), async (bytes) => {
        expect(await load(bytes)).toMatch(/^(SETTING|FILE_NOT_TEXT|taken)/);
      }),
      { numRuns: 300 },
    );
    for (const bytes of words) expect(await load(bytes)).toMatch(/^SETTING/);
    expect(await load(utf8(`{"listen":"${'x'.repeat(300_000)}"}`))).toMatch(
      /^(SETTINGS_FILE|FILE_TOO_LONG)$/,
    );
    expect(({} as Record<string, unknown>).workers).toBeUndefined();
  });
});
