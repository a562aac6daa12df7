/** Why listening failed, in words for people: libp2p tells it in one text with stack traces in it. */
import { ProtocolError } from '../codec/errors.ts';
import { reasonOfCode } from '../system/problems.ts';

/** Makes a `LISTEN_ADDRESS` or `LISTEN_ADDRESS_IN_USE` of what libp2p threw; any other error stays what it is. */
export function listenProblem(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'UnsupportedListenAddressesError') return error;
  const failed = [...error.message.matchAll(/^ {2}(\/\S+): .*?\b(E[A-Z]{3,20})\b/gm)].slice(0, 16);
  const reasons = failed.map(([, address, code]) => `${address}: ${reasonOfCode(code!) ?? code}`);
  const inUse = failed.some(([, , code]) => code === 'EADDRINUSE');
  return new ProtocolError(
    inUse ? 'LISTEN_ADDRESS_IN_USE' : 'LISTEN_ADDRESS',
    `cannot listen for peers on ${reasons.length === 0 ? 'the addresses that were given' : reasons.join(', ')}; ` +
      '--listen chooses other addresses',
  );
}
