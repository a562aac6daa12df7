/**
 * The node's log: JSON lines on standard error, each with level, time, part and message. A part logs at its own
 * level. Whatever stands in a line is bounded, for much of it came from peers: texts are cut, lists and nesting end.
 * Messages are fixed texts; what varies goes into fields, where JSON escapes it.
 */
import pino, { type DestinationStream, type Logger } from 'pino';
import { type Bytes, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { LOG_PARTS, type LogLevels, type LogPart } from '../config/log-levels.ts';
import { type Configuration, printSetting } from '../config/resolve.ts';
import { SETTING_NAMES } from '../config/settings.ts';
import { LogOutput } from './log-output.ts';

const STANDARD_ERROR = 2;
const MAX_TEXT = 500;
const MAX_STACK = 4_000;
const MAX_ITEMS = 32;
const MAX_DEPTH = 4;

/** The logger of a part. */
export type Logs = (part: LogPart) => Logger;

function cut(text: string, most = MAX_TEXT): string {
  return text.length > most ? `${text.slice(0, most)}… (${text.length} characters)` : text;
}

function hex(bytes: Bytes): string {
  const shown = toHex(bytes.subarray(0, MAX_TEXT / 2));
  return bytes.length > MAX_TEXT / 2 ? `${shown}… (${bytes.length} bytes)` : shown;
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return {
    type: cut(error.name),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: bounded(code, depth) } : {}),
    message: cut(error.message),
    // A typed error was foreseen: its code says where it comes from.
    ...(error instanceof ProtocolError ? {} : { stack: cut(error.stack ?? '', MAX_STACK) }),
    ...(cause === undefined ? {} : { cause: bounded(cause, depth + 1) }),
  };
}

function bounded(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (value instanceof Error) return describeError(value, depth);
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) {
    const shown = value.slice(0, MAX_ITEMS).map((item: unknown) => bounded(item, depth + 1));
    return value.length > MAX_ITEMS ? [...shown, `… (${value.length} items)`] : shown;
  }
  return boundedFields(value, depth + 1);
}

function boundedFields(fields: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(fields).slice(0, MAX_ITEMS);
  return Object.fromEntries(entries.map(([name, value]) => [cut(name), bounded(value, depth)]));
}

/** Makes the loggers of all parts. `destination` is for tests. */
export function createLogs(levels: LogLevels, destination?: DestinationStream): Logs {
  const root = pino(
    {
      level: levels.all,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // errors are described with the other fields, so that they are bounded like them
      serializers: { err: (error: unknown) => error },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => boundedFields(fields, 0),
      },
    },
    destination ?? new LogOutput(STANDARD_ERROR),
  );
  const parts = Object.keys(LOG_PARTS) as LogPart[];
  const loggers = new Map(
    parts.map((part) => [part, root.child({ part }, { level: levels.parts[part] ?? levels.all })]),
  );
  return (part) => loggers.get(part)!;
}

/** Writes down what somebody chose, with its origin, and what was probably not as it was meant. */
export function tellConfiguration({ settings, origins, warnings }: Configuration, log: Logger): void {
  const chosen = SETTING_NAMES.filter((name) => origins[name].from !== 'default').map(
    (name) => `${name} = ${printSetting(settings, name)} (${origins[name].name})`,
  );
  log.info({ chosen }, 'settings that are not left to their defaults');
  for (const detail of warnings) log.warn({ detail }, 'probably a slip in the configuration');
}
