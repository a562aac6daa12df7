/** Readers with a bug in them, each of a kind that must not slip through: what finds nothing in these finds nothing at all. */
import { type Bytes, concat, equal, toHex } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { Reader } from '../../src/codec/reader.ts';
import { Writer } from '../../src/codec/writer.ts';
import { decodeCertificate, encodeCertificate } from '../../src/consensus/certificate.ts';
import { decodeVote, encodeVote, voteMessage } from '../../src/consensus/vote.ts';
import { FRAME_HEADER_BYTES, frame } from '../../src/p2p/framing.ts';
import type { Decoder } from '../hostile/decoders.ts';
import { certificate, F, GENESIS_HASH, keys, N, proposal, set, vote, X } from '../hostile/samples.ts';
import { runDecoder } from './decoders.ts';
import { metering } from './meter.ts';
import { Broken, must, type Target } from './target.ts';

interface Planted {
  readonly target: Target;
  /** What the finding says. */
  readonly finding: RegExp;
  /** Bytes that the shrunken input may have. */
  readonly shrunkTo: number;
}

const votes = [vote(0, N(proposal)), vote(1, X(301))].map(encodeVote);

function decoder(name: string, decode: (bytes: Bytes) => unknown, encode?: Decoder['encode']): Target {
  const entry: Decoder = { name, from: 'peer', decode, encode, samples: votes, canonical: true, codes: [] };
  return { name, form: 'packed', covers: [], seeds: votes, run: (bytes) => runDecoder(entry, bytes) };
}

/** A vote whose last bytes nobody looks at. */
function withoutEnd(bytes: Bytes): unknown {
  const length = [...votes].map((one) => one.length).find((size) => bytes.length > size);
  return decodeVote(length === undefined ? bytes : bytes.subarray(0, length), 4);
}

/** A list that is given its room before its items are there. */
function believing(bytes: Bytes): unknown {
  const count =
    bytes[0] === 0xdd && bytes.length >= 5 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(1) : 0;
  const room = new Uint8Array(Math.min(count, 1 << 28));
  if (count > bytes.length) throw new ProtocolError('CODEC_TRUNCATED', 'too little is there');
  return room.length;
}

/** A field that is sometimes missing. */
function careless(bytes: Bytes): unknown {
  const reader = new Reader(bytes);
  const fields = Array.from({ length: reader.array(0, 8) }, () => reader.uint());
  reader.end();
  return (fields[2] as number).toFixed(0);
}

/** Counts frames, and loses what it holds of a length that a chunk has cut. */
function framesOf(chunks: readonly Bytes[]): number {
  let found = 0;
  let held: Bytes = new Uint8Array(0);
  for (const chunk of chunks) {
    held = concat(held, chunk);
    while (held.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + new DataView(held.buffer, held.byteOffset).getUint32(0);
      if (held.length < end) break;
      found++;
      held = held.slice(end);
    }
    if (held.length < FRAME_HEADER_BYTES) held = new Uint8Array(0);
  }
  return found;
}

/** A certificate that needs the signatures of its first signer alone. */
function lazyCertificate(bytes: Bytes): string {
  try {
    const { subject, signers, signatures } = decodeCertificate(bytes, set);
    const first = [0, 1, 2, 3].find((index) => (signers[0]! >> index) % 2 === 1)!;
    const genuine = keys[first]!.sign(voteMessage(GENESIS_HASH, subject));
    if (!equal(genuine, signatures[0]!)) return 'unsigned';
    const all = [0, 1, 2, 3].filter((index) => (signers[0]! >> index) % 2 === 1);
    const good = all.every((index, at) =>
      equal(signatures[at]!, keys[index]!.sign(voteMessage(GENESIS_HASH, subject))),
    );
    must(good, 'a certificate with a wrong signature passes');
    return 'taken';
  } catch (error) {
    if (error instanceof Broken || !(error instanceof ProtocolError)) throw error;
    return error.code;
  }
}

/** An integer in a longer form than it needs is taken, too. */
function lenient(bytes: Bytes): { value: number } {
  if (bytes[0] === 0xcd && bytes.length === 3) return { value: bytes[1]! * 256 + bytes[2]! };
  const reader = new Reader(bytes);
  const value = reader.uint();
  reader.end();
  return { value };
}

export const PLANTED: readonly Planted[] = [
  {
    target: decoder('bytes behind the end', withoutEnd, encodeVote as Decoder['encode']),
    finding: /written differently/,
    shrunkTo: 160,
  },
  { target: decoder('room for what is announced', believing), finding: /were allocated/, shrunkTo: 200 },
  { target: decoder('a TypeError', careless), finding: /TypeError/, shrunkTo: 12 },
  {
    target: {
      name: 'chunks that cut a length',
      form: 'program',
      covers: [],
      seeds: [frame(votes[0]!)],
      run: (bytes) => {
        const stream = frame(votes[0]!);
        const at = (bytes[0] ?? 0) % stream.length;
        const chunks = [stream.slice(0, at), stream.slice(at)].filter((chunk) => chunk.length > 0);
        must(framesOf(chunks) === 1, `cut at ${at} it is ${framesOf(chunks)} frames`);
        return toHex(bytes).slice(0, 2);
      },
    },
    finding: /cut at/,
    shrunkTo: 2,
  },
  {
    target: {
      name: 'signatures that nobody looks at',
      form: 'packed',
      covers: [],
      seeds: [certificate(N(proposal)), certificate(F(proposal), [0, 1, 2, 3])].map(encodeCertificate),
      run: lazyCertificate,
    },
    finding: /wrong signature/,
    shrunkTo: 320,
  },
  {
    target: {
      ...decoder('two forms of one number', lenient, (({ value }: { value: number }) =>
        new Writer().uint(value).finish()) as Decoder['encode']),
      seeds: [new Writer().uint(70_000).finish(), new Writer().uint(300).finish()],
    },
    finding: /written differently/,
    shrunkTo: 3,
  },
  {
    target: {
      name: 'an array of a given size',
      form: 'packed',
      covers: [],
      seeds: votes,
      run: (bytes) => {
        const { allocated } = metering(() => new Array((bytes[1] ?? 0) * 1_000));
        must(allocated < 1_000_000, `${allocated} were allocated`);
        return 'taken';
      },
    },
    finding: /were allocated/,
    shrunkTo: 200,
  },
];
