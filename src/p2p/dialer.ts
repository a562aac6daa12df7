/**
 * Whom to dial, and when. Persistent peers, bootstrap addresses and validators are dialled for ever, with back-off up to
 * a cap; peers that the DHT came up with are dialled while there are too few, with half of the places at most, and
 * forgotten after some failures. A target starts anew as soon as its peer was ready for a while, so a host that restarts
 * is found within a fraction of a second, and one that hangs up at once is not dialled in a loop.
 */
import { setMaxListeners } from 'node:events';
import type { Multiaddr } from '@multiformats/multiaddr';
import { ProtocolError } from '../codec/errors.ts';
import { parseTcpAddress, peerOf, placeOf } from './addresses.ts';
import type { NetworkLimits } from './limits.ts';

const TICK_MS = 100;
const DISCOVERED_FAILURES = 4;
/** Addresses of a discovered peer that are dialled: strangers chose them. */
const DISCOVERED_ADDRESSES = 8;

type Named = 'persistent' | 'bootstrap';
type Kind = Named | 'validator' | 'discovered';

const NAMED: ReadonlySet<Kind> = new Set<Kind>(['persistent', 'bootstrap']);

interface Target {
  readonly kind: Kind;
  /** Known from the address, or after the first connection. */
  peer: string | undefined;
  addresses: readonly Multiaddr[];
  failures: number;
  nextAt: number;
  dialling: boolean;
}

export interface DialerOptions {
  readonly self: string;
  readonly limits: NetworkLimits;
  readonly now: () => number;
  /** Dials and returns the peer id; rejects when no address answers. */
  readonly dial: (addresses: readonly Multiaddr[], signal: AbortSignal) => Promise<string>;
  readonly isConnected: (peer: string) => boolean;
  /** The peer is banned or on the deny list. */
  readonly isRefused: (peer: string) => boolean;
  readonly wantsMore: () => boolean;
  readonly onFailure: (address: string, error: unknown, failures: number) => void;
}

