import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEVNET_PARAMETERS } from '../../src/chain/genesis.ts';
import { parseKry } from '../../src/codec/amount.ts';
import { commandFile } from '../../src/story/child.ts';
import { FAUCET_AMOUNT } from '../../src/story/devnet.ts';
import type { StoryResult } from '../../src/story/story.ts';

interface Run {
  readonly status: number | null;
  readonly lines: readonly string[];
  readonly stderr: string;
}

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder story ü-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Runs the compiled command in a folder of its own, with a temporary directory that can be looked into. */
function run(args: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [commandFile(), ...args], {
      cwd: dir,
      env: { ...process.env, TMPDIR: dir },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, lines: stdout.trimEnd().split('\n'), stderr }));
  });
}

const HEX = /^[0-9a-f]{64}$/;
const temporary = async (): Promise<string[]> =>
  (await readdir(dir)).filter((name) => name.startsWith('kryder-story-'));

describe('the story, from the command line', () => {
  it('refuses an empty file, a missing file and a folder before anything is started', async () => {
    await writeFile(join(dir, 'empty'), '');
    for (const [blob, code] of [
      ['empty', 'BLOB_EMPTY'],
      ['nowhere', 'BLOB_NOT_FOUND'],
      ['.', 'BLOB_UNREADABLE'],
    ] as const) {
      const { status, lines, stderr } = await run(['story', '--exit', '--blob', blob]);
      expect(status).toBe(2);
      expect(lines).toEqual(['']);
      expect(stderr).toContain(`(${code})`);
    }
    expect(await temporary()).toEqual([]);
  });

  it('plays to its end: paid for the whole copy, refused for the damaged one, refunded', async () => {
    const data = Buffer.from('some bytes that somebody wants kept\n'.repeat(2_000));
    await writeFile(join(dir, 'Ein Name – 数据.bin'), data);
    const spans = ['--set', 'txLifetime=30', '--set', 'leastClaimWindow=30'];
    const blob = ['--blob', 'Ein Name – 数据.bin'];
    const { status, lines, stderr } = await run(['story', '--exit', '--interval', '200', ...spans, ...blob]);
    expect(stderr).toBe('');
    expect(status).toBe(0);

    const result = JSON.parse(lines.at(-1)!) as StoryResult;
    expect(Object.keys(result)).toEqual([
      'validators',
      'genesisHash',
      'blobBytes',
      'blobSha256',
      'bounty',
      'claim',
      'flipped',
      'balances',
      'supply',
      'peakRssBytes',
      'seconds',
    ]);
    const tag = createHash('sha256').update(data).digest('hex');
    expect(result).toMatchObject({
      validators: 4,
      genesisHash: expect.stringMatching(HEX),
      blobBytes: data.length,
      blobSha256: tag,
      bounty: { id: expect.stringMatching(HEX), tag, claimKey: expect.stringMatching(HEX) },
      claim: { tx: expect.stringMatching(HEX), height: expect.any(Number) },
      flipped: { code: 'CLAIM_KEY_MISMATCH', refundHeight: expect.any(Number) },
    });
    const { claimFee, unclaimedBurnPpm, advertFee, advertBurnPpm } = DEVNET_PARAMETERS;
    const amount = BigInt(result.bounty.amount);
    expect(BigInt(result.balances.steward)).toBe(amount - claimFee);
    const burned = (amount * BigInt(unclaimedBurnPpm)) / 1_000_000n;
    const advertBurned = (advertFee * BigInt(advertBurnPpm)) / 1_000_000n;
    expect(BigInt(result.supply)).toBe(FAUCET_AMOUNT + 4n * parseKry('1000') - burned - advertBurned);
    expect(result.flipped.refundHeight).toBeGreaterThanOrEqual(result.claim.height + 30);
    expect(result.peakRssBytes).toBeGreaterThan(20_000_000);
    expect(String(result.seconds)).toMatch(/^\d+(\.\d{1,3})?$/);

    const heights = lines.flatMap((line) => /^ {2}block +(\d+) {3}/.exec(line)?.[1] ?? []).map(Number);
    expect(heights.length).toBeGreaterThan(20);
    expect(heights).toEqual(heights.toSorted((a, b) => a - b));
    expect(lines.filter((line) => line.includes('rejected, CLAIM_KEY_MISMATCH'))).toHaveLength(4);
    expect(await temporary()).toEqual([]);
    const pids = lines.flatMap((line) => /validator \d .*process (\d+)$/.exec(line)?.[1] ?? []);
    expect(pids).toHaveLength(4);
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  }, 180_000);
});
