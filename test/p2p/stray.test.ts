import { StreamCloseEvent } from '@libp2p/interface';
import { expect, it } from 'vitest';
import { isStray, strayErrors } from '../../src/p2p/stray.ts';

const LIBRARY = [
  'at TCPSocketMultiaddrConnection.send (file:///app/node_modules/@libp2p/utils/dist/src/abstract-message-stream.js:112:19)',
  'at EncryptedMessageStream.sendData (file:///app/node_modules/@chainsafe/libp2p-noise/dist/src/utils.js:169:38)',
  'at process.processTicksAndRejections (node:internal/process/task_queues:95:5)',
];

function thrown(name: string, frames: readonly string[]): Error {
  const error = Object.assign(new Error('cannot write to a stream that is closing'), { name });
  error.stack = [`${name}: ${error.message}`, ...frames.map((frame) => `    ${frame}`)].join('\n');
  return error;
}

it('goes on after a stream error that the library threw and nobody could catch, and counts it', () => {
  const before = strayErrors();
  expect(isStray(thrown('StreamStateError', LIBRARY))).toBe(true);
  expect(strayErrors()).toBe(before + 1);
});

it('goes on after the end of a stream for which a promise waited that nobody holds', () => {
  const before = strayErrors();
  expect(isStray(new StreamCloseEvent())).toBe(true);
  expect(strayErrors()).toBe(before + 1);
});

it.each<[string, unknown]>([
  ['another kind of error', thrown('TypeError', LIBRARY)],
  [
    'one with a frame of this project',
    thrown('StreamStateError', [...LIBRARY, 'at Session.send (/app/dist/src/p2p/session.js:9:1)']),
  ],
  ['one of another package', thrown('AbortError', ['at x (/app/node_modules/fastify/lib/server.js:1:1)'])],
  ['one without frames', thrown('StreamStateError', [])],
  ['no error at all', 'StreamStateError'],
  ['another event', new Event('error')],
])('takes %s for a bug', (_what, error) => {
  const before = strayErrors();
  expect(isStray(error)).toBe(false);
  expect(strayErrors()).toBe(before);
});