export class Dialer {
  readonly #options: DialerOptions;
  readonly #targets = new Map<string, Target>();
  readonly #underWay = new Set<AbortController>();
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  dials = 0;
  failures = 0;
  /** Discovered peers that there was no room to remember. */
  dropped = 0;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#tick();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const controller of this.#underWay) controller.abort();
  }

  get targets(): number {
    return this.#targets.size;
  }

  /** Dialled but for the back-off, at the moment: peers that are gone or have never been there. */
  get waiting(): number {
    let count = 0;
    for (const { peer } of this.#targets.values())
      if (peer === undefined || !this.#options.isConnected(peer)) count++;
    return count;
  }

  /** Throws `BOOTSTRAP_INVALID` or `PERSISTENT_INVALID` for text that is no multiaddr of a TCP port. */
  addNamed(kind: Named, address: string): void {
    const parsed = parseTcpAddress(address);
    if (parsed === undefined) {
      throw new ProtocolError(
        kind === 'persistent' ? 'PERSISTENT_INVALID' : 'BOOTSTRAP_INVALID',
        `"${address.slice(0, 200)}" is not a multiaddr like /ip4/1.2.3.4/tcp/7300 or /dns4/host/tcp/7300`,
      );
    }
    const peer = peerOf(parsed);
    if (peer === this.#options.self) return;
    this.#put(`${kind} ${address}`, { kind, peer, addresses: [parsed] }, 0);
  }

  isPersistent(peer: string): boolean {
    return this.#some((target) => target.kind === 'persistent' && target.peer === peer);
  }

  /** The operator has named the peer, by its id or by an address at which it was found. */
  isNamed(peer: string): boolean {
    return this.#some((target) => NAMED.has(target.kind) && target.peer === peer);
  }

  /** The operator has named this host and port. */
  isNamedPlace(place: string): boolean {
    return this.#some(
      (target) => NAMED.has(target.kind) && target.addresses.some((address) => placeOf(address) === place),
    );
  }

  #some(test: (target: Target) => boolean): boolean {
    for (const target of this.#targets.values()) if (test(target)) return true;
    return false;
  }

  /**
   * A validator's peer and addresses by the newest record of its key. Targets are kept by key, so that a validator
   * that names another's host in its record cannot replace the other's addresses. `delayMs` leaves the first move to
   * the other side.
   */
  addValidator(key: string, peer: string, addresses: readonly Multiaddr[], delayMs: number): void {
    this.#targets.delete(`discovered ${peer}`);
    if (peer === this.#options.self || addresses.length === 0) this.#targets.delete(`validator ${key}`);
    else this.#put(`validator ${key}`, { kind: 'validator', peer, addresses }, delayMs);
  }

  /** Drops validators whose keys are not in `keys` any more. */
  keepValidators(keys: ReadonlySet<string>): void {
    for (const [name, target] of this.#targets) {
      if (target.kind === 'validator' && !keys.has(name.slice('validator '.length)))
        this.#targets.delete(name);
    }
  }

  addDiscovered(peer: string, offered: readonly Multiaddr[]): void {
    const addresses = offered
      .filter((address) => parseTcpAddress(address.toString()) !== undefined)
      .slice(0, DISCOVERED_ADDRESSES);
    if (peer === this.#options.self || addresses.length === 0) return;
    const key = `discovered ${peer}`;
    if (this.#targets.has(key)) return;
    let known = 0;
    for (const target of this.#targets.values()) {
      if (target.kind === 'discovered') known++;
      else if (target.peer === peer) return;
    }
    if (known >= this.#options.limits.maxDiscovered) {
      this.dropped++;
      return;
    }
    this.#put(key, { kind: 'discovered', peer, addresses }, 0);
  }

  /** A peer is gone that was ready for `readyMs`. If that was long enough a quick dial follows. */
  onGone(peer: string, readyMs: number): void {
    const { now, limits } = this.#options;
    for (const target of this.#targets.values()) {
      if (target.peer !== peer) continue;
      if (readyMs >= limits.settledMs) target.failures = 0;
      if (!target.dialling) target.nextAt = now() + this.#backOff(target, limits.redialMs);
    }
  }

  #put(key: string, start: Pick<Target, 'kind' | 'peer' | 'addresses'>, delayMs: number): void {
    const known = this.#targets.get(key);
    if (known !== undefined && known.peer === start.peer && sameAddresses(known.addresses, start.addresses))
      return;
    const nextAt = this.#options.now() + delayMs;
    this.#targets.set(key, { ...start, failures: 0, nextAt, dialling: false });
  }

  #backOff(target: Target, first: number): number {
    const wait = Math.min(this.#options.limits.redialCapMs, first * 2 ** Math.min(target.failures, 16));
    return wait * (0.75 + Math.random() / 2);
  }

  #tick(): void {
    const { now, limits, isConnected, isRefused, wantsMore } = this.#options;
    const at = now();
    for (const [key, target] of this.#targets) {
      if (this.#underWay.size >= limits.maxDials) return;
      if (target.dialling || target.nextAt > at) continue;
      if (target.peer !== undefined && (isConnected(target.peer) || isRefused(target.peer))) continue;
      if (target.kind === 'discovered' && (!wantsMore() || this.#underWay.size >= limits.maxDials / 2))
        continue;
      void this.#dial(key, target);
    }
  }

  async #dial(key: string, target: Target): Promise<void> {
    const { now, limits, dial, onFailure } = this.#options;
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const timer = setTimeout(() => controller.abort(), limits.dialTimeoutMs).unref();
    this.#underWay.add(controller);
    target.dialling = true;
    this.dials++;
    try {
      target.peer = await dial(target.addresses, controller.signal);
    } catch (error) {
      if (this.#stopped) return;
      this.failures++;
      if (error instanceof Error && error.name === 'InvalidPeerIdError') {
        // the address is our own
        this.#targets.delete(key);
      } else {
        onFailure(target.addresses[0]!.toString(), error, target.failures + 1);
      }
      if (target.kind === 'discovered' && target.failures >= DISCOVERED_FAILURES) this.#targets.delete(key);
    } finally {
      clearTimeout(timer);
      this.#underWay.delete(controller);
      target.dialling = false;
      target.failures++;
      target.nextAt = now() + this.#backOff(target, limits.redialMs);
    }
  }
}

function sameAddresses(a: readonly Multiaddr[], b: readonly Multiaddr[]): boolean {
  return a.length === b.length && a.every((address, i) => address.equals(b[i]!));
}
