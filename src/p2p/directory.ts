/**
 * Who is which validator. Takes in peer records, keeps this host's own one up to date, passes on what is new, and
 * tells a peer's index in the validator set. A peer is validator i only if the newest record of key i names it *and*
 * it has presented a record of that key as its own: neither a validator can claim somebody else's host, nor a host
 * somebody else's key.
 */
import type { PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { type Bytes, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { SignatureVerifier, SigningKey } from '../crypto/interfaces.ts';
import { OwnRecord } from './identity.ts';
import { type PeerRecord, peerIdOfRecord, RecordStore } from './record.ts';
import type { NetworkLog } from './types.ts';

export interface DirectoryOptions {
  readonly self: PeerId;
  readonly genesisHash: Bytes;
  readonly verifier: SignatureVerifier;
  readonly validatorKeys: readonly Bytes[];
  readonly consensusKey: SigningKey | undefined;
  readonly now: () => number;
  readonly log: NetworkLog;
  /** There is a newer record of another validator. */
  readonly onRecord: (record: PeerRecord) => void;
  /** These signed records are news for every peer but `from`. */
  readonly tell: (signed: readonly Bytes[], from: string | undefined) => void;
  /** Indices of peers may have changed. */
  readonly onChange: () => void;
}

interface Fresh {
  readonly record: PeerRecord;
  readonly signed: Bytes;
}

export class Directory {
  readonly #options: DirectoryOptions;
  readonly #records: RecordStore;
  readonly #own: OwnRecord | undefined;
  /** Consensus keys of which peers have presented a record as their own. */
  readonly #claims = new Map<string, Bytes>();

  constructor(options: DirectoryOptions) {
    const { self, genesisHash, verifier, validatorKeys, consensusKey, now } = options;
    this.#options = options;
    this.#records = new RecordStore(genesisHash, verifier, validatorKeys, now);
    if (consensusKey !== undefined) {
      this.#own = new OwnRecord(genesisHash, consensusKey, self.toMultihash().bytes, now);
    }
  }

  /** This host's signed record, if it is a validator. */
  get own(): Bytes | undefined {
    return this.#own?.signed;
  }

  /** Signed records of all others. */
  others(): Bytes[] {
    return this.#records.signed(this.#own?.consensusKey);
  }

  get size(): number {
    return this.#records.size;
  }

  consensusKeys(): Bytes[] {
    return this.#records.records().map((record) => record.consensusKey);
  }

  /** The validator index that `peer` has proved. */
  indexOf(peer: string): number | undefined {
    const claim = this.#claims.get(peer);
    return claim === undefined ? undefined : this.#records.indexOf(claim, multihash(peer));
  }

  /** A validator's newest record names `peer` as its host. */
  names(peer: string): boolean {
    const id = multihash(peer);
    return this.#records.records().some((record) => equal(record.peerId, id));
  }

  /** Takes the record that `peer` presents as its own. Throws `RECORD_INVALID`. */
  takeOwnOf(peer: string, signed: Bytes): void {
    const { outcome, record } = this.#records.offer(signed);
    if (!equal(record.peerId, multihash(peer))) {
      throw new ProtocolError('RECORD_INVALID', 'the record names another peer');
    }
    this.#claims.set(peer, record.consensusKey);
    if (outcome === 'new') this.#spread([{ record, signed }], peer);
    else this.#options.onChange();
  }

  /** Takes records that `from` passes on; they say nothing about `from` itself. Throws `RECORD_INVALID`. */
  take(records: readonly Bytes[], from: string): void {
    const fresh: Fresh[] = [];
    try {
      for (const signed of records) {
        const { outcome, record } = this.#records.offer(signed);
        if (outcome === 'new') fresh.push({ record, signed });
      }
    } finally {
      if (fresh.length > 0) this.#spread(fresh, from);
    }
  }

  forget(peer: string): void {
    this.#claims.delete(peer);
  }

  /** Signs and spreads a new record if this host's addresses are news. */
  refresh(addresses: readonly string[]): void {
    if (this.#own?.update(addresses) === true) this.#publishOwn();
  }

  setKeys(keys: readonly Bytes[]): void {
    this.#records.setKeys(keys);
    if (this.own !== undefined) this.#records.offer(this.own);
    this.#options.onChange();
  }

  #spread(fresh: readonly Fresh[], from: string): void {
    for (const { record } of fresh) {
      if (this.#own !== undefined && equal(record.consensusKey, this.#own.consensusKey))
        this.#onOwnKey(record);
      else this.#options.onRecord(record);
    }
    this.#options.tell(
      fresh.map(({ signed }) => signed),
      from,
    );
    this.#options.onChange();
  }

  #onOwnKey(record: PeerRecord): void {
    const peer = peerIdOfRecord(record);
    if (!peer.equals(this.#options.self)) {
      const fields = { peer: peer.toString() };
      this.#options.log.warn(fields, 'another host has signed a peer record with our consensus key');
    }
    if (this.#own?.outbid(record) === true) this.#publishOwn();
  }

  #publishOwn(): void {
    if (this.own === undefined) return;
    this.#records.offer(this.own);
    this.#options.tell([this.own], undefined);
  }
}

function multihash(peer: string): Bytes {
  return peerIdFromString(peer).toMultihash().bytes;
}
