/**
 * Every decoder of test/hostile/decoders.ts as a target. What is refused is refused with a code of its own; what is
 * taken says what its bytes say and nothing else: written again it is the same bytes, and read again the same value.
 * Nothing is allocated for what is only announced, and the input is left as it was.
 */
import { isDeepStrictEqual } from 'node:util';
import { genesisToJson } from '../../src/chain/genesis.ts';
import { formatKry } from '../../src/codec/amount.ts';
import { type Bytes, concat, equal, toHex, utf8 } from '../../src/codec/bytes.ts';
import { frameRecord, RECORD_HEADER_BYTES } from '../../src/consensus/journal/records.ts';
import { FRAME_HEADER_BYTES, frame } from '../../src/p2p/framing.ts';
import * as wire from '../../src/p2p/wire.ts';
import { packPlace, packTip } from '../../src/storage/records.ts';
import { DECODERS, type Decoder } from '../hostile/decoders.ts';
import { metering } from './meter.ts';
import { Broken, codeOfRefusal, type Form, must, type Target } from './target.ts';

/** What reading may allocate, whatever it is announced: so much, and so many times what is there. */
const LEAST_ALLOWANCE = 64 * 1024;
const ALLOWANCE_PER_BYTE = 64;

const unframed = (bytes: Bytes): Bytes => bytes.subarray(FRAME_HEADER_BYTES);

type Encode = (value: never) => Bytes | undefined;

/** Of decoders that the table has no inverse of: the one form of a value, or undefined where there are several. */
const ONE_FORM: Readonly<Record<string, Encode>> = {
  decodeRecord: (record: Parameters<typeof frameRecord>[0] | undefined) =>
    record === undefined ? undefined : frameRecord(record).subarray(RECORD_HEADER_BYTES),
  decodeHelloMessage: (message: wire.HelloMessage) =>
    unframed(
      message.type === 'hello' ? wire.encodeHello(message.hello) : wire.encodeRecords(message.records),
    ),
  decodeVoteMessage: ({ type, body }: ReturnType<typeof wire.decodeVoteMessage>) =>
    unframed(type === 'vote' ? wire.encodeVote(body) : wire.encodeCertificate(body)),
  decodeToServer: (message: wire.ToServer) =>
    unframed(
      message.type === 'cancel'
        ? wire.encodeCancel(message.id)
        : wire.encodeRequest(message.id, message.method, message.maxResponseBytes, message.payload),
    ),
  // The text of a failure is for people: what is no UTF-8 in it is replaced.
  decodeToClient: (message: wire.ToClient) =>
    message.type === 'failure'
      ? undefined
      : unframed(concat(wire.encodePartHeader(message.id, message.last, message.data.length), message.data)),
};

/** Of decoders that take several forms of one value: a form that is read as the same value. */
const SOME_FORM: Readonly<Record<string, (value: never) => Bytes>> = {
  genesisFromJson: (genesis: Parameters<typeof genesisToJson>[0]) => utf8(genesisToJson(genesis)),
  FrameDecoder: (payload: Bytes | undefined) => (payload === undefined ? new Uint8Array(0) : frame(payload)),
  decodeToClient: (message: wire.ToClient) =>
    message.type === 'part'
      ? unframed(concat(wire.encodePartHeader(message.id, message.last, message.data.length), message.data))
      : unframed(wire.encodeFailure(message.id, message.code, '')),
  unpackPlace: (place: Parameters<typeof packPlace>[0]) => packPlace(place),
  unpackTip: (tip: Parameters<typeof packTip>[0]) => packTip(tip),
  parseKry: (amount: bigint) => utf8(formatKry(amount)),
  fromHex: (bytes: Bytes) => utf8(toHex(bytes)),
};

/** A failure read again has no text any more. */
function comparable(value: unknown): unknown {
  const failure = value as wire.ToClient | undefined;
  return failure?.type === 'failure' ? { ...failure, message: '' } : value;
}

function taken(decoder: Decoder, bytes: Bytes, value: unknown): void {
  const oneForm = ONE_FORM[decoder.name] ?? decoder.encode;
  const written = oneForm?.(value as never);
  if (written !== undefined && !equal(written, bytes)) {
    throw new Broken(`what is taken is written differently: ${toHex(written.subarray(0, 200))}`);
  }
  const again = written ?? SOME_FORM[decoder.name]?.(value as never);
  if (again === undefined) return;
  const read = decoder.decode(again);
  must(
    isDeepStrictEqual(comparable(read), comparable(value)),
    'what is taken, written and read again, is another value',
  );
}

/** Reads the bytes and holds the properties of every decoder. */
export function runDecoder(decoder: Decoder, bytes: Bytes): string {
  const given = bytes.slice();
  const { value, error, allocated } = metering(() => decoder.decode(given));
  const allowed = LEAST_ALLOWANCE + ALLOWANCE_PER_BYTE * bytes.length;
  must(allocated <= allowed, `${allocated} bytes were allocated for an input of ${bytes.length}`);
  must(equal(given, bytes), 'the input was changed');
  if (error !== undefined) return codeOfRefusal(error, decoder.codes);
  taken(decoder, bytes, value);
  return 'taken';
}

const JSON_READERS = ['genesisFromJson'];
const TEXT_READERS = ['decodeAddress', 'parseKry', 'fromHex'];

function formOf({ name }: Decoder): Form {
  if (JSON_READERS.includes(name)) return 'json';
  return TEXT_READERS.includes(name) ? 'text' : 'packed';
}

/** One target an entry of the table; entries of one name are numbered. */
export function decoderTargets(): Target[] {
  const counts = new Map<string, number>();
  return DECODERS.map((decoder) => {
    const count = (counts.get(decoder.name) ?? 0) + 1;
    counts.set(decoder.name, count);
    const several = DECODERS.filter(({ name }) => name === decoder.name).length > 1;
    return {
      name: several ? `${decoder.name}-${count}` : decoder.name,
      form: formOf(decoder),
      covers: [decoder.name],
      seeds: decoder.samples,
      run: (bytes) => runDecoder(decoder, bytes),
    };
  });
}
