import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { publicKeyOf } from '../../src/crypto/keys.ts';
import {
  copyKeyFile,
  inspectKeyFile,
  type KeyAccess,
  PLAIN_ACCESS,
  protectKeyFile,
  readKeyFile,
  writeKeyFile,
} from '../../src/node/keys/key-file.ts';
import { newPassphrase, normalisePassphrase, readPassphraseFile } from '../../src/node/keys/passphrase.ts';
import { costIsBearable, DEFAULT_COST } from '../../src/node/keys/sealing.ts';

const SEED = new Uint8Array(32).map((_, i) => 3 * i + 1);
const PASSPHRASE = 'seven ships at anchor';
/** Cheap, since thousands of files are opened here. */
const COST = { n: 16, r: 1, p: 1 };
const opens = (passphrase: string): KeyAccess => ({ plain: false, passphrase: async () => passphrase });

let dir: string;
const path = (name: string): string => join(dir, name);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder keys ü-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const writeEncrypted = (name: string, cost = COST) =>
  writeKeyFile(path(name), 'consensus', SEED, { passphrase: PASSPHRASE, cost });

describe('an encrypted key file', () => {
  it('opens with its passphrase, and holds no secret that can be read', async () => {
    const key = await writeEncrypted('k');
    const file = await readKeyFile(path('k'), 'consensus', opens(PASSPHRASE));
    expect(file).toMatchObject({ kind: 'consensus', seed: SEED });
    expect(toHex(file.key.publicKey)).toBe(toHex(key.publicKey));
    expect(await readFile(path('k'), 'utf8')).not.toContain(toHex(SEED));
    expect((await stat(path('k'))).mode & 0o777).toBe(0o600);
    expect(await inspectKeyFile(path('k'))).toEqual({
      kind: 'consensus',
      publicKey: publicKeyOf(SEED),
      encrypted: true,
    });
  });

  it('never has the same salt or nonce twice', async () => {
    await writeEncrypted('a');
    await writeEncrypted('b');
    const [a, b] = await Promise.all(
      ['a', 'b'].map(async (name) => JSON.parse(await readFile(path(name), 'utf8'))),
    );
    expect(a.kdf.salt).not.toBe(b.kdf.salt);
    expect(a.cipher.nonce).not.toBe(b.cipher.nonce);
    expect(a.cipher.sealed).not.toBe(b.cipher.sealed);
  });

  it('says that a wrong passphrase and a changed file look the same', async () => {
    await writeEncrypted('k');
    await expect(readKeyFile(path('k'), undefined, opens('eight ships at anchor'))).rejects.toMatchObject({
      code: 'KEY_PASSPHRASE',
      message: expect.stringMatching(/passphrase is wrong, or the file was changed/),
    });
  });

  it('with any byte flipped, in either of two ways, is an error or the same key', async () => {
    await writeEncrypted('k');
    const whole = await readFile(path('k'));
    const outcomes = new Map<string, number>();
    for (let at = 0; at < whole.length; at++) {
      for (const mask of [0x01, 0x20]) {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= mask;
        await writeFile(path('k'), bytes);
        const outcome = await readKeyFile(path('k'), 'consensus', opens(PASSPHRASE)).then(
          ({ seed }) => (toHex(seed) === toHex(SEED) ? 'the same' : 'WRONG'),
          (error: unknown) => (isProtocolError(error) ? error.code : `untyped ${String(error)}`),
        );
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    }
    expect([...outcomes.keys()].sort()).toEqual(['KEY_FILE', 'KEY_PASSPHRASE']);
  });

  it('cut off at any length is an error, but for the line end', async () => {
    await writeEncrypted('k');
    const whole = await readFile(path('k'));
    for (let length = 0; length < whole.length - 1; length++) {
      await writeFile(path('k'), whole.subarray(0, length));
      await expect(readKeyFile(path('k'), 'consensus', opens(PASSPHRASE))).rejects.toMatchObject({
        code: 'KEY_FILE',
      });
    }
  });

  it('of another kind, or with another public key, does not open under a new label', async () => {
    await writeEncrypted('k');
    const content = JSON.parse(await readFile(path('k'), 'utf8'));
    const other = toHex(publicKeyOf(new Uint8Array(32).fill(9)));
    for (const change of [
      { kind: 'account' },
      { publicKey: other },
      { kdf: { ...content.kdf, n: 32 } },
      { kdf: { ...content.kdf, p: 2 } },
    ]) {
      await writeFile(path('k'), JSON.stringify({ ...content, ...change }));
      await expect(readKeyFile(path('k'), undefined, opens(PASSPHRASE))).rejects.toMatchObject({
        code: 'KEY_PASSPHRASE',
      });
    }
  });

  it('cannot ask for gigabytes or for minutes, and asks for no passphrase before that is clear', async () => {
    await writeEncrypted('k');
    const content = JSON.parse(await readFile(path('k'), 'utf8'));
    const never: KeyAccess = {
      plain: false,
      passphrase: async () => Promise.reject(new Error('it was asked')),
    };
    for (const cost of [
      { n: 2 ** 24 },
      { n: 2 ** 20, r: 32 },
      { r: 2 ** 24 },
      { p: 2 ** 24 },
      { n: 2 ** 17, r: 8, p: 64 },
      // Little work by its product, and gigabytes or minutes all the same; no scrypt at all.
      { n: 2, r: 1, p: 2 ** 22 },
      { n: 2, r: 2 ** 22, p: 1 },
      { n: 2 ** 17, r: 1, p: 1 },
      { n: 17 },
      { n: 1 },
      { n: 0 },
      { n: -16 },
      { r: 0.5 },
      { n: 2 ** 53 },
      { p: 1e300 },
      { r: null },
      { n: '16' },
    ]) {
      await writeFile(path('k'), JSON.stringify({ ...content, kdf: { ...content.kdf, ...cost } }));
      await expect(readKeyFile(path('k'), undefined, never)).rejects.toMatchObject({ code: 'KEY_FILE' });
    }
    expect(costIsBearable(DEFAULT_COST)).toBe(true);
  });

  it('takes nothing that it does not know', async () => {
    await writeEncrypted('k');
    const content = JSON.parse(await readFile(path('k'), 'utf8'));
    for (const change of [
      { more: 1 },
      { version: 3 },
      { cipher: { ...content.cipher, name: 'none' } },
      { cipher: { ...content.cipher, sealed: '' } },
      { kdf: { ...content.kdf, name: 'md5' } },
      { address: 'kry1x' },
      { publicKey: content.publicKey.toUpperCase() },
    ]) {
      await writeFile(path('k'), JSON.stringify({ ...content, ...change }));
      await expect(readKeyFile(path('k'), undefined, opens(PASSPHRASE))).rejects.toMatchObject({
        code: 'KEY_FILE',
      });
    }
  });

  it('gets another passphrase in one step, and nothing is left beside it', async () => {
    await writeEncrypted('k');
    const opened = await readKeyFile(path('k'), undefined, opens(PASSPHRASE));
    await protectKeyFile(path('k'), opened, { passphrase: 'a new one, long enough', cost: COST });
    await expect(readKeyFile(path('k'), undefined, opens(PASSPHRASE))).rejects.toMatchObject({
      code: 'KEY_PASSPHRASE',
    });
    expect((await readKeyFile(path('k'), undefined, opens('a new one, long enough'))).seed).toEqual(SEED);
    expect(await readdir(dir)).toEqual(['k']);
    expect((await stat(path('k'))).mode & 0o777).toBe(0o600);
  });

  it('is copied as it is, and never over another', async () => {
    await writeEncrypted('k');
    await copyKeyFile(path('k'), path('copy'), 'consensus');
    expect(await readFile(path('copy'))).toEqual(await readFile(path('k')));
    expect((await stat(path('copy'))).mode & 0o777).toBe(0o600);
    await expect(copyKeyFile(path('k'), path('copy'), 'consensus')).rejects.toMatchObject({
      code: 'KEY_FILE',
      message: expect.stringContaining('exists already'),
    });
    await expect(copyKeyFile(path('k'), path('third'), 'account')).rejects.toMatchObject({
      code: 'KEY_FILE',
    });
    expect((await readdir(dir)).sort()).toEqual(['copy', 'k']);
  });
});

describe('a plain key file', () => {
  it('is read only where that was agreed to, a host’s always', async () => {
    await writeKeyFile(path('k'), 'account', SEED, 'plain');
    await writeKeyFile(path('h'), 'host', SEED, 'plain');
    await expect(readKeyFile(path('k'), 'account', opens('x'))).rejects.toMatchObject({
      code: 'KEY_PLAIN',
      message: expect.stringContaining('--plain-keys'),
    });
    expect((await readKeyFile(path('k'), 'account', PLAIN_ACCESS)).seed).toEqual(SEED);
    expect((await readKeyFile(path('h'), 'host', opens('x'))).seed).toEqual(SEED);
  });

  it('with any byte flipped is an error', async () => {
    await writeKeyFile(path('k'), 'account', SEED, 'plain');
    const whole = await readFile(path('k'));
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 0x01;
      await writeFile(path('k'), bytes);
      await expect(readKeyFile(path('k'), 'account', PLAIN_ACCESS)).rejects.toMatchObject({
        code: 'KEY_FILE',
      });
    }
  });

  it('is no encrypted one: the question for a passphrase has an answer that says so', async () => {
    await writeEncrypted('k');
    await expect(readKeyFile(path('k'), undefined, PLAIN_ACCESS)).rejects.toMatchObject({
      code: 'PASSPHRASE_MISSING',
    });
  });
});

