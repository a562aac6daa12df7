/** However much peers misbehave, the log grows at a bounded rate, and says what it left out. */
import { expect, it } from 'vitest';
import { pacedLog } from '../../src/p2p/paced-log.ts';

it('says so much at once, then two lines a second, and how many were left out', () => {
  let now = 0;
  const lines: [string, Record<string, unknown>][] = [];
  const say =
    (level: string) =>
    (fields: Record<string, unknown>): void => {
      lines.push([level, fields]);
    };
  const log = pacedLog({ debug: say('debug'), info: say('info'), warn: say('warn') }, () => now);
  for (let i = 0; i < 1_000; i++) log[i % 2 === 0 ? 'warn' : 'info']({ i }, 'peer misbehaves');
  const loud = (): typeof lines => lines.filter(([level]) => level !== 'debug');
  expect(loud()).toHaveLength(200);
  expect(lines).toHaveLength(1_000);
  now = 1_000;
  for (let i = 0; i < 10; i++) log.warn({ i }, 'peer misbehaves');
  expect(loud().slice(200)).toEqual([
    ['warn', { i: 0, leftOut: 800 }],
    ['warn', { i: 1 }],
  ]);
  now = 1_000_000;
  log.info({ peer: 'x' }, 'peer is ready');
  expect(loud().at(-1)).toEqual(['info', { peer: 'x', leftOut: 8 }]);
  log.debug({}, 'dial failed');
  expect(lines.at(-1)).toEqual(['debug', {}]);
});
