/**
 * Peer records: a validator's consensus key signs the peer id and the addresses at which its votes come from.
 * The store keeps one record for each key of the validator set, the one with the highest sequence, and nothing for
 * strangers; a signature is checked only after everything that is cheap. Encoding and preimage: docs/protocol.md,
 * "Network".
 */
import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { type Bytes, concat, equal, keyOf } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { ProtocolError } from '../codec/errors.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import type { SignatureVerifier, SigningKey } from '../crypto/interfaces.ts';
import { TokenBucket } from './bucket.ts';

/** Bytes of the multihash of an Ed25519 peer id: an identity hash of its 36-byte public key message. */
const PEER_ID_BYTES = 38;
const PEER_ID_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
export const MAX_ADDRESSES = 8;
export const MAX_ADDRESS_BYTES = 128;
export const MAX_RECORD_BYTES = 1_280;
/** Updates of one key that are taken: so many at once, then one every ten seconds. */
const UPDATE_BURST = 8;
const UPDATES_PER_SECOND = 0.1;

export interface PeerRecord {
  /** Consensus key of the validator, 32 bytes. */
  readonly consensusKey: Bytes;
  /** Multihash of the peer id. */
  readonly peerId: Bytes;
  /** Multiaddrs in binary, without `/p2p/…`. */
  readonly addresses: readonly Bytes[];
  /** Milliseconds since 1970 at which it was signed, or more: the highest one counts. */
  readonly sequence: number;
}

/** Canonical encoding: [consensus key, peer id, [address…], sequence]. */
export function encodeRecord(record: PeerRecord): Bytes {
  const w = new Writer().array(4).bin(record.consensusKey).bin(record.peerId).array(record.addresses.length);
  for (const address of record.addresses) w.bin(address);
  return w.uint(record.sequence).finish();
}

function signedBytes(genesisHash: Bytes, encoded: Bytes): Bytes {
  return concat(DOMAIN.peerRecord, genesisHash, encoded);
}

/** [record, signature over domain ‖ genesis hash ‖ record], canonical. */
export function signRecord(record: PeerRecord, genesisHash: Bytes, key: SigningKey): Bytes {
  const encoded = encodeRecord(record);
  return new Writer()
    .array(2)
    .bin(encoded)
    .bin(key.sign(signedBytes(genesisHash, encoded)))
    .finish();
}

interface SignedRecord {
  readonly record: PeerRecord;
  readonly encoded: Bytes;
  readonly signature: Bytes;
}

function invalid(message: string): never {
  throw new ProtocolError('RECORD_INVALID', message);
}

/** Reads a signed record without checking its signature or its addresses. Throws `RECORD_INVALID`. */
export function decodeSignedRecord(bytes: Bytes): SignedRecord {
  try {
    const outer = new Reader(bytes);
    outer.array(2);
    const encoded = outer.bin(1, MAX_RECORD_BYTES);
    const signature = outer.bin(64);
    outer.end();
    const r = new Reader(encoded);
    r.array(4);
    const consensusKey = r.bin(32);
    const peerId = r.bin(PEER_ID_BYTES);
    const count = r.array(0, MAX_ADDRESSES);
    const addresses: Bytes[] = [];
    for (let i = 0; i < count; i++) addresses.push(r.bin(1, MAX_ADDRESS_BYTES));
    const sequence = r.uint();
    r.end();
    if (!equal(peerId.subarray(0, PEER_ID_PREFIX.length), PEER_ID_PREFIX)) invalid('not an Ed25519 peer id');
    return { record: { consensusKey, peerId, addresses, sequence }, encoded, signature };
  } catch (error) {
    return invalid(error instanceof Error ? error.message : String(error));
  }
}

function namesOf(address: Bytes): string[] {
  try {
    return multiaddr(address)
      .getComponents()
      .map((component) => component.name);
  } catch (error) {
    return invalid(error instanceof Error ? error.message : String(error));
  }
}

