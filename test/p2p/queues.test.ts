import type { Stream } from '@libp2p/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat } from '../../src/codec/bytes.ts';
import { TokenBucket } from '../../src/p2p/bucket.ts';
import { Budget } from '../../src/p2p/budget.ts';
import { BoundedDatastore } from '../../src/p2p/datastore.ts';
import { DEFAULT_LIMITS } from '../../src/p2p/limits.ts';
import { OFFENCES, type Offence, PeerScores } from '../../src/p2p/offences.ts';
import { BoundedQueue, StreamWriter } from '../../src/p2p/writer.ts';
import { bytes } from './harness.ts';

const CERTIFICATE = 0;
const VOTE = 1;

function drain(queue: BoundedQueue): number[] {
  const out: number[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) out.push(next[0]!);
  return out;
}

describe('bounded queue', () => {
  it('keeps the order, and drops the oldest certificate before any vote', () => {
    const queue = new BoundedQueue(3, 100);
    queue.push(bytes(1), VOTE);
    queue.push(bytes(2), CERTIFICATE);
    queue.push(bytes(3), CERTIFICATE);
    expect(queue.push(bytes(4), VOTE)).toBe(true);
    expect(queue.push(bytes(5), CERTIFICATE)).toBe(true);
    expect(queue.push(bytes(6), VOTE)).toBe(true);
    // only votes are left, which a certificate does not push out
    expect(queue.push(bytes(7), CERTIFICATE)).toBe(false);
    expect(queue.push(bytes(8), VOTE)).toBe(true);
    expect(queue.dropped).toBe(5);
    expect(drain(queue)).toEqual([4, 6, 8]);
  });

  it('holds no more than its bounds, and counts every frame as taken or dropped', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat(1)), { maxLength: 60 }),
        (frames) => {
          const queue = new BoundedQueue(8, 100);
          for (const [size, rank] of frames) {
            queue.push(new Uint8Array(size), rank);
            expect(queue.length).toBeLessThanOrEqual(8);
            expect(queue.bytes).toBeLessThanOrEqual(100);
          }
          expect(queue.length + queue.dropped).toBe(frames.length);
        },
      ),
    );
  });
});

/** A stream that takes `room` chunks and then wants to be drained. */
class SlowStream extends EventTarget {
  status = 'open';
  writeStatus = 'writable';
  writableNeedsDrain = false;
  readonly chunks: Bytes[] = [];
  room: number;

  constructor(room: number) {
    super();
    this.room = room;
  }

  send(chunk: Bytes): boolean {
    this.chunks.push(chunk);
    this.writableNeedsDrain = --this.room <= 0;
    return !this.writableNeedsDrain;
  }

  drain(room: number): void {
    this.room = room;
    this.writableNeedsDrain = false;
    this.dispatchEvent(new Event('drain'));
  }
}

const microtasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('stream writer', () => {
  function setUp(room: number) {
    const queue: Bytes[][] = [];
    let time = 0;
    const writer = new StreamWriter(
      () => queue.shift(),
      () => time,
    );
    const stream = new SlowStream(room);
    writer.attach(stream as unknown as Stream);
    return { queue, writer, stream, pass: (ms: number) => (time += ms) };
  }

  it('sends what is offered in one tick as one chunk', async () => {
    const { queue, writer, stream } = setUp(10);
    for (let i = 0; i < 100; i++) {
      queue.push([bytes(i), bytes(i)]);
      writer.kick();
    }
    await microtasks();
    expect(stream.chunks).toHaveLength(1);
    expect(stream.chunks[0]).toEqual(Uint8Array.from({ length: 200 }, (_, i) => i >> 1));
    expect(writer.sent).toBe(200);
  });

  it('cuts a large frame into slices of 65,000 bytes and takes nothing from its source while it must wait', async () => {
    const { queue, writer, stream, pass } = setUp(2);
    const large = Uint8Array.from({ length: 200_000 }, (_, i) => i);
    queue.push([bytes(1), large], [bytes(2)]);
    writer.kick();
    await microtasks();
    expect(stream.chunks.map((chunk) => chunk.length)).toEqual([65_000, 65_000]);
    expect(queue).toHaveLength(1);
    expect(writer.pending).toBe(200_001 - 2 * 65_000);
    pass(500);
    writer.kick();
    await microtasks();
    expect(stream.chunks).toHaveLength(2);
    expect(writer.stalledFor).toBe(500);
    stream.drain(10);
    await microtasks();
    expect(concat(...stream.chunks)).toEqual(concat(bytes(1), large, bytes(2)));
    expect(writer.stalledFor).toBe(0);
    expect(writer.pending).toBe(0);
  });

  it('begins a frame anew on a new stream', async () => {
    const { queue, writer } = setUp(1);
    const large = new Uint8Array(100_000).fill(3);
    queue.push([large]);
    writer.kick();
    await microtasks();
    const next = new SlowStream(10);
    writer.attach(next as unknown as Stream);
    await microtasks();
    expect(concat(...next.chunks)).toEqual(large);
  });
});