describe('passphrases', () => {
  it('are the same however they were typed', () => {
    expect(normalisePassphrase('Zürich ﬁve Å')).toBe(normalisePassphrase('Zu\u0308rich five \u212b'));
    expect(newPassphrase('twelve chars')).toBe('twelve chars');
  });

  it('for new files are not short, and never empty or of several lines', () => {
    for (const bad of ['', 'short', 'elevenchars', `two\nlines and more`, 'x'.repeat(2_000)]) {
      expect(() => newPassphrase(bad)).toThrow(expect.objectContaining({ code: 'PASSPHRASE_INVALID' }));
    }
    expect(normalisePassphrase('short')).toBe('short');
  });

  it('come from a private file of one line', async () => {
    for (const end of ['', '\n', '\r\n']) {
      await writeFile(path('p'), `${PASSPHRASE}${end}`, { mode: 0o600 });
      expect(await readPassphraseFile(path('p'))).toBe(PASSPHRASE);
    }
    await writeFile(path('p'), Buffer.from('zw\xf6lf Zeichen', 'latin1'));
    await expect(readPassphraseFile(path('p'))).rejects.toMatchObject({
      code: 'PASSPHRASE_FILE',
      message: expect.stringContaining('UTF-8'),
    });
    await writeFile(path('p'), PASSPHRASE);
    await symlink(path('p'), path('link'));
    expect(await readPassphraseFile(path('link'))).toBe(PASSPHRASE);
    await chmod(path('p'), 0o640);
    await expect(readPassphraseFile(path('p'))).rejects.toMatchObject({
      code: 'PASSPHRASE_FILE',
      message: expect.stringContaining('chmod 600'),
    });
    await chmod(path('p'), 0o600);
    for (const bad of ['', '\n', 'two\nlines\n', 'x'.repeat(1_000_000)]) {
      await writeFile(path('p'), bad);
      await expect(readPassphraseFile(path('p'))).rejects.toMatchObject({ code: 'PASSPHRASE_FILE' });
    }
    for (const none of ['nothing', '']) {
      await expect(readPassphraseFile(path(none))).rejects.toMatchObject({ code: 'PASSPHRASE_FILE' });
    }
    // Without an end, and not a file at all.
    await expect(readPassphraseFile('/dev/zero')).rejects.toMatchObject({ code: 'PASSPHRASE_FILE' });
  });
});
