/** What the nodes' logs say that no other check sees: conflicting votes that reached somebody, and errors. */
import { open } from 'node:fs/promises';

/** Said by a node that received two votes of one key that exclude each other, or two such certificates. */
export const CONFLICTS = [
  'a validator signed two conflicting votes',
  'two certificates exclude each other: more than a third of the stake is dishonest',
] as const;

const ERROR_LEVELS: readonly unknown[] = ['error', 'fatal'];
const MAX_CHUNK = 64 * 1024 * 1024;

export interface LogFindings {
  readonly conflicts: readonly string[];
  readonly errors: readonly string[];
}

/** Judges whole lines of a node's log. A line that is not JSON was cut by a kill, and says nothing. */
export function judgeLog(text: string): LogFindings {
  const conflicts: string[] = [];
  const errors: string[] = [];
  for (const line of text.split('\n')) {
    let entry: { level?: unknown; msg?: unknown };
    try {
      entry = Object(JSON.parse(line)) as typeof entry;
    } catch {
      continue;
    }
    if (CONFLICTS.some((phrase) => phrase === entry.msg)) conflicts.push(line);
    else if (ERROR_LEVELS.includes(entry.level)) errors.push(line);
  }
  return { conflicts, errors };
}

/** Reads what was added to a log since the last time, up to the last whole line. */
export class LogReader {
  readonly #path: string;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<LogFindings> {
    const file = await open(this.#path, 'r');
    try {
      const { size } = await file.stat();
      const length = Math.min(size - this.#offset, MAX_CHUNK);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, this.#offset);
      const end = buffer.lastIndexOf(0x0a, bytesRead) + 1;
      this.#offset += end;
      return judgeLog(buffer.toString('utf8', 0, end));
    } finally {
      await file.close();
    }
  }
}
