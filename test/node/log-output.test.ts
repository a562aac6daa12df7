import { closeSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLogs } from '../../src/node/log.ts';
import { LogOutput } from '../../src/node/log-output.ts';

const failure = (code: string) => Object.assign(new Error(code), { code });

/** Takes what `take` says of each write: so many bytes, or an error. */
function outputWith(take: (length: number) => number) {
  let text = '';
  const output = new LogOutput(2, (_fd, bytes) => {
    const taken = take(bytes.length);
    text += Buffer.from(bytes.subarray(0, taken)).toString();
    return taken;
  });
  return { output, text: () => text };
}

describe('the way of the log to standard error', () => {
  it.runIf(process.platform === 'linux')('on a full disk loses lines, not the process', () => {
    const fd = openSync('/dev/full', 'w');
    const logs = createLogs({ all: 'info', parts: {} }, new LogOutput(fd));
    for (let i = 0; i < 100; i++) logs('node').info({ i }, 'something');
    logs('node').fatal('the last word');
    closeSync(fd);
    logs('node').info('nor when there is nothing to write to');
  });

  it('says how many lines are missing as soon as it can', () => {
    let full = true;
    const { output, text } = outputWith((length) => {
      if (full) throw failure('ENOSPC');
      return length;
    });
    for (const line of ['1\n', '2\n', '3\n']) output.write(line);
    full = false;
    for (const line of ['4\n', '5\n']) output.write(line);
    const [notice, ...rest] = text().split('\n');
    expect(JSON.parse(notice!)).toMatchObject({ level: 'warn', part: 'node', lines: 3 });
    expect(rest).toEqual(['4', '5', '']);
  });

  it('begins a new line after one that ended in its middle', () => {
    let left = 3;
    const { output, text } = outputWith((length) => {
      if (left === 0) throw failure('ENOSPC');
      const taken = Math.min(left, length);
      left -= taken;
      return taken;
    });
    output.write('{"a":1}\n');
    left = Number.MAX_SAFE_INTEGER;
    output.write('{"b":1}\n');
    const lines = text().split('\n');
    expect(lines[0]).toBe('{"a');
    expect(JSON.parse(lines[1]!)).toMatchObject({ lines: 1 });
    expect(lines[2]).toBe('{"b":1}');
  });

  it('goes on in pieces, waits a little for a reader, and never for ever', () => {
    let turn = 0;
    const slow = outputWith((length) => {
      if (turn++ % 2 === 0) throw failure('EAGAIN');
      return Math.min(4, length);
    });
    slow.output.write('0123456789\n');
    expect(slow.text()).toBe('0123456789\n');
    let attempts = 0;
    const stuck = outputWith(() => {
      attempts++;
      throw failure('EAGAIN');
    });
    for (let i = 0; i < 20; i++) stuck.output.write('x\n');
    expect(attempts).toBeLessThan(60);
  });
});
