/**
 * The words of the resource watchers. A watcher looks at one thing that the node needs of its machine and returns
 * what it finds; it never acts itself. A warning is told early and again when it is over; `stop` asks for a clean
 * end before damage is done. docs/operation.md has a line for each code, with what to do.
 */
import { ProtocolError } from '../../codec/errors.ts';

export const WARNING_CODES = [
  'DISK_LOW',
  'CLOCK_OFF',
  'CLOCK_JUMPED',
  'FILE_HANDLES_LOW',
  'EVENT_LOOP_LAG',
  'MEMORY_LOW',
] as const;
export type WarningCode = (typeof WARNING_CODES)[number];

export interface Finding {
  readonly code: WarningCode;
  readonly level: 'warn' | 'stop';
  /** For people: what is wrong, with figures, and what to do. */
  readonly message: string;
}

export interface Watcher {
  readonly name: string;
  /** All that is wrong at the moment. Called one at a time; may reject where the machine does not tell. */
  check(): Promise<readonly Finding[]> | readonly Finding[];
}

export type ResourceErrorCode = 'RESOURCE_DISK' | 'RESOURCE_CLOCK' | 'RESOURCE_FILE_HANDLES';

/** Ends the node: its machine lacks something. Starting it again helps only when that is mended. */
export class ResourceError extends ProtocolError<ResourceErrorCode> {
  constructor(code: ResourceErrorCode, message: string, cause?: unknown) {
    super(code, message);
    this.name = 'ResourceError';
    if (cause !== undefined) this.cause = cause;
  }
}

const STOP_CODES: Partial<Record<WarningCode, ResourceErrorCode>> = {
  DISK_LOW: 'RESOURCE_DISK',
  CLOCK_OFF: 'RESOURCE_CLOCK',
  FILE_HANDLES_LOW: 'RESOURCE_FILE_HANDLES',
};

/** The error that a finding of level `stop` ends the node with. */
export function stopError({ code, message }: Finding): ResourceError {
  return new ResourceError(STOP_CODES[code] ?? 'RESOURCE_DISK', message);
}

/** What the system says when a write fails for want of a resource, and what to do about it. */
const WRITE_FAILURES: readonly (readonly [RegExp, ResourceErrorCode, string])[] = [
  [/ENOSPC|No space left on device/i, 'RESOURCE_DISK', 'the disk is full: make room'],
  [/EDQUOT|Disk quota exceeded/i, 'RESOURCE_DISK', 'the disk quota is used up: raise it or make room'],
  [
    /EFBIG|File too large/i,
    'RESOURCE_DISK',
    'a file may not grow further: raise the limit on file sizes (ulimit -f)',
  ],
  [
    /EROFS|Read-only file system/i,
    'RESOURCE_DISK',
    'the file system is read-only: look at the kernel log, then mount it for writing',
  ],
  [
    /\bEIO\b|Input\/output error/i,
    'RESOURCE_DISK',
    'the disk does not work: look at the kernel log and replace it',
  ],
  [
    /EMFILE|ENFILE|Too many open files/i,
    'RESOURCE_FILE_HANDLES',
    'too many files are open: raise the limit (ulimit -n, LimitNOFILE)',
  ],
];

/**
 * The resource error that stands behind a failed read or write, looking through causes; undefined when it is
 * something else. Databases tell only by text, so text is what is looked at.
 */
export function resourceErrorOf(error: unknown, where: string): ResourceError | undefined {
  let cursor = error;
  for (let depth = 0; depth < 5 && cursor instanceof Error; depth++, cursor = cursor.cause) {
    if (cursor instanceof ResourceError) return cursor;
    if (cursor instanceof ProtocolError && !/^(DATABASE|JOURNAL)_/.test(cursor.code)) continue;
    const code = 'code' in cursor ? String(cursor.code) : '';
    const text = /^E[A-Z]+$/.test(code) ? code : cursor.message;
    if (code !== '' || cursor.message.startsWith('IO error')) {
      const found = WRITE_FAILURES.find(([pattern]) => pattern.test(text));
      if (found !== undefined) {
        const [, name, advice] = found;
        return new ResourceError(
          name,
          `${advice}, then start the node again (${where}: ${cursor.message}); nothing that is final is lost`,
          error,
        );
      }
    }
  }
  return undefined;
}
