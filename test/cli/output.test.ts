import { afterEach, expect, it, vi } from 'vitest';
import { CommandError, EXIT, reportFailure } from '../../src/cli/output.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

it('a standard error that takes nothing does not change the exit status', async () => {
  process.stderr.removeAllListeners('error');
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  vi.spyOn(process.stderr, 'write').mockImplementation((_text: unknown, done?: unknown) => {
    if (typeof done === 'function') done(full);
    process.stderr.emit('error', full); // throws where nobody listens
    return false;
  });
  const failure = new CommandError(EXIT.inUse, 'DATA_DIRECTORY_IN_USE', 'it is in use', 'stop it');
  expect(await reportFailure(failure, false)).toBe(EXIT.inUse);
});
