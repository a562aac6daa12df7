import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as verify from '../../src/cli/commands/verify.ts';
import { toHex } from '../../src/codec/bytes.ts';
import { SELF_TEST_ROWS } from '../../src/node/crypto/selftest.ts';
import { lengthCases, torsionCases } from '../crypto/cases.ts';
import { run } from './run.ts';

describe('kryder verify-signatures', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kryder-verify-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  const judge = async (content: string, ...options: string[]) => {
    const file = join(dir, 'cases.json');
    await writeFile(file, content);
    return run([verify], 'verify-signatures', file, '--json', ...options);
  };

  test.each([[], ['--backend', 'sodium'], ['--backend', 'node'], ['--backend', 'noble']])(
    'gives the strict verdicts %s %s',
    async (...options) => {
      const cases = [...torsionCases(2, 3), ...lengthCases()].map((c) => ({
        publicKey: toHex(c.publicKey),
        message: toHex(c.message),
        signature: toHex(c.signature).toUpperCase(),
        valid: c.valid,
      }));
      for (const [, publicKey, message, signature, valid] of SELF_TEST_ROWS) {
        cases.push({ publicKey, message, signature, valid });
      }
      const { status, json, err } = await judge(
        JSON.stringify(cases),
        ...options.filter((o) => o !== undefined),
      );
      expect({ status, err }).toEqual({ status: 0, err: '' });
      expect(json).toEqual({ verdicts: cases.map((c) => c.valid) });
    },
  );

  test('an entry that makes no sense is false, and the others are judged', async () => {
    const [, publicKey, message, signature] = SELF_TEST_ROWS[1]!;
    const good = { publicKey, message, signature };
    const entries = [
      good,
      { ...good, signature: signature.slice(1) },
      { ...good, signature: `0x${signature}` },
      { ...good, publicKey: 'zz'.repeat(32) },
      { ...good, message: 'f' },
      { ...good, message: 5 },
      { publicKey, message },
      { ...good, signature: null },
      null,
      'text',
      7,
      [good],
      {},
      good,
    ];
    const { status, json } = await judge(JSON.stringify(entries));
    expect(status).toBe(0);
    expect(json.verdicts).toEqual(entries.map((entry) => entry === good));
  });

  test('an empty array has no verdicts', async () => {
    expect(await judge('[]')).toMatchObject({ status: 0, json: { verdicts: [] } });
  });

  test.each(['{}', '"x"', 'null', 'not json', ''])('a file of %s is an error', async (content) => {
    const { status, json } = await judge(content);
    expect(status).toBe(2);
    expect(json).toMatchObject({ error: { code: 'VERIFY_INPUT' } });
  });

  test('no such file, no such backend', async () => {
    const absent = await run([verify], 'verify-signatures', join(dir, 'absent'), '--json');
    expect(absent).toMatchObject({ status: 2, json: { error: { code: 'VERIFY_INPUT' } } });
    expect(await judge('[]', '--backend', 'tweetnacl')).toMatchObject({
      status: 2,
      json: { error: { code: 'SIGNATURE_BACKEND_UNKNOWN' } },
    });
  });

  test('speaks to people too', async () => {
    const file = join(dir, 'people.json');
    const [, publicKey, message, signature] = SELF_TEST_ROWS[0]!;
    await writeFile(file, JSON.stringify([{ publicKey, message, signature }, {}]));
    const { out, status } = await run([verify], 'verify-signatures', file);
    expect(status).toBe(0);
    expect(out).toBe('0: valid\n1: invalid\n1 of 2 are valid\n');
  });
});
