/**
 * Errors that libp2p throws where nobody can catch them: in a listener of an event, or in a promise that it dropped.
 * A stream that is written to while it closes is the known one (js-libp2p #3415, #3512); a peer chooses when its
 * connection closes, so a process that ends at such an error can be ended from outside. They concern one stream,
 * which is dead or found dead within the time for pings; so they are counted, and the process goes on. Whatever has a
 * frame of this project in its stack, or another name, is a bug, and stays fatal.
 */
const NAMES: ReadonlySet<string> = new Set([
  'AbortError',
  'ConnectionClosedError',
  'InvalidFrameError',
  'MuxerClosedError',
  'StreamAbortedError',
  'StreamBufferError',
  'StreamClosedError',
  'StreamResetError',
  'StreamStateError',
  'TimeoutError',
  'UnexpectedEOFError',
]);
const LIBRARY =
  /[\\/]node_modules[\\/](@libp2p|libp2p|@chainsafe[\\/]libp2p-noise|it-[a-z-]+|race-signal|p-event|main-event|any-signal)[\\/]/;

let seen = 0;

/** Stray errors so far. */
export function strayErrors(): number {
  return seen;
}

/** Counts an error that nobody has caught, if it is one of these. */
export function isStray(error: unknown): boolean {
  // what the library's promises are rejected with when a stream closes before the event that they wait for
  if (error instanceof Event && error.type === 'close') {
    seen++;
    return true;
  }
  if (!(error instanceof Error) || !NAMES.has(error.name)) return false;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const files = frames.filter((line) => !/node:internal|node:events|<anonymous>/.test(line));
  const stray = files.length > 0 && files.every((line) => LIBRARY.test(line));
  if (stray) seen++;
  return stray;
}
