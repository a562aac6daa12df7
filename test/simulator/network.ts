/**
 * The network between the endpoints of a run: messages are delayed at random, so they overtake each other,
 * and may be lost, doubled, slowed down at one machine or cut off by partitions until the network heals.
 * Messages are what real ones are, bytes: whoever receives them decodes them.
 */
import type { Bytes } from '../../src/codec/bytes.ts';
import { Counters } from './counters.ts';
import type { Prng } from './prng.ts';
import type { Scheduler } from './scheduler.ts';

type MessageKind =
  | 'vote'
  | 'proposal'
  | 'certificate'
  | 'query'
  | 'body-request'
  | 'body'
  | 'tip-request'
  | 'tip'
  | 'request'
  | 'answer'
  | 'transactions';

export interface Message {
  readonly kind: MessageKind;
  readonly bytes: Bytes;
  /** A second part: the body that goes with a proposal. */
  readonly body?: Bytes | undefined;
}

/** One machine. Twins are two endpoints with one validator index. */
export interface Endpoint {
  readonly name: string;
  readonly index: number;
  receive(message: Message, from: Endpoint): void;
}

export interface Faults {
  loss: number;
  duplication: number;
  minDelay: number;
  maxDelay: number;
}

export class SimNetwork {
  readonly endpoints: Endpoint[] = [];
  readonly faults: Faults;
  readonly counters: Counters;
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  /** `from>to` pairs that are cut. */
  readonly #cuts = new Set<string>();
  /** Milliseconds on top of the delay of whatever goes to or comes from a machine. */
  readonly #slow = new Map<string, number>();
  delivered = 0;

  constructor(scheduler: Scheduler, random: Prng, faults: Faults, counters = new Counters()) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.faults = faults;
    this.counters = counters;
  }

  endpoint(name: string): Endpoint | undefined {
    return this.endpoints.find((endpoint) => endpoint.name === name);
  }

  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  slowDown(name: string, delay: number): void {
    this.#slow.set(name, delay);
  }

  heal(): void {
    this.#cuts.clear();
    this.#slow.clear();
    this.faults.loss = 0;
    this.faults.duplication = 0;
  }

  reconnect(): void {
    this.#cuts.clear();
  }

  send(from: Endpoint, to: Endpoint, message: Message): void {
    if (to === from) return;
    const { loss, duplication, minDelay, maxDelay } = this.faults;
    if (this.#cuts.size > 0 && this.#cuts.has(`${from.name}>${to.name}`)) {
      this.counters.count('messages cut off');
      return;
    }
    if (loss > 0 && this.#random.chance(loss)) {
      this.counters.count('messages lost');
      return;
    }
    let copies = 1;
    if (duplication > 0 && this.#random.chance(duplication)) {
      copies = 2;
      this.counters.count('messages doubled');
    }
    let extra = 0;
    if (this.#slow.size > 0) {
      extra = (this.#slow.get(from.name) ?? 0) + (this.#slow.get(to.name) ?? 0);
      if (extra > 0) this.counters.count('messages slowed down');
    }
    for (let i = 0; i < copies; i++) {
      const delay = minDelay + this.#random.float() * (maxDelay - minDelay + extra);
      this.#scheduler.after(delay, () => {
        this.delivered++;
        to.receive(message, from);
      });
    }
  }

  broadcast(from: Endpoint, message: Message): void {
    for (const to of this.endpoints) this.send(from, to, message);
  }
}
