/** Two thousand seeds of the simulator, beyond those that the short lane runs. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('finds nothing in 2,000 seeds', async () => {
  const args = ['dist/test/simulator/main.js', '--seeds', '2000', '--from', '100000', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 26 });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  expect(JSON.parse(last)).toMatchObject({ runs: 2_000, violations: [], stuck: [] });
});
