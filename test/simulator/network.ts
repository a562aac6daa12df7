/**
 * The network between the endpoints of a run: messages are delayed at random, so they overtake each other,
 * and may be lost, doubled or cut off by partitions until the network heals. Messages are what real ones are,
 * bytes: whoever receives them decodes them.
 */
import type { Bytes } from '../../src/codec/bytes.ts';
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
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  /** `from>to` pairs that are cut. */
  readonly #cuts = new Set<string>();
  delivered = 0;

  constructor(scheduler: Scheduler, random: Prng, faults: Faults) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.faults = faults;
  }

  endpoint(name: string): Endpoint | undefined {
    return this.endpoints.find((endpoint) => endpoint.name === name);
  }

  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cuts.clear();
    this.faults.loss = 0;
    this.faults.duplication = 0;
  }

  reconnect(): void {
    this.#cuts.clear();
  }

  send(from: Endpoint, to: Endpoint, message: Message): void {
    if (to === from || this.#cuts.has(`${from.name}>${to.name}`)) return;
    if (this.#random.chance(this.faults.loss)) return;
    const copies = this.#random.chance(this.faults.duplication) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const { minDelay, maxDelay } = this.faults;
      this.#scheduler.after(minDelay + this.#random.float() * (maxDelay - minDelay), () => {
        this.delivered++;
        to.receive(message, from);
      });
    }
  }

  broadcast(from: Endpoint, message: Message): void {
    for (const to of this.endpoints) this.send(from, to, message);
  }
}
