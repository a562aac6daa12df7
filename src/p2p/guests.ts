/**
 * Who may stay after the hello. Validators and persistent peers are kept: they are never asked to leave for want of room.
 * All others are guests, of whom there is a fixed number; one of a crowd gives way to a newcomer from elsewhere.
 */
import type { Connection } from '@libp2p/interface';
import { addressKey, hostOf } from './addresses.ts';
import type { Dialer } from './dialer.ts';
import type { Door, Refusal } from './door.ts';
import type { NetworkLimits } from './limits.ts';
import { givesWay } from './upkeep.ts';

/** A peer that is connected. */
export interface Visitor {
  readonly peer: string;
  /** Index of the validator that it has proved to be. */
  readonly validator: number | undefined;
}

export interface GuestsOptions {
  readonly limits: NetworkLimits;
  readonly door: Door;
  readonly dialer: Dialer;
  /** Open connections to a peer, the newest first. */
  readonly connections: (peer: string) => readonly Connection[];
  /** Peers that have said hello, in the order of their coming. */
  readonly ready: () => readonly Visitor[];
  readonly disconnect: (peer: string, reason: string) => void;
}

export class Guests {
  readonly #options: GuestsOptions;

  constructor(options: GuestsOptions) {
    this.#options = options;
  }

  isKept({ peer, validator }: Visitor): boolean {
    return validator !== undefined || this.#options.dialer.isPersistent(peer);
  }

  #isGuest(visitor: Visitor): boolean {
    return !this.isKept(visitor) && !this.#options.dialer.isNamed(visitor.peer);
  }

  /** Why a peer that has said hello cannot stay. */
  refuses(visitor: Visitor): Refusal | undefined {
    const { limits, door, connections, ready, disconnect } = this.#options;
    const address = connections(visitor.peer)[0]?.remoteAddr;
    if (!door.welcomes(visitor.peer, visitor.validator !== undefined, address)) return 'unlisted';
    if (!this.#isGuest(visitor)) return undefined;
    const others = ready().filter((other) => other.peer !== visitor.peer && this.#isGuest(other));
    if (others.length < limits.maxStrangers) return undefined;
    const guests = others.map(({ peer }) => ({ peer, address: this.#addressOf(peer) }));
    const leaving = givesWay(guests, this.#addressOf(visitor.peer));
    if (leaving === undefined) return 'strangers';
    door.count('strangers');
    disconnect(leaving, 'gives way to a peer of another address');
    return undefined;
  }

  #addressOf(peer: string): string {
    const address = this.#options.connections(peer)[0]?.remoteAddr;
    return addressKey((address && hostOf(address).ip) ?? '');
  }

  /** Keeps places for the addresses of a peer that has proved itself. */
  prove(peer: string): void {
    const { door, connections } = this.#options;
    for (const connection of connections(peer)) door.prove(peer, connection.remoteAddr);
  }
}
