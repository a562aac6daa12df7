/**
 * This host's own peer record: made and signed anew whenever its addresses change, or when somebody holds a record
 * of our key with a higher sequence (a clock that was set back, or a second process with our key, which is worth a
 * warning). Without a consensus key there is none.
 */
import { multiaddr } from '@multiformats/multiaddr';
import { type Bytes, equal } from '../codec/bytes.ts';
import type { SigningKey } from '../crypto/interfaces.ts';
import { TokenBucket } from './bucket.ts';
import { MAX_ADDRESS_BYTES, MAX_ADDRESSES, type PeerRecord, signRecord } from './record.ts';

const P2P_CODE = 421;
/** Two processes with one key would outbid each other for ever: so many times at once, then every ten seconds. */
const OUTBID_BURST = 4;
const OUTBIDS_PER_SECOND = 0.1;

export class OwnRecord {
  readonly #genesisHash: Bytes;
  readonly #key: SigningKey;
  readonly #peerId: Bytes;
  readonly #now: () => number;
  readonly #outbids: TokenBucket;
  #sequence = 0;
  #addresses: readonly Bytes[] = [];
  signed: Bytes | undefined;

  constructor(genesisHash: Bytes, key: SigningKey, peerId: Bytes, now: () => number) {
    this.#genesisHash = genesisHash;
    this.#key = key;
    this.#peerId = peerId;
    this.#now = now;
    this.#outbids = new TokenBucket(OUTBIDS_PER_SECOND, OUTBID_BURST, now);
  }

  get consensusKey(): Bytes {
    return this.#key.publicKey;
  }

  /** Signs a record of `addresses` (text) if they are news. True when there is a new record. */
  update(addresses: readonly string[]): boolean {
    const next = recordAddresses(addresses);
    if (this.signed !== undefined && sameList(next, this.#addresses)) return false;
    this.#addresses = next;
    this.#sign();
    return true;
  }

  /** Answers a record of our own key that says something else. True when there is a new record. */
  outbid(other: PeerRecord): boolean {
    if (other.sequence < this.#sequence) return false;
    if (other.sequence === this.#sequence && equal(other.peerId, this.#peerId)) return false;
    if (!this.#outbids.tryTake(1)) return false;
    this.#sequence = other.sequence;
    this.#sign();
    return true;
  }

  #sign(): void {
    this.#sequence = Math.max(this.#now(), this.#sequence + 1);
    const record: PeerRecord = {
      consensusKey: this.#key.publicKey,
      peerId: this.#peerId,
      addresses: this.#addresses,
      sequence: this.#sequence,
    };
    this.signed = signRecord(record, this.#genesisHash, this.#key);
  }
}

/** TCP addresses in binary, without the peer id; loopback only when there is nothing else. */
function recordAddresses(addresses: readonly string[]): Bytes[] {
  const parsed = addresses.map((text) => multiaddr(text).decapsulateCode(P2P_CODE));
  const plain = parsed.filter((address) => {
    const parts = address.getComponents();
    return parts.length === 2 && parts[1]!.name === 'tcp' && address.bytes.length <= MAX_ADDRESS_BYTES;
  });
  const loopback = /^\/(ip4\/127\.|ip6\/::1\/)/;
  const outside = plain.filter((address) => !loopback.test(address.toString()));
  return (outside.length > 0 ? outside : plain).slice(0, MAX_ADDRESSES).map((address) => address.bytes);
}

function sameList(a: readonly Bytes[], b: readonly Bytes[]): boolean {
  return a.length === b.length && a.every((bytes, i) => equal(bytes, b[i]!));
}
