/** Programs of the system, run to their end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

const LONGEST_MS = 30_000;

/** What the program wrote to standard output. Throws what it wrote to standard error when it fails. */
export async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(program, args, { stdio: 'pipe', timeout: LONGEST_MS, killSignal: 'SIGKILL' });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [out, said, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  if (code === 0) return out;
  const why = said.trim() === '' ? `ended with ${signal ?? `status ${code}`}` : said.trim();
  throw new Error(`${program} ${args.join(' ')}: ${why}`);
}
