/**
 * Two minutes of chaos: real nodes in network namespaces through every kind of fault. Needs root and what docs/chaos.md
 * names; where that is not to be had, this says so and does not run.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { missing } from '../chaos/requirements.ts';
import { KINDS } from '../chaos/schedule.ts';
import type { Verdict } from '../chaos/verdict.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/test/chaos/main.js', import.meta.url));

const lacking = await missing();
if (lacking.length > 0) process.stderr.write(`Chaos was NOT tested: it needs ${lacking.join('; ')}\n`);

interface End {
  readonly pid: number;
  readonly status: number | null;
  readonly out: string;
  readonly said: string;
}

function chaos(
  args: readonly string[],
  onSaid: (text: string, pid: number) => void = () => {},
): Promise<End> {
  expect(existsSync(PROGRAM), 'run `npm run build` first').toBe(true);
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...args, '--patience', '4', '--json'], {
      maxBuffer: 1 << 26,
    });
    const pid = child.pid!;
    let out = '';
    let said = '';
    child.stdout!.on('data', (text: string) => {
      out += text;
    });
    child.stderr!.on('data', (text: string) => {
      said += text;
      onSaid(said, pid);
    });
    child.on('close', (status) => resolve({ pid, status, out, said }));
  });
}

/** What carries the process id of a run. */
async function tracesOf(pid: number): Promise<string[]> {
  const names = [...(await readdir('/run/netns').catch(() => [])), ...(await readdir(tmpdir()))];
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  return [...names, ...mounts.split('\n')].filter((name) => name.includes(`chaos-${pid}-`));
}

describe.runIf(lacking.length === 0)('chaos', () => {
  it('a network goes through every kind of fault and loses nothing', async () => {
    const { pid, status, out, said } = await chaos(['--minutes', '2', '--seed', '11', '--nodes', '4']);
    const result = JSON.parse(out) as Verdict;
    expect(result.wrong, said).toEqual([]);
    expect(result).toMatchObject({
      verdict: 'held',
      lost: 0,
      disagreements: 0,
      regressions: 0,
      supplyErrors: 0,
      totalErrors: 0,
      doubleSigned: 0,
      stalls: 0,
    });
    expect(status).toBe(0);
    for (const kind of KINDS) expect(result.faults[kind]).toBeGreaterThan(0);
    for (const line of result.schedule) expect(said).toContain(line);
    expect(await tracesOf(pid)).toEqual([]);
  }, 900_000);

  it('is told to stop in a storm: it says so, and leaves nothing', async () => {
    let told = false;
    const { pid, status, out } = await chaos(['--minutes', '1', '--nodes', '4'], (said, running) => {
      if (told || !said.includes('round 0')) return;
      told = true;
      process.kill(running, 'SIGTERM');
    });
    expect(JSON.parse(out)).toMatchObject({ verdict: 'interrupted', wrong: [] });
    expect(status).toBe(4);
    expect(await tracesOf(pid)).toEqual([]);
  }, 300_000);
});
