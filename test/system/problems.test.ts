import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { EXIT, exitOf } from '../../src/cli/output.ts';
import { listenProblem } from '../../src/p2p/listening.ts';
import { reasonOf, systemProblem } from '../../src/system/problems.ts';
import { startNode } from '../p2p/harness.ts';

const systemError = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`${code}: as the system says it, open '/x'`), { code, ...more });

describe('an error of the operating system', () => {
  for (const [code, says, exit] of [
    ['ENOENT', /no such file/, EXIT.usage],
    ['EACCES', /no right/, EXIT.usage],
    ['EISDIR', /is a directory/, EXIT.usage],
    ['ENOTDIR', /a file stands where/, EXIT.usage],
    ['EEXIST', /exists already/, EXIT.usage],
    ['ENOSPC', /disk is full/, EXIT.resource],
    ['EDQUOT', /quota/, EXIT.resource],
    ['EROFS', /read-only/, EXIT.resource],
    ['EIO', /disk reports an error/, EXIT.resource],
    ['EMFILE', /too many files/, EXIT.resource],
    ['EADDRINUSE', /another process listens/, EXIT.inUse],
    ['EADDRNOTAVAIL', /does not have that address/, EXIT.usage],
  ] as const) {
    it(`${code} says what is wrong and what to do, and sets the exit status`, () => {
      const problem = systemProblem(systemError(code, { path: '/data/x' }))!;
      expect(problem.code).toBe(code);
      expect(problem.message).toMatch(says);
      expect(problem.message).toContain('"/data/x": ');
      expect(problem.message).not.toContain('as the system says it');
      expect(problem.advice.length).toBeGreaterThan(10);
      expect(exitOf(code)).toBe(exit);
    });
  }

  it('is not made of anything else', () => {
    for (const other of [new Error('x'), systemError('EWHAT'), systemError('constructor'), 'ENOENT', null]) {
      expect(systemProblem(other)).toBeUndefined();
    }
    expect(reasonOf(new Error('as it is'))).toBe('as it is');
  });

  it('is told from a file when it is about a port', () => {
    expect(reasonOf(systemError('EACCES', { syscall: 'listen' }))).toMatch(/so low a port/);
    expect(systemProblem(systemError('EADDRINUSE'))!.message).toBe('another process listens there');
  });
});

describe('listening for peers', () => {
  const failure = (text: string): Error =>
    Object.assign(new Error(text), { name: 'UnsupportedListenAddressesError' });

  it('that fails is told by address, without the library’s stack', () => {
    const text =
      'Some configured addresses failed:\n\n' +
      '  /ip4/127.0.0.1/tcp/1: Error: listen EADDRINUSE: address already in use 127.0.0.1:1\n      at x (y)\n\n' +
      '  /ip4/203.0.113.1/tcp/2: Error: listen EADDRNOTAVAIL: address not available\n      at x (y)\n';
    expect(listenProblem(failure(text))).toMatchObject({
      code: 'LISTEN_ADDRESS_IN_USE',
      message:
        'cannot listen for peers on /ip4/127.0.0.1/tcp/1: another process listens there, ' +
        '/ip4/203.0.113.1/tcp/2: this machine does not have that address; --listen chooses other addresses',
    });
    expect(listenProblem(failure('something new'))).toMatchObject({ code: 'LISTEN_ADDRESS' });
    const other = new Error('no');
    expect(listenProblem(other)).toBe(other);
  });

  it('fails with the code of a port that is really taken', async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    const address = `/ip4/127.0.0.1/tcp/${(taken.address() as AddressInfo).port}`;
    try {
      await expect(startNode({ n: 1, listen: [address] })).rejects.toMatchObject({
        code: 'LISTEN_ADDRESS_IN_USE',
        message: expect.stringContaining(`${address}: another process listens there`),
      });
    } finally {
      taken.close();
    }
  });
});
