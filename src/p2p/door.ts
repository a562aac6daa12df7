/**
 * Who may come in, who may be dialled, and who has to leave when there is no room. Every inbound connection takes a
 * place from its first packet until it is closed, so handshakes count as much as peers. What the address alone
 * decides is decided before the handshake, what needs the peer id right after it. Some places are kept for addresses
 * from which a validator or a persistent peer has proved itself: a crowd of strangers cannot take these. When all
 * others are taken, or all handshakes, a connection that has not said hello for a second gives way to a new one.
 */
import type { MultiaddrConnection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { AccessLists } from './access.ts';
import { AddressBook, type AddressEntry } from './address-book.ts';
import { addressKey, hostOf, peerOf, placeOf } from './addresses.ts';
import { TokenBucket } from './bucket.ts';
import type { NetworkLimits } from './limits.ts';
import type { PeerScores } from './offences.ts';

/** Why a connection was not let in. */
export const REFUSALS = {
  denied: 'the address or the peer is on the deny list',
  unlisted: 'neither the address nor the peer is on the allow list',
  banned: 'the peer is banned',
  'address-banned': 'the address is banned',
  'address-rate': 'too many connections a second from the address',
  'address-handshakes': 'too many handshakes under way with the address',
  'address-full': 'too many connections stand from the address',
  rate: 'too many connections a second from addresses that have proved nothing',
  handshakes: 'too many handshakes under way',
  full: 'all places for addresses that have proved nothing are taken',
  'peer-full': 'too many connections of one peer',
  strangers: 'all places for peers that are no validators are taken',
} as const satisfies Record<string, string>;

export type Refusal = keyof typeof REFUSALS;

/** The share of the places that is kept for addresses that have proved themselves. */
const KEPT = 1 / 4;
/** Addresses that have proved themselves and are remembered. */
const MAX_PROVEN = 1_024;
/** A connection of this age that has not said hello gives way to a new one. */
const PATIENCE_MS = 1_000;

/** What the rest of the network layer knows of a peer. */
export interface Acquaintance {
  /** The operator has named the peer: as persistent, or to join through. */
  isNamed(peer: string): boolean;
  /** The operator has named this host and port. */
  isNamedPlace(place: string): boolean;
  /** A record that counts names the peer as a validator's host. */
  isRecorded(peer: string): boolean;
  /** The peer has said hello. */
  isReady(peer: string): boolean;
}

const STRANGERS: Acquaintance = {
  isNamed: () => false,
  isNamedPlace: () => false,
  isRecorded: () => false,
  isReady: () => false,
};

export interface DoorOptions {
  readonly limits: NetworkLimits;
  readonly now: () => number;
  readonly access: AccessLists;
  readonly scores: PeerScores;
  /** The operator has named peers somewhere else than in the allow list. */
  readonly namesAnybody: boolean;
}

interface Place {
  readonly connection: MultiaddrConnection;
  readonly address: AddressEntry;
  readonly ip: string;
  readonly at: number;
  peer: string | undefined;
}

export class Door {
  readonly #options: DoorOptions;
  readonly #book: AddressBook;
  readonly #places = new Map<MultiaddrConnection, Place>();
  readonly #rate: TokenBucket;
  /** Keys of addresses, and the peer that has proved itself there. */
  readonly #proven = new Map<string, string>();
  readonly #refused = new Map<Refusal, number>();
  #acquaintance: Acquaintance = STRANGERS;
  #handshakes = 0;
  /** Connections that ended before their peer was known. */
  failed = 0;
  evicted = 0;
  addressBans = 0;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#book = new AddressBook(options.limits, options.now);
    const { inboundPerSecond } = options.limits;
    this.#rate = new TokenBucket(inboundPerSecond, 2 * inboundPerSecond, options.now);
  }

  /** From now on `acquaintance` is asked about peers. */
  consult(acquaintance: Acquaintance): void {
    this.#acquaintance = acquaintance;
  }

  get inbound(): number {
    return this.#places.size;
  }

  get handshakes(): number {
    return this.#handshakes;
  }

  /** Addresses that are banned at the moment. */
  get bannedAddresses(): number {
    return this.#book.bans;
  }

  get knownAddresses(): number {
    return this.#book.size;
  }

  refused(): ReadonlyMap<Refusal, number> {
    return this.#refused;
  }

  /** Counts a refusal that was decided elsewhere. */
  count(reason: Refusal): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  /** Takes a place for a new inbound connection; false when it is refused. */
  enter(connection: MultiaddrConnection): boolean {
    const ip = hostOf(connection.remoteAddr).ip ?? 'unknown';
    const address = this.#book.see(ip, addressKey(ip));
    const reason = this.#refusesAddress(ip, address);
    if (reason !== undefined) {
      this.count(reason);
      return false;
    }
    const place: Place = { connection, address, ip, at: this.#options.now(), peer: undefined };
    this.#places.set(connection, place);
    address.open++;
    address.handshakes++;
    this.#handshakes++;
    connection.addEventListener('close', () => this.#leave(place), { once: true });
    return true;
  }

  #refusesAddress(ip: string, address: AddressEntry): Refusal | undefined {
    const { access, limits } = this.#options;
    if (access.deniesAddress(ip)) return 'denied';
    if (access.restricted && !access.lists(undefined, ip) && !this.#decidesLater) return 'unlisted';
    const proven = this.#proven.has(address.key);
    if (!proven && this.#book.banned(address)) return 'address-banned';
    if (!address.rate.tryTake(1)) return 'address-rate';
    const places = this.#book.places(ip);
    if (address.open >= places) return 'address-full';
    if (address.handshakes >= Math.max(1, places / 2)) return 'address-handshakes';
    const open = proven ? 1 : 1 - KEPT;
    if (
      this.#handshakes >= open * limits.inboundPending &&
      !this.#evict((place) => place.peer === undefined)
    ) {
      return 'handshakes';
    }
    if (!proven && !this.#rate.tryTake(1)) return 'rate';
    if (this.#places.size >= open * limits.maxConnections && !this.#evict(() => true)) return 'full';
    return undefined;
  }

  /** Whether a host of an address that is not listed may still turn out to be welcome. */
  get #decidesLater(): boolean {
    return this.#options.access.decidesLater || this.#options.namesAnybody;
  }

  /**
   * Closes a connection that suits, and whose peer has not said hello for a while: of the address that has most of them,
   * the oldest. Addresses that have proved themselves are left alone.
   */
  #evict(suits: (place: Place) => boolean): boolean {
    const before = this.#options.now() - PATIENCE_MS;
    const idle = new Map<AddressEntry, { oldest: Place; count: number }>();
    for (const place of this.#places.values()) {
      if (!suits(place) || this.#proven.has(place.address.key)) continue;
      if (place.peer !== undefined && this.#acquaintance.isReady(place.peer)) continue;
      const known = idle.get(place.address);
      if (known === undefined) idle.set(place.address, { oldest: place, count: 1 });
      else known.count++;
    }
    let worst: { oldest: Place; count: number } | undefined;
    for (const candidate of idle.values()) {
      if (candidate.oldest.at <= before && candidate.count > (worst?.count ?? 0)) worst = candidate;
    }
    if (worst === undefined) return false;
    this.evicted++;
    this.#leave(worst.oldest);
    worst.oldest.connection.abort(new Error('gives way to another connection'));
    return true;
  }

  /** The peer of an inbound connection is known now; false when it is refused. */
  enterPeer(peer: string, connection: MultiaddrConnection): boolean {
    const place = this.#places.get(connection);
    if (place !== undefined && place.peer === undefined) this.#knows(place, peer);
    const reason = this.#refusesPeer(peer, place?.ip);
    if (reason !== undefined) this.count(reason);
    return reason === undefined;
  }

  #refusesPeer(peer: string, ip: string | undefined): Refusal | undefined {
    const { access, scores, limits } = this.#options;
    if (access.deniesPeer(peer)) return 'denied';
    if (scores.banned(peer)) return 'banned';
    if (access.restricted && !access.admitsValidators && !access.lists(peer, ip)) {
      if (!this.#acquaintance.isNamed(peer)) return 'unlisted';
    }
    let same = 0;
    for (const place of this.#places.values()) if (place.peer === peer) same++;
    return same > limits.connectionsPerPeer ? 'peer-full' : undefined;
  }

  /** After the hello: whether the allow list has room for a peer that has or has not proved to be a validator. */
  welcomes(peer: string, validator: boolean, address: Multiaddr | undefined): boolean {
    const { access } = this.#options;
    if (!access.restricted || (validator && access.admitsValidators)) return true;
    if (this.#acquaintance.isNamed(peer)) return true;
    if (address === undefined) return access.lists(peer, undefined);
    return access.lists(peer, hostOf(address).ip) || this.#acquaintance.isNamedPlace(placeOf(address));
  }

  /** Whether this host may connect to `address`, where `peer` is, if that is known yet: it is asked again then. */
  mayDial(peer: string | undefined, address: Multiaddr): boolean {
    const { access, scores } = this.#options;
    const known = this.#acquaintance;
    const { ip } = hostOf(address);
    if (ip !== undefined && access.deniesAddress(ip)) return false;
    if (peer !== undefined && (access.deniesPeer(peer) || scores.banned(peer))) return false;
    if (!access.restricted || access.lists(peer, ip) || known.isNamedPlace(placeOf(address))) return true;
    if (peer === undefined) return this.#decidesLater;
    return known.isNamed(peer) || (access.admitsValidators && known.isRecorded(peer));
  }

  /** The functions that libp2p asks. */
  gater() {
    const { access, scores } = this.#options;
    const refuses = (peer: string): boolean => access.deniesPeer(peer) || scores.banned(peer);
    return {
      denyDialPeer: (peer: PeerId) => refuses(peer.toString()),
      denyDialMultiaddr: (address: Multiaddr) => !this.mayDial(peerOf(address), address),
      denyInboundConnection: (connection: MultiaddrConnection) => !this.enter(connection),
      denyInboundEncryptedConnection: (peer: PeerId, connection: MultiaddrConnection) =>
        !this.enterPeer(peer.toString(), connection),
      denyOutboundEncryptedConnection: (peer: PeerId, connection: MultiaddrConnection) =>
        !this.mayDial(peer.toString(), connection.remoteAddr),
    };
  }

  /** A validator or persistent peer has proved itself at `address`. */
  prove(peer: string, address: Multiaddr | undefined): void {
    const ip = address === undefined ? undefined : hostOf(address).ip;
    if (ip === undefined) return;
    const key = addressKey(ip);
    this.#proven.delete(key);
    this.#proven.set(key, peer);
    for (const oldest of this.#proven.keys()) {
      if (this.#proven.size <= MAX_PROVEN) break;
      this.#proven.delete(oldest);
    }
  }

  /** A peer was banned: its addresses have proved nothing any more, and may be banned themselves. */
  onBan(peer: string): string[] {
    for (const [key, prover] of this.#proven) if (prover === peer) this.#proven.delete(key);
    const struck = new Map<AddressEntry, string>();
    for (const place of this.#places.values()) if (place.peer === peer) struck.set(place.address, place.ip);
    const banned: string[] = [];
    for (const [address, ip] of struck) {
      if (this.#proven.has(address.key) || !this.#book.strike(ip, address)) continue;
      banned.push(address.key);
      this.addressBans++;
      for (const place of [...this.#places.values()]) {
        if (place.address === address) place.connection.abort(new Error('the address is banned'));
      }
    }
    return banned;
  }

  #knows(place: Place, peer: string): void {
    place.peer = peer;
    place.address.handshakes--;
    this.#handshakes--;
  }

  #leave(place: Place): void {
    if (!this.#places.delete(place.connection)) return;
    place.address.open--;
    if (place.peer !== undefined) return;
    place.address.handshakes--;
    this.#handshakes--;
    this.failed++;
  }
}
