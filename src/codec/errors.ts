/**
 * The one error class of the pure rooms. What can be wrong with input is a `ProtocolError` with a stable
 * `code`; everything else that is thrown is a bug. Codes are part of the API: they reach peers, clients and
 * metrics unchanged, and survive worker boundaries as plain strings. They carry no stack trace: they are made as
 * often as somebody sends rubbish, the code says where they come from, and a trace costs more than the check.
 */
export class ProtocolError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly details: Readonly<Record<string, string | number | bigint>>;

  constructor(code: Code, message: string, details: Record<string, string | number | bigint> = {}) {
    const frames = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = frames;
    this.name = 'ProtocolError';
    this.code = code;
    this.details = details;
  }
}

/** True when `error` is a typed protocol error, optionally with the given code. */
export function isProtocolError(error: unknown, code?: string): error is ProtocolError {
  return error instanceof ProtocolError && (code === undefined || error.code === code);
}

/** Throws the bug that `condition` being false reveals. Never used for input from outside. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
