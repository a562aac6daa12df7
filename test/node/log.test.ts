import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/codec/errors.ts';
import { LOG_PARTS, logLevels } from '../../src/config/log-levels.ts';
import { createLogs } from '../../src/node/log.ts';

function logsAt(levels: string) {
  const lines: string[] = [];
  const logs = createLogs(logLevels.parse(levels), { write: (line: string) => void lines.push(line) });
  return { logs, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

describe('the log', () => {
  it('has level, time, part and message in every line', () => {
    const { logs, lines, last } = logsAt('info');
    for (const part of Object.keys(LOG_PARTS) as (keyof typeof LOG_PARTS)[]) {
      logs(part).warn({ height: 3 }, 'something happened');
      expect(last()).toEqual({
        level: 'warn',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        part,
        height: 3,
        msg: 'something happened',
      });
    }
    expect(lines.every((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1)).toBe(true);
  });

  it('has no part that never speaks', async () => {
    const folder = join(import.meta.dirname, '../../src/node');
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'));
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    const silent = Object.keys(LOG_PARTS).filter(
      (part) => !texts.some((text) => text.includes(`ogs('${part}')`)),
    );
    expect(silent).toEqual([]);
  });

  it('takes each part at its own level, more or less than the others', () => {
    const { logs, lines } = logsAt('warn,p2p=debug,consensus=silent');
    logs('chain').info('no');
    logs('chain').warn('yes');
    logs('p2p').debug('yes');
    logs('p2p').trace('no');
    logs('consensus').fatal('no');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['yes', 'yes']);
  });

  it('writes what a peer sent on one line, escaped and bounded', () => {
    const { logs, lines, last } = logsAt('info');
    logs('p2p').info(
      {
        reason: `"}\n{"level":"fatal","msg":"forged\u001b[2J"}`,
        long: 'x'.repeat(1_000_000),
        many: Array.from({ length: 100_000 }, (_, i) => i),
        deep: { a: { b: { c: { d: { e: 1 } } } } },
        bytes: new Uint8Array(100_000),
        amount: 2n ** 64n,
        ['k'.repeat(10_000)]: 1,
      },
      'hostile',
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]!.length).toBeLessThan(4_000);
    expect(lines[0]).not.toContain('\u001b');
    expect(lines[0]!.trimEnd()).not.toContain('\n');
    expect(last()).toMatchObject({
      level: 'info',
      reason: expect.stringContaining('forged'),
      amount: '18446744073709551616',
      long: `${'x'.repeat(500)}… (1000000 characters)`,
      msg: 'hostile',
    });
  });

  it('bounds an object with very many fields, and one that contains itself', () => {
    const { logs, lines, last } = logsAt('info');
    const circle: Record<string, unknown> = { ...Object.fromEntries(Array(9_999).entries()) };
    circle.self = circle;
    logs('api').info({ circle, again: { circle } }, 'large');
    expect(lines[0]!.length).toBeLessThan(4_000);
    expect(last()).toMatchObject({ msg: 'large' });
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    logs('api').info({ loop }, 'loop');
    expect(last()).toMatchObject({ msg: 'loop' });
  });

  it('tells an error by code and message, with the stack only of one that was not foreseen', () => {
    const { logs, last } = logsAt('info');
    logs('api').error({ err: new ProtocolError('BUSY', 'y'.repeat(9_999)) }, 'foreseen');
    expect(last().err).toEqual({
      type: 'ProtocolError',
      code: 'BUSY',
      message: expect.stringMatching(/^y{500}… \(9999 characters\)$/),
    });
    logs('node').error({ err: new TypeError('x', { cause: new Error('deeper') }) }, 'not foreseen');
    expect(last().err).toMatchObject({
      type: 'TypeError',
      message: 'x',
      stack: expect.stringContaining('log.test.ts'),
      cause: { type: 'Error', message: 'deeper' },
    });
  });
});
