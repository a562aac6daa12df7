import { multiaddr } from '@multiformats/multiaddr';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, toHex, utf8 } from '../../src/codec/bytes.ts';
import { Writer } from '../../src/codec/writer.ts';
import type { SignatureVerifier } from '../../src/crypto/interfaces.ts';
import { peerIdOfSeed } from '../../src/p2p/host.ts';
import { OwnRecord } from '../../src/p2p/identity.ts';
import {
  decodeSignedRecord,
  encodeRecord,
  type PeerRecord,
  peerIdOfRecord,
  RecordStore,
  signRecord,
} from '../../src/p2p/record.ts';
import { GENESIS, hostSeed, signingKey, verifier } from './harness.ts';

const validator = signingKey(1);
const address = multiaddr('/ip4/127.0.0.1/tcp/7300').bytes;
const host = (await peerIdOfSeed(hostSeed(1))).toMultihash().bytes;

const record = (over: Partial<PeerRecord> = {}): PeerRecord => ({
  consensusKey: validator.publicKey,
  peerId: host,
  addresses: [address],
  sequence: 1_000,
  ...over,
});

function store(check: SignatureVerifier = verifier): RecordStore {
  return new RecordStore(GENESIS, check, [signingKey(2).publicKey, validator.publicKey], () => 0);
}

const offered = (records: RecordStore, over: Partial<PeerRecord> = {}) =>
  records.offer(signRecord(record(over), GENESIS, validator)).outcome;

const refusal = expect.objectContaining({ code: 'RECORD_INVALID' });

describe('peer records', () => {
  it('have one encoding and one preimage', () => {
    const encoded = encodeRecord(record());
    expect(toHex(encoded)).toBe(
      `94c420${toHex(validator.publicKey)}c426${toHex(host)}91c408047f000001061c84cd03e8`,
    );
    const { signature } = decodeSignedRecord(signRecord(record(), GENESIS, validator));
    const preimage = concat(utf8('kryder/peer-record/1'), GENESIS, encoded);
    expect(verifier.verify(signature, preimage, validator.publicKey)).toBe(true);
  });

  it('are encoded and signed as docs/protocol.md shows', async () => {
    const example: PeerRecord = {
      consensusKey: validator.publicKey,
      peerId: (await peerIdOfSeed(new Uint8Array(32).fill(2))).toMultihash().bytes,
      addresses: [multiaddr('/ip4/203.0.113.5/tcp/7300').bytes],
      sequence: 1_767_225_600_000,
    };
    const encoded =
      '94c4208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5cc426002408011220' +
      '8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39491c40804cb007105061c84cf0000019b76daa800';
    const signature =
      'f4f2b3c5516ada4dbad09f2ca6764c0e5d144a8811af72e498adc9037e233c97' +
      '485aa47f2eec26f91fa02bb9e2c0c3b6620dd7d4ea1c7ec86c5d5018708a8b01';
    expect(toHex(signRecord(example, GENESIS, validator))).toBe(`92c45f${encoded}c440${signature}`);
  });

  it('name a peer id', async () => {
    expect(peerIdOfRecord(record()).toString()).toBe((await peerIdOfSeed(hostSeed(1))).toString());
  });

  it('bind a validator index to a peer id', () => {
    const records = store();
    expect(records.indexOf(validator.publicKey, host)).toBeUndefined();
    expect(offered(records)).toBe('new');
    expect(records.indexOf(validator.publicKey, host)).toBe(1);
    expect(records.indexOf(validator.publicKey, host.with(37, 0))).toBeUndefined();
    expect(records.indexOf(signingKey(2).publicKey, host)).toBeUndefined();
  });

  it('count only if their sequence is higher, and are then taken back from the old host', () => {
    const records = store();
    const elsewhere = host.with(37, 1);
    expect(offered(records)).toBe('new');
    expect(offered(records, { peerId: elsewhere })).toBe('known');
    expect(offered(records, { peerId: elsewhere, sequence: 999 })).toBe('known');
    expect(offered(records, { peerId: elsewhere, sequence: 1_001 })).toBe('new');
    expect(records.indexOf(validator.publicKey, host)).toBeUndefined();
    expect(records.indexOf(validator.publicKey, elsewhere)).toBe(1);
    expect(records.size).toBe(1);
  });

  it('of strangers, and old ones, cost no signature check and are not kept', () => {
    const records = store({ name: 'none', verify: () => expect.fail('a signature was checked') });
    const stranger = signingKey(9);
    const signed = signRecord(record({ consensusKey: stranger.publicKey }), GENESIS, stranger);
    expect(records.offer(signed).outcome).toBe('stranger');
    expect(records.size).toBe(0);
  });

  it('are refused when another key signed them, for another chain, or any byte is changed', () => {
    const records = store();
    expect(() => records.offer(signRecord(record(), GENESIS, signingKey(2)))).toThrow(refusal);
    expect(() => records.offer(signRecord(record(), GENESIS.with(0, 0), validator))).toThrow(refusal);
    const signed = signRecord(record(), GENESIS, validator);
    for (let i = 0; i < signed.length; i++) {
      const changed = signed.with(i, signed[i]! ^ 1);
      try {
        expect(records.offer(changed).outcome, `byte ${i}`).toBe('stranger');
      } catch (error) {
        expect(error, `byte ${i}`).toMatchObject({ code: 'RECORD_INVALID' });
      }
    }
    expect(records.size).toBe(0);
  });

  const raw = (build: (w: Writer) => Writer): Bytes =>
    new Writer().array(2).bin(build(new Writer()).finish()).bin(new Uint8Array(64)).finish();
  it.each([
    ['no record', Uint8Array.of(1, 2, 3)],
    [
      'nine addresses',
      signRecord(record({ addresses: Array.from({ length: 9 }, () => address) }), GENESIS, validator),
    ],
    [
      'an address of another transport',
      signRecord(record({ addresses: [multiaddr('/ip4/1.2.3.4/udp/1').bytes] }), GENESIS, validator),
    ],
    [
      'an address through a relay',
      signRecord(
        record({ addresses: [multiaddr('/ip4/1.2.3.4/tcp/1/p2p-circuit').bytes] }),
        GENESIS,
        validator,
      ),
    ],
    [
      'an address that is none',
      signRecord(record({ addresses: [Uint8Array.of(255, 255)] }), GENESIS, validator),
    ],
    ['a peer id that is no Ed25519 key', signRecord(record({ peerId: host.with(3, 0) }), GENESIS, validator)],
    ['a short key', raw((w) => w.array(4).bin(new Uint8Array(31)).bin(host).array(0).uint(1))],
    [
      'something behind it',
      raw((w) => w.array(4).bin(validator.publicKey).bin(host).array(0).uint(1).uint(1)),
    ],
  ])('with %s are refused before any signature is checked', (_name, signed) => {
    const records = store({ name: 'none', verify: () => expect.fail('a signature was checked') });
    expect(() => records.offer(signed)).toThrow(refusal);
  });

  it('of one key are taken only so often', () => {
    const records = store();
    const outcomes = Array.from({ length: 12 }, (_, i) => offered(records, { sequence: 2_000 + i }));
    expect(outcomes.slice(0, 8)).toEqual(Array(8).fill('new'));
    expect(outcomes.slice(8)).toEqual(Array(4).fill('limited'));
  });

  it('are forgotten when their key leaves the set, and keep their key when its index changes', () => {
    const records = store();
    offered(records);
    records.setKeys([validator.publicKey]);
    expect(records.indexOf(validator.publicKey, host)).toBe(0);
    expect(records.signed()).toHaveLength(1);
    expect(records.signed(validator.publicKey)).toEqual([]);
    records.setKeys([signingKey(3).publicKey]);
    expect(records.size).toBe(0);
  });
});

