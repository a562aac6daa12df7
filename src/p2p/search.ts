/**
 * Looks for more peers in the DHT: soon after every peer that was found, then at doubling intervals, as long as
 * there are too few.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { PeerInfo, PeerRouting } from '@libp2p/interface';

const FIRST_MS = 250;
const TIMEOUT_MS = 10_000;

export interface PeerSearchOptions {
  readonly routing: PeerRouting;
  readonly intervalMs: number;
  readonly wantsMore: () => boolean;
  readonly onPeer: (peer: PeerInfo) => void;
  readonly onError: (error: unknown) => void;
}

export class PeerSearch {
  readonly #options: PeerSearchOptions;
  #timer: NodeJS.Timeout | undefined;
  #underWay: AbortController | undefined;
  #stopped = false;

  constructor(options: PeerSearchOptions) {
    this.#options = options;
  }

  /** Begins, or begins anew, with the shortest interval. */
  start(): void {
    this.#schedule(FIRST_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#underWay?.abort();
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      void this.#search();
      this.#schedule(Math.min(2 * delayMs, this.#options.intervalMs));
    }, delayMs).unref();
  }

  async #search(): Promise<void> {
    const { routing, wantsMore, onPeer, onError } = this.#options;
    if (this.#underWay !== undefined || !wantsMore()) return;
    const controller = new AbortController();
    const { signal } = controller;
    // every query of the search listens to it
    setMaxListeners(0, signal);
    const timer = setTimeout(() => controller.abort(), TIMEOUT_MS).unref();
    this.#underWay = controller;
    try {
      for await (const peer of routing.getClosestPeers(randomBytes(32), { signal })) onPeer(peer);
    } catch (error) {
      if (!signal.aborted) onError(error);
    } finally {
      clearTimeout(timer);
      this.#underWay = undefined;
    }
  }
}
