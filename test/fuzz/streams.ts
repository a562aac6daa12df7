/**
 * Streams in any chunks. The input is a list of chunk sizes and then the stream itself; however it is cut, the same
 * frames come out, or the same refusal behind the same frames, as one look at the whole stream gives. What the
 * frames hold is handed to every lane's decoder.
 */
import type { Stream } from '@libp2p/interface';
import { type Bytes, concat, equal, fromHex } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { FRAME_HEADER_BYTES, FrameDecoder, frame } from '../../src/p2p/framing.ts';
import { frames } from '../../src/p2p/reading.ts';
import { decodeHelloMessage, decodeToClient, decodeToServer, decodeVoteMessage } from '../../src/p2p/wire.ts';
import { DECODERS } from '../hostile/decoders.ts';
import { codeOfRefusal, must, type Target } from './target.ts';

const MAX_FRAME = 2_000;

interface Cut {
  readonly stream: Bytes;
  readonly chunks: readonly Bytes[];
}

/** First how many sizes there are, then the sizes, taken round and round, then the stream. */
function cut(bytes: Bytes): Cut {
  const count = Math.min(bytes[0] ?? 0, Math.max(0, bytes.length - 1));
  const sizes = bytes.subarray(1, 1 + count);
  const stream = bytes.subarray(1 + count);
  const chunks: Bytes[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = count === 0 ? stream.length : Math.max(1, sizes[i % count]!);
    chunks.push(stream.subarray(at, at + size));
    at += size;
  }
  return { stream, chunks };
}

interface Outcome {
  readonly payloads: readonly Bytes[];
  readonly refused: boolean;
}

/** What the whole stream says, by counting alone. */
function expected(stream: Bytes): Outcome {
  const payloads: Bytes[] = [];
  for (let at = 0; at + FRAME_HEADER_BYTES <= stream.length; ) {
    let length = 0;
    for (let i = 0; i < FRAME_HEADER_BYTES; i++) length = length * 256 + stream[at + i]!;
    if (length < 1 || length > MAX_FRAME) return { payloads, refused: true };
    const begin = at + FRAME_HEADER_BYTES;
    if (begin + length > stream.length) break;
    payloads.push(stream.slice(begin, begin + length));
    at = begin + length;
  }
  return { payloads, refused: false };
}

function compare(what: string, got: Outcome, due: Outcome): void {
  must(got.refused === due.refused, `${what}: ${got.refused ? 'refused' : 'taken'}, and it should not be`);
  must(
    got.payloads.length === due.payloads.length,
    `${what}: ${got.payloads.length} frames of ${due.payloads.length}`,
  );
  got.payloads.forEach((payload, i) => {
    must(equal(payload, due.payloads[i]!), `${what}: frame ${i} is another one`);
  });
}

function decoded({ chunks }: Cut): Outcome {
  const decoder = new FrameDecoder(MAX_FRAME);
  const payloads: Bytes[] = [];
  let pushed = 0;
  let taken = 0;
  try {
    for (const chunk of chunks) {
      decoder.push(chunk);
      pushed += chunk.length;
      for (let payload = decoder.next(); payload !== undefined; payload = decoder.next()) {
        payloads.push(payload);
        taken += FRAME_HEADER_BYTES + payload.length;
      }
      const held = pushed - taken;
      must(
        decoder.buffered === held || decoder.buffered === held - FRAME_HEADER_BYTES,
        'it holds what nobody pushed',
      );
    }
  } catch (error) {
    if (!isProtocolError(error, 'FRAME_INVALID')) throw error;
    return { payloads, refused: true };
  }
  return { payloads, refused: false };
}

/** As much of a libp2p stream as reading needs: chunks come while it is not paused, singly or in lists. */
class FakeStream extends EventTarget {
  status = 'open';
  remoteWriteStatus = 'writable';
  readStatus = 'readable';
  readonly #chunks: Bytes[];
  #given = 0;

  constructor(chunks: readonly Bytes[]) {
    super();
    this.#chunks = [...chunks];
  }

  pause(): void {
    this.readStatus = 'paused';
  }

  resume(): void {
    this.readStatus = 'readable';
    this.begin();
  }

  begin(): void {
    queueMicrotask(() => this.#give());
  }

  #give(): void {
    while (this.readStatus === 'readable' && this.#chunks.length > 0) {
      const data = this.#given++ % 3 === 2 ? this.#chunks.splice(0, 2) : this.#chunks.shift();
      this.dispatchEvent(Object.assign(new Event('message'), { data }));
    }
    if (this.#chunks.length > 0 || this.remoteWriteStatus === 'closed') return;
    this.remoteWriteStatus = 'closed';
    this.dispatchEvent(new Event('remoteCloseWrite'));
  }
}

async function read({ chunks }: Cut): Promise<Outcome> {
  const stream = new FakeStream(chunks);
  const payloads: Bytes[] = [];
  stream.begin();
  try {
    for await (const payload of frames(stream as unknown as Stream, MAX_FRAME)) payloads.push(payload);
  } catch (error) {
    if (!isProtocolError(error, 'FRAME_INVALID')) throw error;
    return { payloads, refused: true };
  }
  return { payloads, refused: false };
}

const LANES = [decodeHelloMessage, decodeVoteMessage, decodeToServer, decodeToClient];
const LANE_CODES = ['HELLO_INVALID', 'CHAIN_MISMATCH', 'ENVELOPE_INVALID'];

function hand(payload: Bytes): void {
  for (const lane of LANES) {
    try {
      lane(payload);
    } catch (error) {
      codeOfRefusal(error, LANE_CODES);
    }
  }
}

async function run(bytes: Bytes): Promise<string> {
  const given = cut(bytes);
  const due = expected(given.stream);
  const first = decoded(given);
  compare('the decoder', first, due);
  compare('reading', await read(given), due);
  for (const payload of first.payloads) hand(payload);
  return due.refused ? 'FRAME_INVALID' : 'taken';
}

const onTheWire = ['decodeHelloMessage', 'decodeVoteMessage', 'decodeToServer', 'decodeToClient'];
const messages = DECODERS.filter(({ name }) => onTheWire.includes(name)).flatMap(({ samples }) => samples);
const stream = concat(...messages.map((payload) => frame(payload)));

export function streamTargets(): Target[] {
  return [
    {
      name: 'frames-in-chunks',
      form: 'program',
      covers: ['FrameDecoder', 'frames'],
      seeds: ['00', '0101', '0305c801', '0201ff'].map((sizes) => concat(fromHex(sizes), stream)),
      run,
    },
  ];
}
