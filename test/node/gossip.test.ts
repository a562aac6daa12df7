/** Batches in and out: what is forwarded, what is passed on in batches of our own, what is published again. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Bytes, keyOf, toHex } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { TransactionRelay } from '../../src/node/gossip.ts';
import { decodeTransactionList, encodeTransactionList } from '../../src/node/requests.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { AdmissionWorld, forged, payment } from './admission-support.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function setUp() {
  const w: AdmissionWorld = new AdmissionWorld(
    { maxTransactions: 5_000 },
    { onLeft: (wireKey) => relay.left(wireKey) },
  );
  const published: Bytes[] = [];
  const relay: TransactionRelay = new TransactionRelay({
    admissions: w.admissions,
    publish: (batch) => published.push(batch),
    now: () => w.now,
  });
  stops.push(() => relay.stop());
  const receive = (transactions: readonly CheckedTransaction[], peer = 'peer') =>
    relay.receive(encodeTransactionList(transactions.map((tx) => tx.bytes)), peer, false);
  /** Ids of what was published, once batches that wait a moment are out. */
  const sent = async (): Promise<string[]> => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    return published
      .flatMap((batch) => decodeTransactionList(batch, 5_000))
      .map((bytes) => keyOf(sha256(bytes)));
  };
  return { w, relay, published, receive, sent };
}
const names = (list: readonly CheckedTransaction[]): string[] => list.map((tx) => keyOf(tx.wireHash));
const payments = (count: number) => Array.from({ length: count }, () => payment(50_000n));

describe('a batch of a peer', () => {
  it('is forwarded as it is when it was taken in, and ignored when it holds nothing new', async () => {
    const { receive, sent } = setUp();
    const batch = payments(20);
    expect(await receive(batch)).toBe('accept');
    expect(await receive(batch, 'other')).toBe('ignore');
    expect(await receive([...payments(19), payment(1n)])).toBe('accept');
    expect(await sent()).toEqual([]);
  });

  it('is not forwarded when much of it was refused: what was taken in goes out alone', async () => {
    const { receive, sent } = setUp();
    const good = payments(3);
    expect(await receive([...good, payment(1n), payment(2n)])).toBe('ignore');
    expect(await sent()).toEqual(names(good));
  });

  it('costs its sender a penalty when a signature in it is wrong or when it is no list', async () => {
    const { relay, receive, sent } = setUp();
    const good = payments(2);
    expect(await receive([...good, forged(payment(50_000n))])).toBe('reject');
    expect(await sent()).toEqual(names(good));
    expect(await relay.receive(Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), 'peer', false)).toBe('reject');
  });

  it('counts as not come when its peer has used up its budget', async () => {
    const { w, receive } = setUp();
    expect(await receive(payments(100))).toBe('accept');
    const before = w.verified;
    expect(await receive(payments(5))).toBe('busy');
    expect(w.verified).toBe(before);
    expect(w.admissions.figures.ignoredBatches).toBe(1);
  });

  it('is not forwarded as it is when there are very many: its transactions go out together', async () => {
    const { receive, sent, published } = setUp();
    const many = payments(130);
    const verdicts = [];
    for (const [i, tx] of many.entries()) verdicts.push(await receive([tx], `peer ${i % 10}`));
    expect(verdicts).toEqual(many.map((_, i) => (i < 100 ? 'accept' : 'ignore')));
    expect(await sent()).toEqual(names(many.slice(100)));
    expect(published.length).toBeLessThan(30);
  });
});

describe('own transactions', () => {
  it('are published again until they leave, less and less often, each time as another batch', async () => {
    const { w, relay, published, sent } = setUp();
    const [stays, goes] = payments(2);
    const results = await w.admissions.admit([stays!.bytes, goes!.bytes], 'own');
    relay.send(results.flatMap((result) => (result.status === 'admitted' ? [result.tx] : [])));
    expect(await sent()).toEqual(names([stays!, goes!]));
    w.block(goes!);
    const times: number[] = [];
    published.length = 0;
    while (w.now < 200_000) {
      w.now += 1_000;
      const before = published.length;
      relay.again();
      if (published.length > before) times.push(w.now);
    }
    expect(times).toEqual([5_000, 15_000, 35_000, 75_000, 135_000, 195_000]);
    for (const batch of published)
      expect(new Set(decodeTransactionList(batch, 100).map((bytes) => keyOf(sha256(bytes))))).toEqual(
        new Set(names([stays!])),
      );
    expect(new Set(published.map((batch) => toHex(sha256(batch)))).size).toBe(published.length);
    expect(relay.figures).toEqual({ own: 1, republished: 6, rebatched: 0 });
  });
});