describe('token bucket', () => {
  it('lets a burst through, then its rate', () => {
    let time = 0;
    const bucket = new TokenBucket(100, 200, () => time);
    expect(bucket.take(200)).toBe(0);
    expect(bucket.take(50)).toBe(500);
    time += 500;
    expect(bucket.take(0)).toBe(0);
    expect(bucket.tryTake(1)).toBe(false);
    time += 60_000;
    expect(bucket.tryTake(201)).toBe(false);
    expect(bucket.tryTake(200)).toBe(true);
  });
});

describe('budget', () => {
  it('grants to whoever holds least, and in the order of asking among equals', async () => {
    const budget = new Budget(10);
    const [greedy, modest] = [{}, {}];
    const order: string[] = [];
    const ask = (name: string, amount: number, owner: object): void => {
      void budget.acquire(amount, false, owner).then(() => order.push(name));
    };
    ask('greedy 1', 5, greedy);
    ask('greedy 2', 5, greedy);
    ask('greedy 3', 5, greedy);
    ask('modest', 5, modest);
    await new Promise(setImmediate);
    expect(order).toEqual(['greedy 1', 'greedy 2']);
    budget.release(5, greedy);
    await new Promise(setImmediate);
    expect(order).toEqual(['greedy 1', 'greedy 2', 'modest']);
    budget.release(5, modest);
    await new Promise(setImmediate);
    expect(order.at(-1)).toBe('greedy 3');
  });

  it('grants in the order of asking, and never more than there is', async () => {
    const budget = new Budget(10);
    const order: string[] = [];
    await budget.acquire(8);
    const second = budget.acquire(5).then(() => order.push('second'));
    const third = budget.acquire(1).then(() => order.push('third'));
    await microtasks();
    expect(order).toEqual([]);
    budget.release(8);
    await Promise.all([second, third]);
    expect(order).toEqual(['second', 'third']);
    expect(budget.free).toBe(4);
  });
});

describe('a budget with a part for trusted callers', () => {
  it('never gives that part to others, and lets neither line hold up the other', async () => {
    const budget = new Budget(10, 4);
    const granted: string[] = [];
    const ask = (name: string, amount: number, trusted: boolean) =>
      budget.acquire(amount, trusted).then(() => granted.push(name));
    await ask('stranger', 6, false);
    void ask('next stranger', 1, false);
    await ask('validator', 4, true);
    expect(budget.free).toBe(0);
    void ask('next validator', 3, true);
    budget.release(4);
    await Promise.resolve();
    await Promise.resolve();
    expect(granted).toEqual(['stranger', 'validator', 'next validator']);
    budget.release(3);
    budget.release(6);
    await Promise.resolve();
    await Promise.resolve();
    expect(granted).toEqual(['stranger', 'validator', 'next validator', 'next stranger']);
    expect(budget.free).toBe(9);
  });
});

describe('scores', () => {
  it('add up, are forgiven, and end in a ban that ends', () => {
    let time = 0;
    const scores = new PeerScores(DEFAULT_LIMITS, () => time);
    expect(scores.add('a', 'RESPONSE_INVALID')).toBe(false);
    expect(scores.score('a')).toBe(50);
    time += 60_000;
    expect(scores.score('a')).toBe(30);
    expect(scores.add('a', 'RESPONSE_INVALID')).toBe(false);
    expect(scores.add('a', 'VOTE_FROM_STRANGER')).toBe(true);
    expect(scores.banned('a')).toBe(true);
    expect(scores.banned('b')).toBe(false);
    time += DEFAULT_LIMITS.banMs;
    expect(scores.banned('a')).toBe(false);
    expect(scores.score('a')).toBe(0);
  });

  it('forget the oldest when there are too many', () => {
    const scores = new PeerScores({ ...DEFAULT_LIMITS, maxBans: 2 }, () => 0);
    for (const peer of ['a', 'b', 'c']) scores.add(peer, 'FRAME_INVALID');
    expect(['a', 'b', 'c'].map((peer) => scores.banned(peer))).toEqual([false, true, true]);
    expect(scores.bans).toBe(2);
  });

  it('ban at once for what no honest host does', () => {
    const certain: Offence[] = [
      'FRAME_INVALID',
      'ENVELOPE_INVALID',
      'HELLO_INVALID',
      'RECORD_INVALID',
      'VOTE_INVALID',
    ];
    for (const offence of certain) expect(OFFENCES[offence]).toBeGreaterThanOrEqual(DEFAULT_LIMITS.banScore);
  });
});

describe('bounded datastore', () => {
  const key = (name: string) =>
    ({ toString: () => name }) as unknown as Parameters<BoundedDatastore['put']>[0];

  it('forgets what was used longest ago', async () => {
    const store = new BoundedDatastore(2);
    store.put(key('/p/a'), bytes(1));
    store.put(key('/p/b'), bytes(2));
    expect(store.get(key('/p/a'))).toEqual(bytes(1));
    const batch = store.batch();
    batch.put(key('/q/c'), bytes(3));
    expect(store.size).toBe(2);
    await batch.commit();
    expect(store.has(key('/p/b'))).toBe(false);
    expect(() => store.get(key('/p/b'))).toThrow(expect.objectContaining({ name: 'NotFoundError' }));
    expect([...store.query({ prefix: '/p' })].map(({ value }) => value)).toEqual([bytes(1)]);
    expect([...store.queryKeys({ offset: 1 })]).toHaveLength(1);
    store.delete(key('/p/a'));
    expect(store.size).toBe(1);
  });
});
