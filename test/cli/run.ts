/** Runs the command in this process, as the shell would see it. */
import type { Command } from 'commander';
import { vi } from 'vitest';
import { reportFailure, rootCommand } from '../../src/cli/output.ts';

export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  /** The last line of standard output as JSON. */
  readonly json: Record<string, unknown>;
}

export async function run(
  groups: readonly { register(program: Command): void }[],
  ...args: string[]
): Promise<Outcome> {
  let out = '';
  let err = '';
  const sink = (take: (text: string) => void) => (text: unknown, done?: unknown) => {
    take(String(text));
    if (typeof done === 'function') done();
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(sink((text) => (out += text))),
    vi.spyOn(process.stderr, 'write').mockImplementation(sink((text) => (err += text))),
  ];
  let status = 0;
  try {
    const program = rootCommand();
    for (const group of groups) group.register(program);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    status = await reportFailure(error, args.includes('--json'));
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  const json = args.includes('--json') ? (JSON.parse(last) as Record<string, unknown>) : {};
  return { status, out, err, json };
}
