/** The asking side alone, over streams that the test holds in its hands. */
import type { Stream } from '@libp2p/interface';
import { expect, it } from 'vitest';
import { type Bytes, concat, utf8 } from '../../src/codec/bytes.ts';
import { BulkClient } from '../../src/p2p/bulk-client.ts';
import { DEFAULT_LIMITS } from '../../src/p2p/limits.ts';
import { encodePartHeader } from '../../src/p2p/wire.ts';

class HeldStream extends EventTarget {
  readonly status = 'open';
  readonly writeStatus = 'writable';
  readonly remoteWriteStatus = 'writable';
  readonly readStatus = 'readable';
  readonly writableNeedsDrain = false;
  readonly sent: Bytes[] = [];
  send(chunk: Bytes): void {
    this.sent.push(chunk);
  }
  pause(): void {}
  resume(): void {}
  abort(): void {}

  /** The peer's whole answer to request `id`. */
  answer(id: number, text: string): void {
    const data = utf8(text);
    this.dispatchEvent(
      Object.assign(new Event('message'), { data: concat(encodePartHeader(id, true, data.length), data) }),
    );
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('takes an answer only from the stream that was asked on: ids begin anew with each', async () => {
  const offences: string[] = [];
  const client = new BulkClient({
    limits: DEFAULT_LIMITS,
    now: () => performance.now(),
    offend: (offence) => offences.push(offence),
    onBug: (error) => offences.push(String(error)),
  });
  const options = { maxResponseBytes: 1_000, timeoutMs: 30_000 };
  const [before, after] = [new HeldStream(), new HeldStream()];
  client.attach(before as unknown as Stream);
  const first = client.request(1, utf8('first'), options);
  await turn();
  expect(before.sent).toHaveLength(1);
  client.attach(after as unknown as Stream);
  await expect(first).rejects.toMatchObject({ code: 'PEER_GONE' });
  const second = client.request(1, utf8('second'), options);
  await turn();
  before.answer(1, 'the answer to the first');
  before.answer(7, 'to nothing at all');
  await turn();
  after.answer(1, 'the answer to the second');
  expect(new TextDecoder().decode(await second)).toBe('the answer to the second');
  expect(offences).toEqual([]);
  after.answer(9, 'to nothing at all');
  await turn();
  expect(offences).toEqual(['RESPONSE_UNEXPECTED']);
  client.stop();
});
