/**
 * A store of fixed size for what the libraries remember about peers. Strangers can make those libraries write as
 * much as they like (every new peer id leaves an entry), so the entry that was used longest ago gives way. Nothing
 * in it is needed for longer than a process lives: addresses worth keeping are in peer records.
 */
import type { Libp2pInit } from 'libp2p';

type Datastore = NonNullable<Libp2pInit['datastore']>;
type Key = Parameters<Datastore['put']>[0];
type Pair = { key: Key; value: Uint8Array };
type Query = Parameters<Datastore['query']>[0];
type KeyQuery = Parameters<Datastore['queryKeys']>[0];
type Source<T> = Iterable<T> | AsyncIterable<T>;

export class BoundedDatastore implements Datastore {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, Pair>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  put(key: Key, value: Uint8Array): Key {
    const name = key.toString();
    this.#entries.delete(name);
    this.#entries.set(name, { key, value });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries) break;
      this.#entries.delete(oldest);
    }
    return key;
  }

  get(key: Key): Uint8Array {
    const name = key.toString();
    const entry = this.#entries.get(name);
    if (entry === undefined)
      throw Object.assign(new Error(`${name} is not there`), { name: 'NotFoundError' });
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry.value;
  }

  has(key: Key): boolean {
    return this.#entries.has(key.toString());
  }

  delete(key: Key): void {
    this.#entries.delete(key.toString());
  }

  async *putMany(source: Source<Pair>): AsyncGenerator<Key> {
    for await (const { key, value } of source) yield this.put(key, value);
  }

  async *getMany(source: Source<Key>): AsyncGenerator<Pair> {
    for await (const key of source) yield { key, value: this.get(key) };
  }

  async *deleteMany(source: Source<Key>): AsyncGenerator<Key> {
    for await (const key of source) {
      this.delete(key);
      yield key;
    }
  }

  batch() {
    const steps: (() => void)[] = [];
    return {
      put: (key: Key, value: Uint8Array): void => {
        steps.push(() => this.put(key, value));
      },
      delete: (key: Key): void => {
        steps.push(() => this.delete(key));
      },
      commit: (): void => {
        for (const step of steps.splice(0)) step();
      },
    };
  }

  *query(query: Query): Generator<Pair> {
    let found = [...this.#entries.values()].filter(({ key }) =>
      key.toString().startsWith(query.prefix ?? ''),
    );
    for (const filter of query.filters ?? []) found = found.filter(filter);
    for (const order of query.orders ?? []) found.sort(order);
    const from = query.offset ?? 0;
    yield* found.slice(from, query.limit === undefined ? undefined : from + query.limit);
  }

  *queryKeys(query: KeyQuery): Generator<Key> {
    let found = Array.from(this.#entries.values(), ({ key }) => key);
    found = found.filter((key) => key.toString().startsWith(query.prefix ?? ''));
    for (const filter of query.filters ?? []) found = found.filter(filter);
    for (const order of query.orders ?? []) found.sort(order);
    const from = query.offset ?? 0;
    yield* found.slice(from, query.limit === undefined ? undefined : from + query.limit);
  }
}