/** Only plain TCP addresses: what a record makes others dial is a host and a port, nothing else. */
function checkAddress(bytes: Bytes): void {
  const names = namesOf(bytes);
  if (names.length !== 2 || names[1] !== 'tcp' || !/^(ip4|ip6|dns|dns4|dns6)$/.test(names[0]!)) {
    invalid(`address /${names.join('/')} is not a host and a TCP port`);
  }
}

/** The peer id whose multihash a record names. */
export function peerIdOfRecord(record: PeerRecord): PeerId {
  const key = publicKeyFromRaw(record.peerId.subarray(PEER_ID_PREFIX.length));
  if (key.type !== 'Ed25519') throw new ProtocolError('RECORD_INVALID', `a host key of type ${key.type}`);
  return peerIdFromPublicKey(key);
}

export type Offer = 'new' | 'known' | 'stranger' | 'limited';

interface Stored {
  readonly record: PeerRecord;
  readonly signed: Bytes;
}

export class RecordStore {
  readonly #genesisHash: Bytes;
  readonly #verifier: SignatureVerifier;
  readonly #now: () => number;
  readonly #byKey = new Map<string, Stored>();
  readonly #updates = new Map<string, TokenBucket>();
  #indices = new Map<string, number>();

  constructor(genesisHash: Bytes, verifier: SignatureVerifier, keys: readonly Bytes[], now: () => number) {
    this.#genesisHash = genesisHash;
    this.#verifier = verifier;
    this.#now = now;
    this.setKeys(keys);
  }

  setKeys(keys: readonly Bytes[]): void {
    this.#indices = new Map(keys.map((key, index) => [keyOf(key), index]));
    for (const key of this.#byKey.keys()) {
      if (this.#indices.has(key)) continue;
      this.#byKey.delete(key);
      this.#updates.delete(key);
    }
  }

  /**
   * Takes a signed record if it is newer than the one held for its key. Throws `RECORD_INVALID` when it cannot be
   * read or its signature is wrong; a record that is old or of a stranger is not looked at that far.
   */
  offer(signed: Bytes): { readonly outcome: Offer; readonly record: PeerRecord } {
    const { record, encoded, signature } = decodeSignedRecord(signed);
    const key = keyOf(record.consensusKey);
    if (!this.#indices.has(key)) return { outcome: 'stranger', record };
    const held = this.#byKey.get(key);
    if (held !== undefined && held.record.sequence >= record.sequence) return { outcome: 'known', record };
    for (const address of record.addresses) checkAddress(address);
    if (!this.#verifier.verify(signature, signedBytes(this.#genesisHash, encoded), record.consensusKey)) {
      invalid('the signature is wrong');
    }
    let updates = this.#updates.get(key);
    if (updates === undefined) {
      updates = new TokenBucket(UPDATES_PER_SECOND, UPDATE_BURST, this.#now);
      this.#updates.set(key, updates);
    }
    if (!updates.tryTake(1)) return { outcome: 'limited', record };
    const copy = Uint8Array.from(signed);
    this.#byKey.set(key, { record: decodeSignedRecord(copy).record, signed: copy });
    return { outcome: 'new', record };
  }

  /** Index of the validator that `peerId` is by the newest record of `consensusKey`. */
  indexOf(consensusKey: Bytes, peerId: Bytes): number | undefined {
    const key = keyOf(consensusKey);
    const held = this.#byKey.get(key);
    return held !== undefined && equal(held.record.peerId, peerId) ? this.#indices.get(key) : undefined;
  }

  /** The newest record of each validator that has one. */
  records(): PeerRecord[] {
    return Array.from(this.#byKey.values(), (stored) => stored.record);
  }

  /** The same, signed, but for that of `except`. */
  signed(except?: Bytes): Bytes[] {
    const skip = except === undefined ? undefined : keyOf(except);
    return Array.from(this.#byKey).flatMap(([key, stored]) => (key === skip ? [] : [stored.signed]));
  }

  get size(): number {
    return this.#byKey.size;
  }
}
