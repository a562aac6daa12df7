/**
 * Errors of the operating system in words for people: what is wrong, and what to do about it. One table, so that a
 * full disk or a port that is taken reads the same wherever it is met.
 */

interface Words {
  readonly reason: string;
  readonly advice: string;
}

const OPEN_FILES: Words = {
  reason: 'too many files are open',
  advice: 'raise the limit: `ulimit -n 65536` in the shell, or LimitNOFILE= in the service',
};
const DENIED: Words = {
  reason: 'this user has no right to it',
  advice: 'change its owner or mode, or run as the user that it belongs to',
};

const WORDS: Readonly<Record<string, Words>> = {
  ENOENT: { reason: 'there is no such file or directory', advice: 'check how the path is written' },
  EACCES: DENIED,
  EPERM: DENIED,
  EISDIR: { reason: 'it is a directory, and a file is needed', advice: 'name a file in it' },
  ENOTDIR: { reason: 'a file stands where a directory is needed', advice: 'choose another path' },
  EEXIST: { reason: 'it exists already', advice: 'choose another path; nothing is overwritten' },
  ENOTEMPTY: { reason: 'the directory is not empty', advice: 'choose another one' },
  ENAMETOOLONG: { reason: 'the name is too long', advice: 'choose a shorter path' },
  ELOOP: { reason: 'its symbolic links lead in a circle', advice: 'choose another path' },
  EINVAL: { reason: 'the system does not take it', advice: 'check how it is written' },
  EBUSY: { reason: 'something else uses it', advice: 'stop that first' },
  ENOSPC: { reason: 'the disk is full', advice: 'make room, then start again: nothing final is lost' },
  EDQUOT: {
    reason: 'the disk quota of this user is used up',
    advice: 'make room or raise the quota, then start again: nothing final is lost',
  },
  EFBIG: { reason: 'the file would become larger than the system allows', advice: 'raise `ulimit -f`' },
  EROFS: { reason: 'the file system is read-only', advice: 'choose a path that can be written' },
  EIO: { reason: 'the disk reports an error', advice: 'look at the system’s log: the disk may be failing' },
  EMFILE: OPEN_FILES,
  ENFILE: OPEN_FILES,
  ENOMEM: { reason: 'the system has no more memory', advice: 'stop other programs or add memory' },
  EADDRINUSE: {
    reason: 'another process listens there',
    advice: 'stop it (is this node running already?) or choose another port',
  },
  EADDRNOTAVAIL: {
    reason: 'this machine does not have that address',
    advice: 'listen on one of its own, or on 0.0.0.0 for all of them, and announce what others shall dial',
  },
  EAFNOSUPPORT: { reason: 'this machine does not speak that protocol', advice: 'choose another address' },
  ENOTFOUND: { reason: 'that name has no address', advice: 'check the name, or write the address itself' },
  EAI_AGAIN: {
    reason: 'that name could not be looked up',
    advice: 'check the network and its name server, or write the address itself',
  },
};
const LOW_PORT: Words = {
  reason: 'this user may not listen on so low a port',
  advice: 'choose a port from 1024 up',
};

interface SystemError {
  readonly code: string;
  readonly path?: string;
  readonly syscall?: string;
}

function systemError(error: unknown): SystemError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const { code } = error;
  return typeof code === 'string' && Object.hasOwn(WORDS, code) ? (error as Error & SystemError) : undefined;
}

function wordsOf({ code, syscall }: SystemError): Words {
  const low = syscall === 'listen' && (code === 'EACCES' || code === 'EPERM');
  return low ? LOW_PORT : WORDS[code]!;
}

/** Why the system refused, as a clause to stand behind a colon; the error's own words when it is no system's. */
export function reasonOf(error: unknown): string {
  const found = systemError(error);
  if (found !== undefined) return wordsOf(found).reason;
  return error instanceof Error ? error.message : String(error);
}

/** The clause for a code that was found in a text; undefined for one that is not in the table. */
export function reasonOfCode(code: string): string | undefined {
  return Object.hasOwn(WORDS, code) ? WORDS[code]!.reason : undefined;
}

export interface SystemProblem {
  /** As the system calls it: `ENOSPC`. */
  readonly code: string;
  readonly message: string;
  readonly advice: string;
}

/** An error of the operating system that nobody caught nearer to it, for people; undefined for any other error. */
export function systemProblem(error: unknown): SystemProblem | undefined {
  const found = systemError(error);
  if (found === undefined) return undefined;
  const { reason, advice } = wordsOf(found);
  const { code, path } = found;
  return { code, message: path === undefined || path === '' ? reason : `"${path}": ${reason}`, advice };
}
