/**
 * What each address (see addresses.ts) costs and has done: how fast connections come from it, how many stand, and how
 * often peers from it had to be banned. Peer ids are free and addresses are not, so after some bans the address itself
 * is refused: for a minute, then twice as long each time. The table is bounded; the address that was seen longest
 * ago is forgotten first, unless connections from it stand.
 */
import { isLocal, isLoopback } from './addresses.ts';
import { TokenBucket } from './bucket.ts';
import type { NetworkLimits } from './limits.ts';

export interface AddressEntry {
  readonly key: string;
  readonly rate: TokenBucket;
  /** Inbound connections that stand, and those of them whose peer is not known yet. */
  open: number;
  handshakes: number;
  strikes: number;
  lastStrike: number;
  bannedUntil: number;
}

export class AddressBook {
  readonly #limits: NetworkLimits;
  readonly #now: () => number;
  readonly #entries = new Map<string, AddressEntry>();

  constructor(limits: NetworkLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** The entry of an address, which becomes the most recent one. */
  see(ip: string, key: string): AddressEntry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const perSecond = this.perSecond(ip);
      entry = {
        key,
        rate: new TokenBucket(perSecond, 4 * perSecond, this.#now),
        open: 0,
        handshakes: 0,
        strikes: 0,
        lastStrike: 0,
        bannedUntil: 0,
      };
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#trim();
    return entry;
  }

  /** New connections a second that an address may make, four times that in a burst. */
  perSecond(ip: string): number {
    return isLoopback(ip)
      ? this.#limits.inboundPerSecondFromLoopback
      : this.#limits.inboundPerSecondPerAddress;
  }

  /** Connections that may stand from an address. */
  places(ip: string): number {
    return isLoopback(ip) ? this.#limits.connectionsFromLoopback : this.#limits.connectionsPerAddress;
  }

  banned(entry: AddressEntry): boolean {
    return entry.bannedUntil > this.#now();
  }

  /** A peer from `ip` was banned. True when the address is banned for that from now on. */
  strike(ip: string, entry: AddressEntry): boolean {
    const { addressStrikes, strikeMemoryMs, addressBanMs, addressBanCapMs, localAddressBanMs } = this.#limits;
    const at = this.#now();
    if (at - entry.lastStrike > strikeMemoryMs) entry.strikes = 0;
    entry.strikes++;
    entry.lastStrike = at;
    const first = isLocal(ip) ? localAddressBanMs : addressBanMs;
    const over = entry.strikes - addressStrikes;
    if (over < 0 || first === 0) return false;
    entry.bannedUntil = at + Math.min(addressBanCapMs, first * 2 ** Math.min(over, 16));
    return true;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bans(): number {
    const at = this.#now();
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.bannedUntil > at) count++;
    return count;
  }

  #trim(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#limits.maxAddresses) return;
      if (entry.open === 0) this.#entries.delete(key);
    }
  }
}
