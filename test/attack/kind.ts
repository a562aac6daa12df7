/** A kind of attack: one step, done over and over by several hands at once. */
import type { Prng } from '../simulator/prng.ts';
import { type Host, type HostOptions, hostileHost, Session } from './hosts.ts';
import type { Insider, Target, World } from './world.ts';

export const GROUPS = [
  'transport',
  'hello',
  'consensus',
  'bulk',
  'gossip',
  'libp2p',
  'api',
  'insider',
] as const;
export type Group = (typeof GROUPS)[number];

export interface Kind {
  readonly name: string;
  readonly group: Group;
  /** How many do it at once; 2 unless it says otherwise. */
  readonly hands?: number;
  /** One go of some seconds at most. Throws when it is cut off, which is what should happen. */
  readonly step: (hand: Hand) => Promise<void>;
  readonly host?: Omit<HostOptions, 'seed'>;
}

/** How long one go goes on where nothing ends it. */
const GO_MS = 4_000;

/** Who carries out an attack: an identity, renewed when it is shut out, and counters. */
export class Hand {
  readonly world: World;
  readonly rng: Prng;
  readonly insider: Insider | undefined;
  /** Seed of the network identity that it has at the moment. */
  identity: Uint8Array;
  readonly #options: Omit<HostOptions, 'seed'>;
  readonly #signal: AbortSignal;
  #host: Host | undefined;
  #open: Session[] = [];
  #until = 0;
  sent = 0;
  /** Goes that ended because the node refused, cut off or did not take more. */
  refused = 0;

  constructor(
    world: World,
    rng: Prng,
    signal: AbortSignal,
    options: Omit<HostOptions, 'seed'> = {},
    insider: Insider | undefined = undefined,
  ) {
    this.world = world;
    this.rng = rng;
    this.#signal = signal;
    this.#options = options;
    this.insider = insider;
    this.identity = rng.bytes(32);
  }

  /** Whether this go is to go on. */
  get on(): boolean {
    return !this.#signal.aborted && performance.now() < this.#until;
  }

  target(): Target {
    return this.rng.pick(this.world.targets);
  }

  /** A connection of this hand's identity. */
  async session(target = this.target()): Promise<Session> {
    this.#host ??= await hostileHost({ ...this.#options, capture: this.world.capture, seed: this.identity });
    const session = await Session.open(this.#host, target);
    this.#open.push(session);
    return session;
  }

  /** Somebody else who goes as long as this one; to be sent away with `leave`. */
  another(): Hand {
    const other = new Hand(this.world, this.rng.fork(`${this.rng.next()}`), this.#signal, this.#options);
    other.#until = this.#until;
    return other;
  }

  /** A connection that has said hello. */
  async ready(target?: Target): Promise<Session> {
    const session = await this.session(target);
    await session.greet(this.world);
    return session;
  }

  async work(step: Kind['step']): Promise<void> {
    while (!this.#signal.aborted) {
      this.#until = performance.now() + GO_MS;
      try {
        await step(this);
      } catch {
        this.refused++;
        await this.leave();
        await pause(50);
      }
      for (const session of this.#open.splice(0)) session.end();
      await pause(0);
    }
    await this.leave();
  }

  async leave(): Promise<void> {
    for (const session of this.#open.splice(0)) session.end();
    const host = this.#host;
    this.#host = undefined;
    this.identity = this.rng.bytes(32);
    await host?.stop();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
