/**
 * Breadth-first search over the states of three honest validators and a Byzantine one. A state is the numbers of
 * the honest ones' local states right after a vote has left: everything else that a validator does is invisible to
 * the others and put off until its next vote. The network is the set of all votes ever sent, of which anything may
 * reach anybody at any time, in any order, any number of times, or never. Why this loses nothing is in
 * docs/exploration.md.
 */
import { HONEST, type Instance, SENT } from './instance.ts';
import { LocalSpace } from './locals.ts';
import { broken } from './rules.ts';
import { MAX_LOCAL, StateTable } from './table.ts';

/** Where a search ends for want of numbers; what one step can still find fits. */
const MOST_LOCAL = MAX_LOCAL / 2;

export interface Budget {
  readonly states: number;
  /** Milliseconds. */
  readonly time: number;
}

interface Violation {
  readonly what: readonly string[];
  /** Who did what, up to the vote that broke it. */
  readonly trace: readonly string[];
}

export interface Outcome {
  /** Whether everything that can be reached was. */
  readonly complete: boolean;
  readonly states: number;
  /** Steps with a vote, of the states gone on from last. All states of fewer were gone on from, complete or not. */
  readonly depth: number;
  /** States that were found and not gone on from. */
  readonly frontier: number;
  readonly transitions: number;
  readonly localStates: number;
  /** Steps of the production code. */
  readonly steps: number;
  /** Different sets of certificates that could be made. */
  readonly environments: number;
  readonly violations: readonly Violation[];
  readonly milliseconds: number;
}

interface Environment {
  /** Events that can happen in it. */
  readonly events: Int32Array;
  readonly broken: readonly string[];
}

/** The search stops at the first state that breaks a rule. */
export class Search {
  readonly instance: Instance;
  readonly spaces: readonly LocalSpace[];
  readonly #table: StateTable;
  readonly #environments: Environment[] = [];
  readonly #environmentIds = new Map<string, number>();
  /** By local state and environment: the local states after the next vote. */
  readonly #closures: Map<number, Int32Array>[];
  readonly #violations: Violation[] = [];
  #stamp = 0;
  readonly #seen = new Map<LocalSpace, Uint32Array>();
  #transitions = 0;

  constructor(instance: Instance) {
    this.instance = instance;
    const byRole = new Map<string, LocalSpace>();
    this.spaces = HONEST.map((self) => {
      const led = instance.options.leaders
        .map((leader, at) => (leader === self ? at + 1 : 0))
        .filter((v) => v > 0);
      // Those who lead nothing are interchangeable, unless single votes carry their names.
      const role = led.length > 0 || instance.options.deliveries === 'votes' ? `validator ${self}` : 'voter';
      const space = byRole.get(role) ?? new LocalSpace(instance, self);
      byRole.set(role, space);
      return space;
    });
    this.#table = new StateTable();
    this.#closures = this.spaces.map(() => new Map());
    this.spaces.forEach((space, i) => {
      const first = this.spaces.indexOf(space);
      if (first < i) this.#closures[i] = this.#closures[first]!;
    });
  }

  run({ states, time }: Budget): Outcome {
    const started = performance.now();
    const ids = new Int32Array(3);
    this.#add([0, 0, 0], 0);
    let expanded = 0;
    let depth = 0;
    let nextLevel = 1;
    const overtime = (): boolean => performance.now() - started > time;
    while (expanded < this.#table.size && this.#table.size < states && this.#violations.length === 0) {
      if (overtime() || this.spaces.some(({ size }) => size > MOST_LOCAL)) break;
      if (expanded === nextLevel) {
        depth++;
        nextLevel = this.#table.size;
      }
      this.#table.read(expanded, ids);
      this.#expand(expanded, ids);
      expanded++;
    }
    const spaces = [...new Set(this.spaces)];
    return {
      complete: expanded === this.#table.size && this.#violations.length === 0,
      states: this.#table.size,
      depth,
      frontier: this.#table.size - expanded,
      transitions: this.#transitions,
      localStates: spaces.reduce((sum, { size }) => sum + size, 0),
      steps: spaces.reduce((sum, space) => sum + space.steps, 0),
      environments: this.#environments.length,
      violations: this.#violations,
      milliseconds: Math.round(performance.now() - started),
    };
  }

  /** What the three have sent, in every state found: for comparisons of one way to search with another. */
  *sentVectors(): Generator<string> {
    const ids = new Int32Array(3);
    for (let state = 0; state < this.#table.size; state++) {
      this.#table.read(state, ids);
      yield this.spaces.map((space, i) => `${space.sentA[ids[i]!]}/${space.sentF[ids[i]!]}`).join();
    }
  }

