/**
 * The states that validators of one role can be in, numbered as they are found, and what each event makes of each. The
 * production code runs once for every pair of state and event; after that a step is a look into a table. A state
 * is kept as the event that first led to it: to go on from it, its history is played again.
 */
import type { Instance } from './instance.ts';
import { Machine } from './machine.ts';

const UNKNOWN = -1;

export class LocalSpace {
  /** A validator that stands for all of its role. */
  readonly self: number;
  /** What each state's validator has sent. */
  sentA = new Uint32Array(1_024);
  sentF = new Uint32Array(1_024);
  /** What went wrong on the way to a state. */
  readonly faults = new Map<number, readonly string[]>();
  /** Steps of the production code, and those of them that played histories again. */
  steps = 0;
  replayed = 0;
  readonly #instance: Instance;
  readonly #ids = new Map<string, number>();
  #count = 0;
  #from = new Int32Array(1_024);
  #by = new Uint8Array(1_024);
  #next: Int32Array;
  /** A machine that is in state `#at`. */
  #machine: Machine;
  #at = 0;

  constructor(instance: Instance, self: number) {
    this.#instance = instance;
    this.self = self;
    if (instance.events.length > 255) throw new RangeError('the instance has too many events');
    this.#next = new Int32Array(1_024 * instance.events.length).fill(UNKNOWN);
    this.#machine = new Machine(instance, self);
    this.#intern(this.#machine, -1, 0);
  }

  get size(): number {
    return this.#count;
  }

  /** The state that `event` leads to from `state`; the same one if it changes nothing. */
  step(state: number, event: number): number {
    const known = this.#next[state * this.#instance.events.length + event]!;
    return known === UNKNOWN ? this.#compute(state, event) : known;
  }

  /** The events that lead from the start to a state. */
  history(state: number): number[] {
    const events: number[] = [];
    for (let at = state; this.#from[at]! >= 0; at = this.#from[at]!) events.unshift(this.#by[at]!);
    return events;
  }

  /** A fresh machine in this state. */
  machine(state: number): Machine {
    const machine = new Machine(this.#instance, this.self);
    machine.replaying = true;
    for (const event of this.history(state)) {
      machine.apply(this.#instance.events[event]!);
      this.replayed++;
    }
    machine.replaying = false;
    return machine;
  }

  #compute(state: number, event: number): number {
    if (this.#at !== state) {
      this.#machine = this.machine(state);
      this.#at = state;
    }
    this.steps++;
    const useful = this.#machine.apply(this.#instance.events[event]!);
    const next = useful ? this.#intern(this.#machine, state, event) : state;
    this.#at = next;
    this.#next[state * this.#instance.events.length + event] = next;
    return next;
  }

  #intern(machine: Machine, from: number, by: number): number {
    const fingerprint = machine.fingerprint();
    const known = this.#ids.get(fingerprint);
    if (known !== undefined) return known;
    const id = this.#count++;
    if (id >= this.sentA.length) this.#grow();
    this.#ids.set(fingerprint, id);
    this.sentA[id] = machine.sentA;
    this.sentF[id] = machine.sentF;
    this.#from[id] = from;
    this.#by[id] = by;
    if (machine.faults.length > 0) this.faults.set(id, [...machine.faults]);
    return id;
  }

  #grow(): void {
    const wider = <T extends Uint32Array | Int32Array | Uint8Array>(next: T, old: T): T => {
      next.set(old);
      return next;
    };
    this.sentA = wider(new Uint32Array(2 * this.sentA.length), this.sentA);
    this.sentF = wider(new Uint32Array(2 * this.sentF.length), this.sentF);
    this.#from = wider(new Int32Array(2 * this.#from.length), this.#from);
    this.#by = wider(new Uint8Array(2 * this.#by.length), this.#by);
    const unknown = new Int32Array(2 * this.#next.length).fill(UNKNOWN);
    this.#next = wider(unknown, this.#next);
  }
}