describe('the own record', () => {
  const decoded = (own: OwnRecord): PeerRecord => decodeSignedRecord(own.signed!).record;
  const texts = (own: OwnRecord): string[] =>
    decoded(own).addresses.map((each) => multiaddr(each).toString());

  it('is signed anew when the addresses change, and lists loopback only if there is nothing else', () => {
    let time = 5_000;
    const own = new OwnRecord(GENESIS, validator, host, () => time);
    expect(own.update(['/ip4/127.0.0.1/tcp/1'])).toBe(true);
    expect(texts(own)).toEqual(['/ip4/127.0.0.1/tcp/1']);
    expect(own.update(['/ip4/127.0.0.1/tcp/1'])).toBe(false);
    time = 4_000;
    expect(
      own.update(['/ip4/127.0.0.1/tcp/1', '/dns4/node.example/tcp/2', '/ip4/1.2.3.4/udp/3/quic-v1']),
    ).toBe(true);
    expect(texts(own)).toEqual(['/dns4/node.example/tcp/2']);
    expect(decoded(own).sequence).toBe(5_001);
    expect(store().offer(own.signed!).outcome).toBe('new');
  });

  it('outbids a newer record of the same key, but not over and over', () => {
    const own = new OwnRecord(GENESIS, validator, host, () => 5_000);
    own.update([]);
    expect(own.outbid(record({ sequence: 4_999 }))).toBe(false);
    expect(own.outbid(record({ sequence: 9_000_000 }))).toBe(true);
    expect(decoded(own).sequence).toBe(9_000_001);
    const again = Array.from({ length: 5 }, (_, i) => own.outbid(record({ sequence: 9_500_000 + 10 * i })));
    expect(again).toEqual([true, true, true, false, false]);
  });
});
