import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat } from '../../src/codec/bytes.ts';
import { FrameDecoder, frame } from '../../src/p2p/framing.ts';

function drain(decoder: FrameDecoder): Bytes[] {
  const out: Bytes[] = [];
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) out.push(next);
  return out;
}

describe('framing', () => {
  it('puts four bytes of length in front', () => {
    expect(frame(Uint8Array.of(1, 2), Uint8Array.of(3))).toEqual(Uint8Array.of(0, 0, 0, 3, 1, 2, 3));
  });

  it('gives back the same frames wherever the stream is cut in two', () => {
    const payloads = [Uint8Array.of(1), new Uint8Array(300).fill(2), Uint8Array.of(3, 4, 5)];
    const stream = concat(...payloads.map((payload) => frame(payload)));
    for (let cut = 0; cut <= stream.length; cut++) {
      const decoder = new FrameDecoder(300);
      decoder.push(stream.subarray(0, cut));
      const before = drain(decoder);
      decoder.push(stream.subarray(cut));
      expect([...before, ...drain(decoder)]).toEqual(payloads);
      expect(decoder.buffered).toBe(0);
    }
  });

  it('gives back the same frames whatever the chunks are', () => {
    const payload = fc.uint8Array({ minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(
        fc.array(payload, { maxLength: 20 }),
        fc.array(fc.nat(50), { minLength: 1 }),
        (payloads, sizes) => {
          const stream = concat(...payloads.map((each) => frame(each)));
          const decoder = new FrameDecoder(200);
          const out: Bytes[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = 1 + sizes[i % sizes.length]!;
            decoder.push(stream.subarray(at, at + size));
            at += size;
            out.push(...drain(decoder));
          }
          expect(out).toEqual(payloads);
        },
      ),
    );
  });

  it('does not alias what was pushed', () => {
    const stream = frame(Uint8Array.of(1, 2, 3));
    const decoder = new FrameDecoder(10);
    decoder.push(stream);
    const payload = decoder.next();
    stream.fill(9);
    expect(payload).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('waits for a frame that is cut short, and says how much it holds', () => {
    const decoder = new FrameDecoder(1_000_000_000);
    decoder.push(Uint8Array.of(0x3b, 0x9a, 0xca, 0));
    decoder.push(Uint8Array.of(1, 2, 3));
    expect(decoder.next()).toBeUndefined();
    // a gigabyte was declared, and three bytes are held
    expect(decoder.buffered).toBe(3);
  });

  it.each([
    ['zero', [0, 0, 0, 0]],
    ['one more than allowed', [0, 0, 0, 101]],
    ['four gigabytes', [0xff, 0xff, 0xff, 0xff]],
  ])('refuses a length of %s as soon as it is there', (_name, header) => {
    const decoder = new FrameDecoder(100);
    decoder.push(Uint8Array.from(header));
    expect(() => decoder.next()).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }));
  });

  it('puts frames together from any mixture of tiny and large chunks', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 400, max: 6_000 })), {
      minLength: 1,
      maxLength: 400,
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 40_000 }), (cuts, length) => {
        const payload = Uint8Array.from({ length }, (_, i) => i * 7);
        const sent = concat(frame(payload), frame(payload), frame(payload));
        const decoder = new FrameDecoder(40_000);
        const received: Bytes[] = [];
        for (let at = 0, turn = 0; at < sent.length; turn++) {
          const size = cuts[turn % cuts.length]!;
          decoder.push(sent.slice(at, at + size));
          at += size;
          // a slow reader: much is waiting when it looks
          if (turn % 97 !== 0 && at < sent.length) continue;
          for (let next = decoder.next(); next !== undefined; next = decoder.next()) received.push(next);
        }
        expect(received.map((one) => Buffer.compare(one, payload))).toEqual([0, 0, 0]);
        expect(decoder.buffered).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