  #expand(state: number, ids: Int32Array): void {
    const environment = this.#environmentOf(ids);
    for (let i = 0; i < 3; i++) {
      // Of two in the same state and role, one is enough.
      if (i > 0 && this.spaces[i] === this.spaces[i - 1] && ids[i] === ids[i - 1]) continue;
      const successors = this.#successors(i, ids[i]!, environment);
      for (const next of successors) {
        const target = [ids[0]!, ids[1]!, ids[2]!];
        target[i] = next;
        this.#transitions++;
        const faults = this.spaces[i]!.faults.get(next);
        if (faults !== undefined) this.#violate(state, i, next, faults);
        else this.#add(target, state);
        if (this.#violations.length > 0) return;
      }
    }
  }

  /** Interchangeable validators are put in order. */
  #add(ids: number[], parent: number): void {
    const [a, b, c] = this.spaces;
    const swap = (i: number, j: number): void => {
      if (ids[i]! > ids[j]!) [ids[i], ids[j]] = [ids[j]!, ids[i]!];
    };
    if (a === b) swap(0, 1);
    if (b === c) swap(1, 2);
    if (a === c) swap(0, 2);
    if (a === b && b === c) swap(0, 1);
    const before = this.#table.size;
    const state = this.#table.add(ids[0]!, ids[1]!, ids[2]!, parent);
    if (state < before) return;
    const environment = this.#environments[this.#environmentOf(Int32Array.from(ids))]!;
    if (environment.broken.length > 0) {
      this.#violations.push({ what: environment.broken, trace: this.#story(state) });
    }
  }

  // --- what can come -------------------------------------------------------------------------------------------

  #environmentOf(ids: Int32Array): number {
    const words = this.#words(ids);
    const key = words.join();
    const known = this.#environmentIds.get(key);
    if (known !== undefined) return known;
    const id = this.#environments.length;
    const events: number[] = [];
    this.instance.events.forEach((event, at) => {
      const when = 'when' in event ? event.when : undefined;
      if (when === undefined || ((words[when.word]! >>> when.bit) & 1) === 1) events.push(at);
    });
    this.#environments.push({
      events: Int32Array.from(events),
      broken: broken(this.instance, words[0]!, words[1]!),
    });
    this.#environmentIds.set(key, id);
    return id;
  }

  #words(ids: Int32Array): number[] {
    const a = this.spaces.map((space, i) => space.sentA[ids[i]!]!);
    const f = this.spaces.map((space, i) => space.sentF[ids[i]!]!);
    const majority = ([x, y, z]: number[]): number => ((x! & y!) | (x! & z!) | (y! & z!)) >>> 0;
    let leaders = 0;
    for (const [view, mask] of this.#viewMasks()) leaders |= (a[this.instance.leader(view)] ?? 0) & mask;
    const words = [majority(a), majority(f), leaders >>> 0];
    if (this.instance.options.deliveries === 'votes') {
      for (const i of HONEST) {
        words[SENT + 2 * i] = a[i]!;
        words[SENT + 2 * i + 1] = f[i]!;
      }
    }
    return words;
  }

  /** Word A's bits of each view with an honest leader. */
  #masks: [number, number][] | undefined;
  #viewMasks(): [number, number][] {
    this.#masks ??= this.instance.options.leaders
      .map((leader, at): [number, number, number] => [leader, at + 1, 1 << (29 + at)])
      .filter(([leader]) => leader < HONEST.length)
      .map(([, view, bit]) => [
        view,
        this.instance.blocks.reduce(
          (mask, block) => (block.view === view ? mask | (1 << block.id) : mask),
          bit,
        ),
      ]);
    return this.#masks;
  }

  // --- what a validator can make of it ---------------------------------------------------------------------------

  /**
   * The local states after the next vote, by any way that the environment allows; without those that another of them
   * leads to silently, since whatever these can do that one can do as well.
   */
  #successors(i: number, local: number, environment: number): Int32Array {
    const memo = this.#closures[i]!;
    const key = local * 2 ** 24 + environment;
    const known = memo.get(key);
    if (known !== undefined) return known;
    const space = this.spaces[i]!;
    const successors = new Set<number>();
    this.#walk(space, local, environment, (next) => void successors.add(next));
    for (const state of [...successors].sort((x, y) => x - y)) {
      if (!successors.has(state) || space.faults.has(state)) continue;
      this.#walk(space, state, environment, undefined, (next) => void successors.delete(next));
    }
    const result = Int32Array.from(successors);
    memo.set(key, result);
    return result;
  }

  /** Everything that can be reached from `local` up to the next vote: the states before it, and those after it. */
  #walk(
    space: LocalSpace,
    local: number,
    environment: number,
    after: ((state: number) => void) | undefined,
    before?: (state: number) => void,
  ): void {
    const { events } = this.#environments[environment]!;
    const [a, f] = [space.sentA[local]!, space.sentF[local]!];
    this.#stamp++;
    this.#mark(space, local);
    const stack = [local];
    for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
      for (const event of events) {
        const next = space.step(state, event);
        if (next === state || this.#mark(space, next)) continue;
        if (space.sentA[next] === a && space.sentF[next] === f && !space.faults.has(next)) {
          before?.(next);
          stack.push(next);
        } else after?.(next);
      }
    }
  }

  /** True if the state was marked in this closure before. */
  #mark(space: LocalSpace, state: number): boolean {
    let seen = this.#seen.get(space) ?? new Uint32Array(1_024);
    if (state >= seen.length) {
      const wider = new Uint32Array(2 ** Math.ceil(Math.log2(state + 1)));
      wider.set(seen);
      seen = wider;
    }
    this.#seen.set(space, seen);
    if (seen[state] === this.#stamp) return true;
    seen[state] = this.#stamp;
    return false;
  }

  // --- telling the story -------------------------------------------------------------------------------------------

  #violate(state: number, i: number, next: number, what: readonly string[]): void {
    const ids = new Int32Array(3);
    this.#table.read(state, ids);
    const last = this.#path(i, ids[i]!, next, this.#environmentOf(ids));
    this.#violations.push({ what, trace: [...this.#story(state), last] });
  }

  #story(state: number): string[] {
    const lines: string[] = [];
    const after = new Int32Array(3);
    const before = new Int32Array(3);
    for (let at = state; at > 0; at = this.#table.parent(at)) {
      this.#table.read(at, after);
      this.#table.read(this.#table.parent(at), before);
      lines.unshift(this.#move(before, after));
    }
    return lines;
  }

  /** One validator moved; interchangeable ones may have changed places. */
  #move(before: Int32Array, after: Int32Array): string {
    const environment = this.#environmentOf(before);
    for (let i = 0; i < 3; i++) {
      for (const next of this.#successors(i, before[i]!, environment)) {
        const target = [...before];
        target[i] = next;
        if (this.#sameState(target, after)) return this.#path(i, before[i]!, next, environment);
      }
    }
    return 'nobody';
  }

  #sameState(a: readonly number[], b: Int32Array): boolean {
    const grouped = (ids: Iterable<number>): string =>
      [...ids]
        .map((id, i) => `${this.spaces.indexOf(this.spaces[i]!)}/${id}`)
        .sort()
        .join();
    return grouped(a) === grouped(b);
  }

  /** The shortest way of validator `i` from one local state to another. */
  #path(i: number, from: number, to: number, environment: number): string {
    const space = this.spaces[i]!;
    const cameBy = new Map<number, [number, number]>([[from, [-1, 0]]]);
    const queue = [from];
    for (const state of queue) {
      if (cameBy.has(to)) break;
      for (const event of this.#environments[environment]!.events) {
        const next = space.step(state, event);
        if (cameBy.has(next)) continue;
        cameBy.set(next, [state, event]);
        const silent = space.sentA[next] === space.sentA[from] && space.sentF[next] === space.sentF[from];
        if (silent) queue.push(next);
      }
    }
    const names: string[] = [];
    for (let at = to; at !== from; at = cameBy.get(at)![0]) {
      names.unshift(this.instance.events[cameBy.get(at)![1]]!.name);
    }
    return `${i}: ${names.join(', ')} ⇒ ${this.#given(space, from, to).join(', ') || 'nothing sent'}`;
  }

  #given(space: LocalSpace, from: number, to: number): string[] {
    const a = (space.sentA[to]! & ~space.sentA[from]!) >>> 0;
    const f = (space.sentF[to]! & ~space.sentF[from]!) >>> 0;
    const { blocks, views } = this.instance;
    const names = blocks.flatMap(({ id, proposal }) => [
      ...((a >>> id) & 1 ? [this.instance.nameOf({ kind: 1, proposal })] : []),
      ...((f >>> id) & 1 ? [this.instance.nameOf({ kind: 3, proposal })] : []),
    ]);
    for (let view = 1; view <= views; view++) if ((a >>> (28 + view)) & 1) names.push(`X(${view})`);
    return names;
  }
}
